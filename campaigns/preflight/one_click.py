"""Whether the button by which inboxes unsubscribe comes through to this installation (RFC 8058)."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from campaigns.fetching import Answer, Fetcher
from campaigns.preflight import hosts
from campaigns.preflight.findings import Finding, Place, Severity
from recipients.translatable import Translatable
from tracking.links import UNKNOWN

_FORM = b"List-Unsubscribe=One-Click"


def check(url: str, *, fetcher: Fetcher) -> Iterator[Finding]:
    """Press the button of a link that leads to nobody, as a mailbox provider does.

    :param url: the link; one that is not HTTPS is not asked, and has a finding of its own.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and not hosts.is_reserved(parts.hostname or ""):
        site = f"{parts.scheme}://{parts.netloc}"
        yield from _judged(site, fetcher.post(url, _FORM))


def _judged(site: str, answer: Answer) -> Iterator[Finding]:
    if answer.status == 404 and answer.words == UNKNOWN:
        return
    if answer.is_refused:
        said = Translatable(
            "whether the unsubscribe button of inboxes works at %(site)s was not tried",
            {"site": site},
        )
        remedy = Translatable("Try it by a test message.")
        yield _finding(
            Severity.ADVICE,
            "site-untried",
            Translatable("%(said)s: %(problem)s", {"said": said, "problem": answer.problem}),
            remedy,
        )
    elif answer.is_untrusted:
        remedy = Translatable("Give the site a certificate that everybody trusts.")
        yield _finding(
            Severity.ERROR,
            "site-certificate",
            Translatable("%(site)s: %(problem)s", {"site": site, "problem": answer.problem}),
            remedy,
        )
    elif not answer.status:
        # Some networks do not lead back to their own public address: a person may know better.
        said = Translatable(
            "%(site)s could not be reached from here: %(problem)s",
            {"site": site, "problem": answer.problem},
        )
        remedy = Translatable(
            "See that it answers from the internet; the unsubscribe button leads there."
        )
        yield _finding(Severity.WARNING, "site-unreached", said, remedy)
    elif 300 <= answer.status < 400:
        said = Translatable(
            "%(site)s answers the unsubscribe button by a redirect, which inboxes do not follow",
            {"site": site},
        )
        remedy = Translatable("Set SITE_URL to where it redirects to (RFC 8058 3.1).")
        yield _finding(Severity.ERROR, "site-redirects", said, remedy)
    else:
        said = Translatable(
            "%(site)s answers the unsubscribe button by %(status)s, and not as Godwit does",
            {"site": site, "status": str(answer.status)},
        )
        remedy = Translatable(
            "Have what stands before Godwit pass on each POST to /u/…, without a login."
        )
        yield _finding(Severity.ERROR, "site-astray", said, remedy)


def _finding(severity: Severity, name: str, said: Translatable, remedy: Translatable) -> Finding:
    return Finding(severity, name, said, remedy, Place.INSTALLATION)
