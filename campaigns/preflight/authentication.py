"""Whether receivers can tell that the messages are the sender's own: SPF, DKIM, DMARC, PTR.

What mailbox providers demand of bulk senders since 2024; each finding names the record.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from campaigns.preflight import dmarc, hosts, spf
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.names import Names
from campaigns.sending.dkim import Key
from recipients.translatable import Translatable

_WEAK, _ADVISED = 1024, 2048  # bits of RSA (RFC 8301 3.2)
_GENERIC = re.compile(r"\d+[-.]\d+[-.]|\bdyn|\bdhcp|\bpool|\bdialup", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """The domains of a sender, and the keys that sign for it."""

    domain: str
    """Of the address in From."""
    envelope_domain: str
    dkim_domain: str = ""
    """Empty: the relay signs, if anybody does."""
    keys: Sequence[Key] = ()
    egress: Sequence[str] = ()
    """The IP addresses from which messages leave; none where they are not known."""
    helo: Sequence[str] = ()
    """What the relays call themselves; they say the same to receivers, as a rule."""


def check(identity: Identity, names: Names) -> list[Finding]:
    """Ask the DNS about a sender.

    Questions without an answer are a warning, and advice where there was no answer at all: an
    installation without the DNS sends nothing to the world.
    """
    if hosts.is_reserved(identity.domain):
        said = Translatable(
            "%(domain)s is reserved for examples: nothing was asked about it",
            {"domain": identity.domain},
        )
        remedy = Translatable("Send from a domain of your own.")
        return [Finding(Severity.ADVICE, "sender-reserved", said, remedy, Place.SENDER)]
    if not names.knows_the_world and not names.unanswered:
        return [_offline(Translatable("the DNS here knows no names but its own"))]
    found = [
        *_domain(identity, names),
        *_spf(identity, names),
        *_dkim(identity, names),
        *_dmarc(identity, names),
        *_bounces(identity, names),
        *_egress(identity, names),
        *_helo(identity, names),
    ]
    if not names.unanswered:
        return found
    asked = ", ".join(names.unanswered[:5])
    if not names.answered:
        return [_offline(Translatable("the DNS could not be asked (%(asked)s)", {"asked": asked}))]
    said = Translatable("the DNS did not answer: %(asked)s", {"asked": asked})
    remedy = Translatable("Run the preflight again.")
    silent = Finding(Severity.WARNING, "dns-unanswered", said, remedy, Place.INSTALLATION)
    return [*found, silent]


def _offline(said: Translatable) -> Finding:
    remedy = Translatable("Run the preflight where the DNS of the internet answers.")
    return Finding(Severity.ADVICE, "dns-offline", said, remedy, Place.INSTALLATION)


def _finding(severity: Severity, name: str, said: Translatable, remedy: Translatable) -> Finding:
    return Finding(severity, name, said, remedy, Place.INSTALLATION)


def _error(name: str, said: Translatable, remedy: Translatable) -> Finding:
    return _finding(Severity.ERROR, name, said, remedy)


def _warning(name: str, said: Translatable, remedy: Translatable) -> Finding:
    return _finding(Severity.WARNING, name, said, remedy)


def _domain(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.domain
    exchangers = names.exchangers(domain)
    if exchangers == ["."]:
        said = Translatable(
            "%(domain)s says that it takes no mail (null MX, RFC 7505)", {"domain": domain}
        )
        yield _error(
            "from-null-mx", said, Translatable("Give it an MX record: answers come there.")
        )
    elif not exchangers and not names.addresses(domain) and not names.unanswered:
        said = Translatable(
            "%(domain)s has neither MX nor A records: nobody can answer", {"domain": domain}
        )
        yield _error("from-unknown", said, Translatable("Give it an MX record."))
    if not names.has_zone(domain) and not _is_silent(names, "SOA "):
        yield _warning(
            "from-no-zone",
            Translatable("%(domain)s has no SOA record", {"domain": domain}),
            Translatable("Set up its zone."),
        )


def _spf(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.envelope_domain
    records = spf.records_of(names, domain)
    if not names.could_ask(domain, "TXT"):
        return
    if len(records) != 1:
        said = Translatable(
            "%(domain)s has %(records)s SPF records instead of one",
            {"domain": domain, "records": len(records)},
        )
        yield _error(
            "spf-record",
            said,
            Translatable("Publish one TXT record at %(domain)s: v=spf1 … -all", {"domain": domain}),
        )
        return
    policy = spf.examine(names, domain)
    if policy.lookups > spf.MOST_LOOKUPS:
        said = Translatable(
            "the SPF record of %(domain)s needs %(lookups)s lookups of %(most)s",
            {"domain": domain, "lookups": policy.lookups, "most": spf.MOST_LOOKUPS},
        )
        yield _error(
            "spf-lookups", said, Translatable("Include fewer; write addresses as ip4: and ip6:.")
        )
    if policy.voids > spf.MOST_VOIDS:
        said = Translatable(
            "the SPF record of %(domain)s names %(voids)s hosts without an address",
            {"domain": domain, "voids": policy.voids},
        )
        yield _error("spf-lookups", said, Translatable("Take them out."))
    for fault in policy.faults:
        yield _error(
            "spf-record",
            Translatable("SPF of %(domain)s: %(fault)s", {"domain": domain, "fault": fault}),
            Translatable("Mend the record."),
        )
    if policy.has_ptr:
        said = Translatable(
            "the SPF record of %(domain)s uses ptr (RFC 7208 5.5)", {"domain": domain}
        )
        yield _warning("spf-ptr", said, Translatable("Write addresses instead."))
    for address in identity.egress:
        result = spf.result(names, domain, address)
        if result != "pass" and not names.unanswered:  # so far: what is silent may allow it
            yield _error(
                "spf-egress",
                Translatable(
                    "SPF of %(domain)s says %(result)s of %(address)s, from which messages leave",
                    {"domain": domain, "result": result, "address": address},
                ),
                Translatable(
                    "Add ip%(version)s:%(address)s to the record.",
                    {"version": "4" if "." in address else "6", "address": address},
                ),
            )


def _dkim(identity: Identity, names: Names) -> Iterator[Finding]:
    for key in identity.keys:
        found = [dmarc.tags_of(text) for text in names.texts(key.name)]
        found = [tags for tags in found if tags.get("v", "DKIM1") == "DKIM1" and "p" in tags]
        if not names.could_ask(key.name, "TXT"):
            continue
        publish = Translatable(
            "Publish at %(name)s: %(record)s", {"name": key.name, "record": key.record}
        )
        if not found:
            yield _error(
                "dkim-record",
                Translatable("there is no DKIM record at %(key)s", {"key": key.name}),
                publish,
            )
        elif len(found) > 1:
            said = Translatable(
                "there are %(found)s DKIM records at %(key)s; receivers take any of them",
                {"found": len(found), "key": key.name},
            )
            yield _error("dkim-record", said, publish)
        else:
            yield from _key(key, found[0], publish)


def _key(key: Key, tags: dict[str, str], publish: Translatable) -> Iterator[Finding]:
    ours = dmarc.tags_of(key.record)
    published = re.sub(r"\s", "", tags["p"])
    if not published:
        yield _error(
            "dkim-record",
            Translatable("the key at %(key)s is revoked (p=)", {"key": key.name}),
            publish,
        )
    elif published != ours["p"] or tags.get("k", "rsa") != ours["k"]:
        yield _error(
            "dkim-record",
            Translatable("the key at %(key)s is not ours", {"key": key.name}),
            publish,
        )
    elif 0 < (bits := _bits(published)) < _WEAK:
        yield _error(
            "dkim-weak",
            Translatable("the key at %(key)s has %(bits)s bits", {"key": key.name, "bits": bits}),
            Translatable("Make a new key."),
        )
    elif 0 < bits < _ADVISED:
        yield _warning(
            "dkim-weak",
            Translatable("the key at %(key)s has %(bits)s bits", {"key": key.name, "bits": bits}),
            Translatable("Make a new key."),
        )
    if "y" in tags.get("t", "").split(":"):
        said = Translatable(
            "the record at %(key)s says that it is a test (t=y), and counts for nothing",
            {"key": key.name},
        )
        yield _error("dkim-record", said, Translatable("Take t=y out of it."))
    if not {"*", "email"} & {each.strip() for each in tags.get("s", "*").split(":")}:
        said = Translatable(
            "the record at %(key)s is not for email (s=%(value)s)",
            {"key": key.name, "value": tags["s"]},
        )
        yield _error("dkim-record", said, Translatable("Take s= out of it."))
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        said = Translatable(
            "the record at %(key)s does not allow SHA-256 (h=%(value)s)",
            {"key": key.name, "value": tags["h"]},
        )
        yield _error("dkim-record", said, Translatable("Take h= out of it."))


def _bits(published: str) -> int:
    """Return the length of an RSA key, 0 of others."""
    try:
        key = load_der_public_key(base64.b64decode(published))
    except ValueError:
        return 0
    return key.key_size if isinstance(key, RSAPublicKey) else 0


def _dmarc(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.domain
    tags = dmarc.policy(names, domain)
    if not tags and _is_silent(names, "TXT _dmarc."):
        return
    if not tags:
        said = Translatable("%(domain)s has no DMARC record", {"domain": domain})
        remedy = Translatable(
            "Publish at _dmarc.%(domain)s: v=DMARC1; p=none; rua=mailto:dmarc@%(domain)s",
            {"domain": domain},
        )
        yield _error("dmarc-record", said, remedy)
        return
    if tags.get("p", "none") not in {"none", "quarantine", "reject"}:
        yield _error(
            "dmarc-record",
            Translatable(
                "DMARC of %(domain)s: p=%(policy)s is unknown",
                {"domain": domain, "policy": tags["p"]},
            ),
            Translatable("Mend it."),
        )
    if "rua" not in tags:
        said = Translatable(
            "DMARC of %(domain)s has no rua=, so that nobody tells you what fails",
            {"domain": domain},
        )
        yield _warning(
            "dmarc-reports",
            said,
            Translatable("Add rua=mailto:dmarc@%(domain)s", {"domain": domain}),
        )
    if obsolete := sorted({"pct", "rf", "ri"} & tags.keys()):
        said = Translatable(
            "DMARC of %(domain)s has tags that mean nothing any more: %(obsolete)s",
            {"domain": domain, "obsolete": ", ".join(obsolete)},
        )
        yield _warning("dmarc-obsolete", said, Translatable("Take them out (RFC 9989)."))
    alignment = list(_alignment(identity, names))
    if not _is_silent(names, "TXT _dmarc."):
        yield from alignment


def _alignment(identity: Identity, names: Names) -> Iterator[Finding]:
    own = dmarc.organization(names, identity.domain)
    by_spf = dmarc.organization(names, identity.envelope_domain) == own
    by_dkim = bool(identity.dkim_domain) and (
        dmarc.organization(names, identity.dkim_domain) == own
    )
    if by_spf and by_dkim:
        return
    envelope = Translatable(
        "the envelope's domain %(domain)s", {"domain": identity.envelope_domain}
    )
    signs = (
        Translatable("the signature's domain %(domain)s", {"domain": identity.dkim_domain})
        if identity.dkim_domain
        else ""
    )
    remedy = Translatable(
        "Give the sender an envelope domain and a DKIM domain of %(own)s.", {"own": own}
    )
    if identity.dkim_domain and not (by_spf or by_dkim):
        said = Translatable(
            "neither %(envelope)s nor %(signs)s belongs to %(own)s: DMARC fails",
            {"envelope": envelope, "signs": signs, "own": own},
        )
        yield _error("alignment", said, remedy)
    elif identity.dkim_domain:
        said = Translatable(
            "%(which)s does not belong to %(own)s",
            {"which": signs if by_spf else envelope, "own": own},
        )
        yield _warning("alignment", said, remedy)
    elif not by_spf:
        said = Translatable(
            "%(envelope)s does not belong to %(own)s: DMARC fails unless the relay signs for it",
            {"envelope": envelope, "own": own},
        )
        yield _warning("alignment", said, remedy)
    else:
        said = Translatable("no key signs the messages here; Gmail and Yahoo ask for SPF and DKIM")
        remedy = Translatable("Make a key with create_dkim_key, or see that the relay signs.")
        yield _finding(Severity.ADVICE, "dkim-by-relay", said, remedy)


def _bounces(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.envelope_domain
    exchangers = names.exchangers(domain)
    if exchangers in ([], ["."]) and names.could_ask(domain, "MX"):
        said = Translatable(
            "%(domain)s has no MX record: bounces do not come back", {"domain": domain}
        )
        yield _warning(
            "bounce-mx", said, Translatable("Give %(domain)s an MX record.", {"domain": domain})
        )


def _egress(identity: Identity, names: Names) -> Iterator[Finding]:
    for address in identity.egress:
        pointers = names.pointers(address)
        if not pointers and _is_silent(names, "PTR "):
            continue
        if not pointers:
            said = Translatable(
                "%(address)s has no PTR record; Gmail and Outlook refuse its messages",
                {"address": address},
            )
            yield _error(
                "ptr", said, Translatable("Have your provider set it to the name of the server.")
            )
        elif not any(address in names.addresses(name) for name in pointers):
            said = Translatable(
                "%(address)s is called %(name)s, which does not lead back to it",
                {"address": address, "name": pointers[0]},
            )
            yield _error(
                "ptr",
                said,
                Translatable(
                    "Give %(name)s an address record of %(address)s.",
                    {"name": pointers[0], "address": address},
                ),
            )
        elif _GENERIC.search(pointers[0]):
            said = Translatable(
                "%(address)s is called %(name)s, as computers of a provider's customers are",
                {"address": address, "name": pointers[0]},
            )
            yield _warning(
                "ptr-generic", said, Translatable("Have it named after your own domain.")
            )


def _helo(identity: Identity, names: Names) -> Iterator[Finding]:
    for name in identity.helo if identity.egress else ():
        leads_to = names.addresses(name)
        if set(leads_to) & set(identity.egress) or not names.could_ask(name, "A"):
            continue
        said = Translatable(
            "the relay calls itself %(name)s, which leads to %(leads_to)s",
            {"name": name, "leads_to": _listed(leads_to)},
        )
        remedy = Translatable(
            "Have it say a name (HELO, RFC 5321 4.1.4) that leads to %(egress)s, from"
            " which messages leave.",
            {"egress": _listed(identity.egress)},
        )
        yield _warning("helo-name", said, remedy)


def _listed(addresses: Sequence[str]) -> Translatable | str:
    return " or ".join(addresses) or Translatable("no address")


def _is_silent(names: Names, questions: str) -> bool:
    """Whether one that begins so had no answer."""
    return any(each.startswith(questions) for each in names.unanswered)
