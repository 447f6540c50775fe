"""What the name of a host says about it, without asking anybody."""

import ipaddress
import unicodedata

import idna

from recipients.translatable import Translatable

# RFC 2606 and RFC 6761: nobody's, so that nothing real is sent from there.
_RESERVED = frozenset({"test", "example", "invalid", "localhost", "local"})
_RESERVED_DOMAINS = frozenset({"example.com", "example.net", "example.org"})

# fmt: off
# Whose own rules (DMARC p=reject or quarantine) have receivers refuse what others send for them.
_FREEMAIL = frozenset({
    "163.com", "aol.com", "fastmail.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net",
    "googlemail.com", "hotmail.com", "icloud.com", "live.com", "mac.com", "mail.ru", "me.com",
    "msn.com", "outlook.com", "proton.me", "protonmail.com", "qq.com", "rocketmail.com",
    "t-online.de", "web.de", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yandex.com", "yandex.ru",
    "ymail.com", "zoho.com",
})
_SHORTENERS = frozenset({
    "bit.ly", "bitly.com", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly", "rb.gy",
    "rebrand.ly", "s.id", "shorturl.at", "soo.gd", "t.co", "t.ly", "tiny.cc", "tinyurl.com",
    "trib.al", "v.gd", "x.co",
})
# fmt: on

# UTS #39 5.2, "highly restrictive": scripts that people write together.
_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    {"LATIN", "CJK", "BOPOMOFO"},
    {"LATIN", "CJK", "HANGUL"},
)
# Letters of which each looks like one of a to z (UTS #39, confusables.txt).
_LOOK_LATIN = frozenset("асԁеһіјӏклмոорԛѕтԝухуᴦ" + "αεικνορτυχ")


def is_reserved(domain: str) -> bool:
    """Whether the domain is one for examples and tests, which nobody can own."""
    labels = domain.lower().rstrip(".").split(".")
    return labels[-1] in _RESERVED or ".".join(labels[-2:]) in _RESERVED_DOMAINS


def is_freemail(domain: str) -> bool:
    return domain.lower() in _FREEMAIL


def is_shortener(host: str) -> bool:
    return host.lower().removeprefix("www.") in _SHORTENERS


def is_address(host: str) -> bool:
    """Whether it is an IP address, in any of the forms that browsers take (0x7f.1, 2130706433)."""
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
        return last.isdecimal() or (last.startswith("0x") and len(last) > 2)
    return True


def why_confusable(host: str) -> Translatable | None:
    """Say why people may take the name for another one; None where they would not (UTS #39)."""
    for label in host.lower().rstrip(".").split("."):
        written = _unicode(label)
        if written.isascii():
            continue
        scripts = {script for script in map(_script, written) if script}
        if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
            names = " and ".join(sorted(script.capitalize() for script in scripts))
            return Translatable(
                "%(written)s mixes letters of %(names)s", {"written": written, "names": names}
            )
        letters = [letter for letter in written if letter.isalpha()]
        if letters and all(letter in _LOOK_LATIN for letter in letters):
            return Translatable(
                "%(written)s looks like Latin letters, and is none", {"written": written}
            )
    return None


def _unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label


def _script(letter: str) -> str:
    """Return the first word of a letter's name, which is its script; digits have none."""
    return unicodedata.name(letter, "").partition(" ")[0] if letter.isalpha() else ""
