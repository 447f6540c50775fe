"""What can be said of the content and its sender by looking at them: nobody is asked."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from campaigns.preflight import hosts, markup
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.markup import Link, Markup, has_tags, printed, without_tags
from recipients.translatable import Translatable
from templates_app.plaintext import html_to_text

CLIPPED = 102 * 1024  # bytes of HTML that Gmail shows; the rest, with the way out, is behind a link
_LARGE = 90 * 1024
_LONG_SUBJECT = 100  # characters; telephones show some 40, and no inbox more than these
_FEW_WORDS = 20
_ALIKE = 1 / 3  # of the words of the HTML stand in the text part, if it says the same
_AT_MOST = 10  # findings of one name; the last one says how many more

_FAKE_REPLY = re.compile(
    r"\s*(re|fwd?|aw|wg|antw|sv|vs|tr|rif|odp)\s*(\[\d+\])?\s*:", re.IGNORECASE
)
_SHOUTING = re.compile(r"[!?$€£]{3,}")
_WAY_OUT = re.compile(r"\b(unsubscribe_url|preferences_url)\b")
_POSTAL = re.compile(r"\bsender_address\b")
_SCRIPT_SCHEMES = frozenset({"javascript", "vbscript", "data", "file"})
_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_LONGEST_DOMAIN = 253  # RFC 1035 2.3.4
_EMOJI = re.compile("[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")


@dataclass(frozen=True, slots=True)
class Content:
    """What readers of one language get, and what the author wrote for it."""

    language: str
    subject: str
    html: str
    text: str
    source: str = ""
    """In which lines are counted."""
    own_text: str = ""
    """The text part that the author wrote; empty where it is made from the HTML."""
    sent_html: str = ""
    """The HTML with pixel and links as messages have them; empty where they have none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks know of the campaign beside its content."""

    sender_name: str
    sender_address: str
    reply_to: str = ""
    postal_address: str = ""
    is_urgent: bool = False
    site_url: str = "https://localhost"

    @property
    def domain(self) -> str:
        return self.sender_address.rpartition("@")[2]


def check_content(content: Content, facts: Facts) -> list[Finding]:
    """Look at what readers of one language get; findings name part and line."""
    found = markup.read(content.html)
    checks: tuple[Iterator[Finding], ...] = (
        _subject(content),
        _size(content),
        _text_part(content, found),
        _way_out(content, found, facts),
        _postal_address(content, found, facts),
        _limited(_images(content, found)),
        _limited(_links(content, found)),
        _constructs(content, found),
    )
    return [finding for check in checks for finding in check]


def check_sender(facts: Facts) -> list[Finding]:
    """Look at the mailbox that the messages come from, and at where their links lead."""
    return [*_mailbox(facts), *_site(facts)]


def _error(name: str, said: Translatable, mending: Translatable, **where: object) -> Finding:
    return Finding(Severity.ERROR, name, said, mending, **where)  # type: ignore[arg-type]


def _warning(name: str, said: Translatable, mending: Translatable, **where: object) -> Finding:
    return Finding(Severity.WARNING, name, said, mending, **where)  # type: ignore[arg-type]


def _advice(name: str, said: Translatable, mending: Translatable, **where: object) -> Finding:
    return Finding(Severity.ADVICE, name, said, mending, **where)  # type: ignore[arg-type]


# --- subject, size, text ----------------------------------------------------------------------


def _subject(content: Content) -> Iterator[Finding]:
    subject = content.subject.strip()
    own = without_tags(subject)
    where = {"part": "subject", "line": 1, "language": content.language}
    if not subject:
        yield _error(
            "subject-empty",
            Translatable("there is no subject"),
            Translatable("Write one."),
            **where,
        )
    if len(own) > _LONG_SUBJECT:
        said = Translatable(
            "the subject has %(count)s characters; inboxes cut it", {"count": len(own)}
        )
        yield _warning(
            "subject-long", said, Translatable("Say what matters in the first 60."), **where
        )
    if _FAKE_REPLY.match(subject):
        said = Translatable("the subject pretends to be an answer or a forwarded message")
        yield _warning(
            "subject-fake-reply", said, Translatable("Begin with something else."), **where
        )
    letters = [letter for letter in own if letter.isalpha()]
    if len(letters) >= 8 and own.isupper():
        said = Translatable("the subject is written in capitals")
        yield _warning("subject-capitals", said, Translatable("Write it as a sentence."), **where)
    if _SHOUTING.search(own):
        said = Translatable("the subject has signs one after the other that spam has")
        yield _advice("subject-signs", said, Translatable("One of them is enough."), **where)


def _size(content: Content) -> Iterator[Finding]:
    html = content.sent_html or content.html
    yield from size_findings(len(html.encode()), language=content.language)


def size_findings(size: int, *, language: str = "", recipient: int = 0) -> Iterator[Finding]:
    """Judge so many bytes of HTML: Gmail clips a message, with the way out at its end."""
    who = {"recipients": (recipient,) if recipient else (), "part": "source", "language": language}
    said = Translatable(
        "the HTML has %(size)s KB; Gmail shows 102 KB and clips the rest",
        {"size": round(size / 1024)},
    )
    remedy = Translatable("Say less, or link to a page that says it; long styles count as well.")
    if size > CLIPPED:
        yield _error("size-clipped", said, remedy, **who)
    elif size > _LARGE:
        yield _warning("size-large", said, remedy, **who)


def _text_part(content: Content, found: Markup) -> Iterator[Finding]:
    where = {"part": "text", "language": content.language}
    if not content.html:
        return
    if not content.text.strip():
        said = Translatable("the text part is empty")
        yield _warning(
            "text-missing", said, Translatable("Write one, or words into the HTML."), **where
        )
    elif content.own_text and _words(content.own_text):
        shown = _words(html_to_text(content.html))
        if shown and len(shown & _words(content.own_text)) < len(shown) * _ALIKE:
            said = Translatable("the text part says something else than the HTML")
            yield _warning(
                "text-differs", said, Translatable("Empty it: it is made from the HTML."), **where
            )


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", without_tags(text, put=" ").lower()))


# --- the way out, the postal address ----------------------------------------------------------


def _way_out(content: Content, found: Markup, facts: Facts) -> Iterator[Finding]:
    say: Callable[..., Finding] = _warning if facts.is_urgent else _error
    remedy = '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    shown = [link for link in found.links if not link.is_hidden]
    if content.html and not any(_reads_way_out(link.href) for link in shown):
        said = Translatable("no link leads to {{ unsubscribe_url }}")
        where = {"part": "source", "language": content.language}
        yield say(
            "no-unsubscribe-link",
            said,
            Translatable("Write %(remedy)s at its end.", {"remedy": remedy}),
            **where,
        )
    if not _reads_way_out(content.text):
        where = {"part": "text", "language": content.language}
        said = Translatable("the text part does not name {{ unsubscribe_url }}")
        if content.html:
            say = _warning
        add = Translatable("Write “Unsubscribe: {{ unsubscribe_url }}” at its end.")
        yield say("no-unsubscribe-link-in-text" if content.html else "no-unsubscribe-link", said,
                  add, **where)  # fmt: skip


def _reads_way_out(text: str) -> bool:
    return any(_WAY_OUT.search(tag) for tag in printed(text))


def _postal_address(content: Content, found: Markup, facts: Facts) -> Iterator[Finding]:
    where = {"language": content.language, "part": "source"}
    remedy = Translatable(
        "Give the sender its postal address, and write {{ sender_address }} into the template."
    )
    whole = f"{content.html}\n{content.text}"
    if any(_POSTAL.search(tag) for tag in printed(whole)):
        if not facts.postal_address:
            said = Translatable(
                "{{ sender_address }} is written, and the sender has no postal address"
            )
            yield _warning("no-postal-address", said, remedy, place=Place.SENDER)
        return
    postal = _squeezed(facts.postal_address)
    said = Translatable("there is no postal address, which the law asks for in many countries")
    if not postal or postal not in _squeezed(f"{found.words} {content.text}"):
        yield _warning("no-postal-address", said, remedy, **where)


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().lower()


# --- images and links -------------------------------------------------------------------------


def _images(content: Content, found: Markup) -> Iterator[Finding]:
    for image in found.images:
        where = _place(content, image.src)
        shown = image.src[:80] or Translatable("without an address")
        if image.alt is None:
            said = Translatable("the image %(shown)s has no alternative text", {"shown": shown})
            remedy = Translatable('Write alt="what it shows", or alt="" where it only decorates.')
            yield _warning("image-alt", said, remedy, **where)
        if image.src.startswith(("{", "cid:")):
            continue
        if image.src.startswith("http://"):
            said = Translatable(
                "the image %(shown)s is not fetched by HTTPS; many readers do not show it",
                {"shown": shown},
            )
            yield _warning("image-insecure", said, Translatable("Write https://…"), **where)
        elif image.src.startswith("data:"):
            said = Translatable(
                "an image is written into the message; Gmail and Outlook do not show it"
            )
            yield _warning(
                "image-data", said, Translatable("Put it into the media library."), **where
            )
        elif not image.src.startswith("https://"):
            said = Translatable(
                "the image %(shown)s has no whole address, and is shown nowhere", {"shown": shown}
            )
            yield _warning(
                "image-relative", said, Translatable("Write https://…, or media:…"), **where
            )


def _links(content: Content, found: Markup) -> Iterator[Finding]:
    seen: set[str] = set()
    for link in found.links:
        if link.href not in seen:
            seen.add(link.href)
            yield from _link(link, _place(content, link.href))
        yield from _shown_address(link, _place(content, link.href))


def _link(link: Link, where: dict[str, object]) -> Iterator[Finding]:
    # What a browser leaves out of an address may not hide its scheme.
    href = re.sub(r"[\x00-\x20]", "", link.href)
    if href.startswith(("#", "{")):
        return
    url = _split(href)
    if url is None:
        said = Translatable("the link %(href)r is no address", {"href": href[:80]})
        yield _error("link-broken", said, Translatable("Write https://…"), **where)
    elif url.scheme in _SCRIPT_SCHEMES:
        said = Translatable("the link %(href)r is code and no address", {"href": href[:80]})
        yield _error("link-script", said, Translatable("Link to a web page."), **where)
    elif url.scheme in {"http", "https"}:
        yield from _host(url, where)
    elif not url.scheme:
        said = Translatable(
            "the link %(href)r has no whole address, and leads nowhere", {"href": href[:80]}
        )
        yield _error("link-broken", said, Translatable("Write https://…"), **where)


def _host(url: SplitResult, where: dict[str, object]) -> Iterator[Finding]:
    shown = url.geturl()[:80]
    if url.scheme == "http":
        said = Translatable("the link %(shown)s is not HTTPS", {"shown": shown})
        yield _warning("link-insecure", said, Translatable("Write https://…"), **where)
    if has_tags(url.netloc):
        return
    host = url.hostname or ""
    if not host:
        said = Translatable("the link %(shown)s names no host", {"shown": shown})
        yield _error("link-broken", said, Translatable("Write https://…"), **where)
    if url.username is not None:
        said = Translatable(
            "the link %(shown)s has a name before the host, as links have that deceive",
            {"shown": shown},
        )
        yield _warning(
            "link-user", said, Translatable("Leave out what stands before the @."), **where
        )
    if hosts.is_address(host) or url.port:
        said = Translatable(
            "the link %(shown)s leads to a bare address or port, which Yahoo takes for spam",
            {"shown": shown},
        )
        yield _warning("link-bare", said, Translatable("Link to a host by its name."), **where)
    if hosts.is_shortener(host):
        said = Translatable(
            "the link %(shown)s is shortened, which hides where it leads", {"shown": shown}
        )
        yield _warning(
            "link-shortened", said, Translatable("Write the address that it leads to."), **where
        )
    if why := hosts.why_confusable(host):
        said = Translatable(
            "the link %(shown)s may be taken for another one: %(why)s", {"shown": shown, "why": why}
        )
        yield _warning(
            "link-lookalike", said, Translatable("Link to a domain in one script."), **where
        )


def _shown_address(link: Link, where: dict[str, object]) -> Iterator[Finding]:
    """A link whose words name another domain than it leads to is what deceivers write."""
    words = link.words.strip()[:_LONGEST_DOMAIN]
    shown = _DOMAIN.search(words) if " " not in words else None
    url = _split(link.href)
    if not shown or "@" in link.words or url is None or not url.scheme.startswith("http"):
        return
    host = (url.hostname or "").lower()
    named = shown[0].lower().removeprefix("www.")
    if not has_tags(host) and not (host == named or host.endswith(f".{named}")):
        said = Translatable(
            "a link shows %(shown)s and leads to %(host)s", {"shown": shown[0], "host": host}
        )
        yield _warning(
            "link-mismatch", said, Translatable("Show words, or the domain it leads to."), **where
        )


def _split(href: str) -> SplitResult | None:
    try:
        url = urlsplit(href)
        _ = url.port
    except ValueError:
        return None
    return url


def _place(content: Content, needle: str) -> dict[str, object]:
    return {
        "part": "source",
        "line": _line_of(content.source, needle),
        "language": content.language,
    }


def _line_of(source: str, needle: str) -> int | None:
    """Return the line of the author's source in which an address stands, None where in none."""
    for form in (needle, needle.replace("&", "&amp;"), needle.partition("?")[0]):
        if form and (at := source.find(form)) >= 0:
            return source.count("\n", 0, at) + 1
    return None


