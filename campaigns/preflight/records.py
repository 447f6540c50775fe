"""The DNS records that a sender asks for: what is to be published, and how it was found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns.models import Sender
from campaigns.preflight.findings import Finding, Severity
from campaigns.sending.signing import NoKey, keys_of


@dataclass(frozen=True, slots=True)
class Record:
    """A record with what was last found of it: `found`, `wrong`, `missing`, or empty: not asked."""

    what: str
    kind: str
    name: str
    value: str
    state: str = ""
    said: str = ""


def of(sender: Sender, findings: Sequence[Finding] | None) -> list[Record]:
    """List the records of a sender.

    :param findings: of its last check; None where nobody has asked yet.
    """
    return [_judged(record, names, findings) for record, names in _wanted(sender)]


def _wanted(sender: Sender) -> Iterator[tuple[Record, tuple[str, ...]]]:
    """Yield each record with the names of the findings that are about it."""
    own = sender.address.rpartition("@")[2]
    addresses = "".join(f" ip{_version(each)}:{each}" for each in settings.EGRESS_ADDRESSES)
    relay = _("your relay")
    spf = f"v=spf1{addresses or f' include:({relay})'} -all"
    yield Record("SPF", "TXT", sender.domain, spf), ("spf-record", "spf-lookups", "spf-egress")
    for key_name, value in _keys(sender):
        yield Record("DKIM", "TXT", key_name, value), ("dkim-record", "dkim-weak")
    dmarc = f"v=DMARC1; p=none; rua=mailto:dmarc@{own}"
    yield Record("DMARC", "TXT", f"_dmarc.{own}", dmarc), ("dmarc-record",)
    mail_exchanger = _("10 (the mail server of %(domain)s)") % {"domain": sender.domain}
    yield Record(_("Bounces"), "MX", sender.domain, mail_exchanger), ("bounce-mx", "from-null-mx")


def _version(address: object) -> int:
    return 6 if ":" in str(address) else 4


def _keys(sender: Sender) -> list[tuple[str, str]]:
    """Return the records of its keys; where there are none, `findings` say so."""
    if not sender.dkim_domain:
        return []
    try:
        return [(key.name, key.record) for key in keys_of(sender.dkim_domain)]
    except NoKey:
        return []


def _judged(record: Record, names: Sequence[str], findings: Sequence[Finding] | None) -> Record:
    if findings is None:
        return record
    about = [
        each
        for each in findings
        if each.name in names and (record.what != "DKIM" or record.name in each.message)
    ]
    if not about and any(each.name in _UNASKED for each in findings):
        return record
    if not about:
        return Record(record.what, record.kind, record.name, record.value, "found")
    said = about[0].sentence
    with override("en"):
        is_missing = any(text in about[0].message for text in _MISSING)
    is_wrong = about[0].severity is not Severity.ADVICE
    state = "missing" if is_missing else "wrong" if is_wrong else "found"
    return Record(record.what, record.kind, record.name, record.value, state, said)


_UNASKED = ("dns-offline", "dns-unanswered", "sender-reserved")
_MISSING = ("has 0 SPF", "there is no DKIM", "has no DMARC", "has no MX")
