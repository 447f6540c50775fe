"""Which domains share their mail exchangers. Nothing is looked up: no message waits for DNS."""

import re
from collections.abc import Mapping

# The large mailbox providers by their names; a domain that is not named is a group of its own.
_NAMED: Mapping[str, tuple[str, ...]] = {
    "google": ("gmail.com", "googlemail.com", "google.com"),
    "microsoft": ("msn.com", "passport.com", "windowslive.com"),
    "yahoo": ("aol.com", "aim.com", "netscape.net", "rocketmail.com", "ymail.com", "myyahoo.com"),
    "apple": ("icloud.com", "mac.com", "me.com"),
    "unitedinternet": ("1und1.de", "gmx.com", "gmx.de", "gmx.net", "mail.com", "web.de"),
    "telekom": ("magenta.de", "t-online.de"),
    "proton": ("pm.me", "proton.me", "protonmail.ch", "protonmail.com"),
    "yandex": ("ya.ru", "yandex.com", "yandex.ru"),
    "mailru": ("bk.ru", "inbox.ru", "internet.ru", "list.ru", "mail.ru"),
    "laposte": ("laposte.net",),
    "orange": ("orange.fr", "wanadoo.fr"),
    "zoho": ("zoho.com", "zohomail.com"),
    "fastmail": ("fastmail.com", "fastmail.fm"),
    "comcast": ("comcast.net",),
    "tencent": ("foxmail.com", "qq.com"),
    "netease": ("126.com", "163.com", "yeah.net"),
}
_GROUPS = {domain: group for group, domains in _NAMED.items() for domain in domains}

# These have a domain in each country: hotmail.co.uk, yahoo.com.br, gmx.at.
_IN_EACH_COUNTRY = re.compile(
    r"(?:(?P<microsoft>hotmail|live|outlook)|(?P<yahoo>yahoo)|(?P<unitedinternet>gmx))"
    r"\.(?:(?:com|co)\.)?(?:com|[a-z]{2})"
)


def group_of(domain: str, *, named: Mapping[str, str] | None = None) -> str:
    """Return the group of a domain, by `named` (domain → group) before what is well known."""
    if named and domain in named:
        return named[domain]
    if known := _GROUPS.get(domain):
        return known
    found = _IN_EACH_COUNTRY.fullmatch(domain)
    return (found.lastgroup or domain) if found else domain