def _limited(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Name some of each kind: of a hundred images without words, ten show what is meant."""
    counts: dict[str, int] = {}
    for each in findings:
        counts[each.name] = counts.get(each.name, 0) + 1
        if counts[each.name] <= _AT_MOST:
            yield each
        elif counts[each.name] == _AT_MOST + 1:
            said = Translatable("there are more of these")
            yield Finding(each.severity, each.name, said, each.mending, language=each.language)


# --- constructs -------------------------------------------------------------------------------


def _constructs(content: Content, found: Markup) -> Iterator[Finding]:
    where = {"part": "source", "language": content.language}
    for active in dict.fromkeys(found.active):
        said = Translatable(
            "%(active)s is taken out by mail readers, or taken for an attack", {"active": active}
        )
        line = _line_of(content.source, active.rstrip(">"))
        yield _warning(
            "html-active", said, Translatable("Link to a page instead."), **where | {"line": line}
        )
    words = len(without_tags(found.words, put=" word ").split())
    if found.images and words < _FEW_WORDS:
        said = Translatable(
            "it is images, with %(words)s words beside them, as spam is", {"words": words}
        )
        yield _warning("image-only", said, Translatable("Write what they say as text."), **where)
    if _SHOUTING.search(found.words):
        said = Translatable("the text has signs one after the other that spam has")
        yield _advice("shouting", said, Translatable("One of them is enough."), **where)


# --- sender and site --------------------------------------------------------------------------


def _mailbox(facts: Facts) -> Iterator[Finding]:
    at = {"place": Place.SENDER}
    if hosts.is_freemail(facts.domain):
        said = Translatable(
            "%(domain)s has receivers refuse what others send for its users",
            {"domain": facts.domain},
        )
        yield _error("sender-freemail", said, Translatable("Send from a domain of your own."), **at)
    for domain in dict.fromkeys([facts.domain, facts.reply_to.rpartition("@")[2]]):
        if why := hosts.why_confusable(domain):
            said = Translatable(
                "the sender's domain may be taken for another one: %(why)s", {"why": why}
            )
            yield _warning(
                "sender-lookalike", said, Translatable("Use a domain in one script."), **at
            )
    name = facts.sender_name
    if _EMOJI.search(name) or _FAKE_REPLY.match(name):
        said = Translatable(
            "the sender's name %(name)r has signs that Gmail does not want in it", {"name": name}
        )
        yield _warning(
            "sender-name", said, Translatable("Write who you are, and nothing else."), **at
        )
    elif "@" in name and facts.sender_address.lower() not in name.lower():
        said = Translatable("the sender's name %(name)r names another address", {"name": name})
        yield _warning(
            "sender-name", said, Translatable("Write who you are, without an address."), **at
        )


def _site(facts: Facts) -> Iterator[Finding]:
    at = {"place": Place.INSTALLATION}
    url = urlsplit(facts.site_url)
    if url.scheme != "https":
        said = Translatable(
            "SITE_URL is %(site_url)s: without HTTPS no inbox shows its unsubscribe button",
            {"site_url": facts.site_url},
        )
        yield _warning(
            "site-insecure", said, Translatable("Serve the site by HTTPS (RFC 8058 3.1)."), **at
        )
    host = url.hostname or ""
    theirs = facts.domain.lower().split(".")[-2:]
    if host.split(".")[-2:] != theirs:
        said = Translatable(
            "links to %(host)s stand in messages of %(domain)s; one domain is trusted more",
            {"host": host, "domain": facts.domain},
        )
        yield _advice(
            "site-elsewhere", said, Translatable("Give the site a host of that domain."), **at
        )
