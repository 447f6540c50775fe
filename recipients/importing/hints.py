"""What a person may want to look at before importing it: never a reason to refuse."""

from functools import lru_cache

from disposable_email_domains import blocklist

# Mailboxes of a function (RFC 2142), which several people read or none.
ROLES = frozenset(
    {
        "admin", "administrator", "billing", "careers", "contact", "enquiries", "feedback", "ftp",
        "help", "hello", "hostmaster", "hr", "info", "jobs", "mail", "marketing", "news", "office",
        "orders", "press", "root", "sales", "security", "service", "staff", "subscribe", "support",
        "team", "usenet", "uucp", "webmaster", "www",
    }
)  # fmt: skip

# Where most mailboxes of the world are.
_PROVIDERS = (
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de",
    "yahoo.co.jp",
    "ymail.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "outlook.com", "live.com", "msn.com",
    "icloud.com", "me.com", "mac.com", "aol.com", "gmx.de", "gmx.net", "gmx.com", "web.de",
    "t-online.de", "freenet.de", "orange.fr", "free.fr", "laposte.net", "wanadoo.fr", "libero.it",
    "mail.ru", "yandex.ru", "qq.com", "163.com", "126.com", "naver.com", "protonmail.com",
    "proton.me", "comcast.net", "verizon.net", "btinternet.com", "mail.com", "email.com",
    "bk.ru", "list.ru", "zoho.com", "fastmail.com", "hey.com", "seznam.cz", "wp.pl", "o2.pl",
)  # fmt: skip
# Real ones that look like a slip of those.
_NEIGHBOURS = frozenset(
    {
        "ymail.com", "email.com", "mail.com", "gmx.at", "gmx.ch", "gmx.us", "gmx.fr", "live.de",
        "live.fr", "live.nl", "live.co.uk", "yahoo.es", "yahoo.it", "yahoo.in", "yahoo.ca",
        "hotmail.de", "hotmail.es", "hotmail.it", "outlook.de", "outlook.fr", "outlook.es",
        "outlook.it", "aim.com", "mail.de", "email.de", "free.de", "qq.cn", "139.com", "189.com",
        "136.com", "mail.ua", "op.pl", "hotmail.ch", "yahoo.at", "yahoo.se", "web.com", "wp.eu",
        "tmail.com", "amail.com", "inbox.ru", "ya.ru", "yandex.com", "yandex.ua", "yandex.by",
    }
)  # fmt: skip
_SLIPS_OF_TLDS = {
    "con": "com", "cmo": "com", "coom": "com", "ocm": "com", "comm": "com", "cpm": "com",
    "vom": "com", "xom": "com", "nte": "net", "ner": "net", "ogr": "org", "rog": "org",
}  # fmt: skip
_SHORT = 8  # characters of a domain without its last label; below it one slip is enough


def is_disposable(domain: str) -> bool:
    """Whether a domain, or one above it, offers throw-away mailboxes."""
    labels = domain.split(".")
    return any(".".join(labels[at:]) in blocklist for at in range(len(labels) - 1))


@lru_cache(maxsize=100_000)
def suggestion(domain: str) -> str:
    """Return the domain that was probably meant, or nothing."""
    if domain in _PROVIDERS or domain in _NEIGHBOURS:
        return ""
    name, _, last = domain.rpartition(".")
    better = f"{name}.{_SLIPS_OF_TLDS[last]}" if last in _SLIPS_OF_TLDS else ""
    if better in _PROVIDERS:
        return better
    return min(
        (each for each in _PROVIDERS if _is_slip(domain, each)),
        key=lambda each: distance(domain, each),
        default=better,
    )


def _is_slip(domain: str, provider: str) -> bool:
    most = 1 if len(provider.rpartition(".")[0]) < _SHORT else 2
    if abs(len(domain) - len(provider)) > most or domain[0] != provider[0]:
        return False
    return distance(domain, provider) <= most


def distance(left: str, right: str) -> int:
    """Return how many slips (a letter too many, missing, wrong, or two changed) lie between two.

    The optimal string alignment distance.
    """
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, start=1):
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
