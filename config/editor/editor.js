// The source editor of templates: CodeMirror over the textarea, which stays the field of the form.

import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { xml, xmlLanguage } from "@codemirror/lang-xml";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const MJML = `mjml mj-head mj-body mj-section mj-column mj-group mj-wrapper mj-text mj-button mj-image
mj-divider mj-spacer mj-table mj-raw mj-hero mj-navbar mj-navbar-link mj-social mj-social-element
mj-accordion mj-accordion-element mj-accordion-title mj-accordion-text mj-carousel
mj-carousel-image mj-attributes mj-all mj-class mj-font mj-preview mj-style mj-title`.split(/\s+/);

// Colours of the page's own tokens, so that they hold in light and in dark.
const theme = EditorView.theme({
  "&": { backgroundColor: "var(--sheet)", border: "1px solid var(--control-line)", borderRadius: ".25rem", color: "var(--ink)", fontSize: ".875rem" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "ui-monospace, 'Cascadia Mono', Menlo, monospace", lineHeight: "1.5", minHeight: "24rem" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", border: "0", color: "var(--ink-soft)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-tooltip": { backgroundColor: "var(--sheet)", border: "1px solid var(--control-line)", color: "var(--ink)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
});
const colours = HighlightStyle.define([
  { tag: [tags.tagName, tags.angleBracket], color: "var(--accent)" },
  { tag: tags.attributeName, color: "var(--attention)" },
  { tag: [tags.attributeValue, tags.string], color: "var(--good)" },
  { tag: [tags.comment, tags.processingInstruction], color: "var(--ink-soft)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--problem)" },
]);

// What can be used stands on the page, ready to be copied.
function usable(context) {
  const before = context.matchBefore(/\{\{?[%\s\w]*|media:[^"'\s]*/);
  if (!before) return null;
  const options = [...document.querySelectorAll(".usable input")].map((each) => ({
    label: each.value, detail: each.closest("div").querySelector("dd")?.textContent,
  }));
  return { from: before.from, options, validFor: /^[^<>"']*$/ };
}

// What the editor says, in the language of the page.
const phrases = Object.fromEntries(
  [...document.querySelectorAll("meta[name=phrase]")].map((each) => [each.dataset.english, each.content]),
);

function enhance(area) {
  const label = document.querySelector(`label[for="${area.id}"]`);
  const isReadOnly = area.closest("fieldset")?.disabled ?? false;
  const view = new EditorView({
    state: EditorState.create({
      doc: area.value,
      extensions: [
        EditorState.phrases.of(phrases), lineNumbers(), history(), drawSelection(), bracketMatching(), highlightActiveLine(),
        highlightSelectionMatches(), EditorView.lineWrapping, theme, syntaxHighlighting(colours),
        xml({ elements: MJML.map((name) => ({ name })), autoCloseTags: false }),
        xmlLanguage.data.of({ autocomplete: usable }),
        autocompletion({ activateOnTyping: true }),
        // Tab is left alone: it leaves the editor.
        keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap]),
        EditorState.readOnly.of(isReadOnly),
        EditorView.cspNonce.of(document.querySelector("meta[name=style-nonce]").content),
        EditorView.contentAttributes.of({
          "aria-label": label?.firstChild?.textContent?.trim() ?? "",
          ...(area.getAttribute("aria-describedby") && { "aria-describedby": area.getAttribute("aria-describedby") }),
          spellcheck: "false",
        }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = update.state.doc.toString();
          area.dispatchEvent(new Event("input", { bubbles: true }));
        }),
      ],
    }),
  });
  area.hidden = true;
  area.after(view.dom);
  label?.addEventListener("click", () => view.focus());
  return view;
}

function toLine(view, number) {
  const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  view.focus();
}

const views = new Map();
for (const area of document.querySelectorAll("textarea.source")) {
  const within = area.closest("details:not([open])");
  const start = () => views.has(area.id) || views.set(area.id, enhance(area));
  if (within) within.addEventListener("toggle", start, { once: true }); else start();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-line]");
  const view = link && views.get(link.hash.slice(1));
  if (!view) return;
  event.preventDefault();
  toLine(view, Number(link.dataset.line));
});
for (const link of document.querySelectorAll(".errors a")) {
  link.addEventListener("click", (event) => {
    const view = views.get(link.hash.slice(1));
    if (!view) return;
    event.preventDefault();
    const line = /\d+/.exec(link.textContent.split(":").slice(1, 2).join(""));
    if (line) toLine(view, Number(line[0])); else view.focus();
  });
}
