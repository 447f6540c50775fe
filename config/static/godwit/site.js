// What pages do beyond htmx. Each page works without this file.

const ERRORS_BACK_OFF = [5, 10, 20, 40, 60];
const IDLE_AFTER = 10 * 60_000;

let lastTouched = Date.now();
let errors = 0;
let resumeAt = 0;
let answered = new Date();

for (const kind of ["pointerdown", "keydown"]) {
  document.addEventListener(kind, () => { lastTouched = Date.now(); }, { passive: true });
}

function isPoll(event) {
  const trigger = event.target.getAttribute?.("hx-trigger") ?? "";
  return trigger.includes("every ");
}

// A page that nobody looks at asks for nothing; one whose server fails asks less and less often.
document.addEventListener("htmx:before:request", (event) => {
  if (!isPoll(event)) return;
  const now = Date.now();
  const isIdle = now - lastTouched > IDLE_AFTER && now - Number(event.target.dataset.asked ?? 0) < 60_000;
  if (document.hidden || now < resumeAt || isIdle) {
    event.preventDefault();
    return;
  }
  event.target.dataset.asked = String(now);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const each of document.querySelectorAll("[hx-trigger*='every ']")) htmx.trigger(each, "refresh");
});

function failed(event) {
  const wait = 1000 * ERRORS_BACK_OFF[Math.min(errors++, ERRORS_BACK_OFF.length - 1)];
  resumeAt = Date.now() + wait;
  shout(document.body.dataset.offline.replace("{time}", answered.toLocaleTimeString(document.documentElement.lang)));
  notKept(event.target, "failed", wait);
}

document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:response:error", (event) => {
  const { status } = event.detail.ctx.response;
  if (status >= 500) failed(event);
  if (status === 401) notKept(event.target, "signedOut", 10_000);
});

document.addEventListener("htmx:after:request", (event) => {
  const { status } = event.detail.ctx.response;
  if (status >= 500) return;
  errors = 0;
  resumeAt = 0;
  answered = new Date();
  if (status < 400) kept(event.target);
});

// What is kept while it is typed: where that fails the page says so, and tries again by itself.
let again;
let unsaved;
function notKept(form, why, wait) {
  const text = form.dataset?.[why];
  if (!text) return;
  if (why === "signedOut") form.dataset.out = "yes";
  const state = form.querySelector("[data-kept]");
  if (state) state.textContent = text;
  shout(text);
  clearTimeout(again);
  again = setTimeout(() => tryAgain(form), wait);
}

function tryAgain(form) { form.dispatchEvent(new Event("input")); }

function kept(form) {
  shout("");
  if (!form.dataset?.out) return;
  delete form.dataset.out;
  clearTimeout(again);
  if (unsaved) form.requestSubmit(unsaved);
  unsaved = undefined;
}

// To send a form while nobody is signed in would lose it: first it has to be kept again.
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.out) return;
  event.preventDefault();
  event.stopPropagation();
  unsaved = event.submitter;
  shout(event.target.dataset.signedOut);
  tryAgain(event.target);
}, true);

for (const kind of ["online", "focus"]) {
  window.addEventListener(kind, () => document.querySelectorAll("form[data-out]").forEach(tryAgain));
}

// Who has signed in anew, in another tab, has another token, which the cookie tells.
function token() { return /(?:^|; )(?:__Host-)?csrftoken=(\w+)/.exec(document.cookie)?.[1]; }
document.addEventListener("htmx:config:request", (event) => {
  const { body } = event.detail.ctx.request;
  if (body?.has?.("csrfmiddlewaretoken") && token()) body.set("csrfmiddlewaretoken", token());
});
document.addEventListener("submit", (event) => {
  const field = event.target.elements.csrfmiddlewaretoken;
  if (field && token()) field.value = token();
}, true);

// What a fragment wants to be said stands in its data-say; the same is said once. In its data-title
// is what the page is called now.
let said = "";
document.addEventListener("htmx:after:swap", () => {
  const text = document.querySelector("[data-say]")?.dataset.say ?? "";
  if (text && text !== said) document.getElementById("say").textContent = said = text;
  const title = document.querySelector("[data-title]")?.dataset.title;
  if (title) document.title = title;
});

function shout(text) {
  const place = document.getElementById("shout");
  if (place.textContent !== text) place.textContent = text;
}

// Such as a preview beside what is still being written.
function opensAnother(event) { return event.submitter?.formTarget === "_blank"; }

// A form is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post") || opensAnother(event)) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button:not([type=button])")) button.setAttribute("aria-disabled", "true");
});

window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  }
});

// What was typed and not saved is not left by mistake.
const typed = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.dataset.guard !== undefined) typed.add(form);
});
document.addEventListener("submit", (event) => { if (!opensAnother(event)) typed.delete(event.target); });
window.addEventListener("beforeunload", (event) => { if (typed.size) event.preventDefault(); });

// After a form was refused, the summary of its errors is read first.
function toErrors() { document.querySelector(".errors")?.focus(); }
toErrors();
document.addEventListener("htmx:after:swap", toErrors);

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  document.getElementById("say").textContent = button.dataset.copied;
});

// Keys, as the profile lists them. Nothing is sent, paused or stopped by one: what can be saved is a
// form that is guarded. A single key is none where something is typed, or the profile says so.
let isGoing = false;
const isTyping = (it) => it.matches("input, select, textarea, [contenteditable=true]");

function save(event) {
  const form = event.target.closest("form[data-guard]") ?? document.querySelector("form[data-guard]");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("button:not(.quiet, .sr-only, [type=button])"));
}

const KEYS = {
  "?": () => { location.href = document.body.dataset.shortcuts; },
  "/": () => document.querySelector("main :is([type=search], .filters input)")?.focus(),
  "g": () => { isGoing = true; },
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || ["Control", "Meta", "Shift"].includes(event.key)) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "s" || event.key === "Enter") save(event);
    return;
  }
  if (!document.body.dataset.shortcuts || isTyping(event.target)) return;
  const place = isGoing && document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  isGoing = false;
  if (place) place.click();
  else if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});
