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
        said = f"{identity.domain} is reserved for examples: nothing was asked about it"
        remedy = "Send from a domain of your own."
        return [Finding(Severity.ADVICE, "sender-reserved", said, remedy, Place.SENDER)]
    if not names.knows_the_world and not names.unanswered:
        return [_offline("the DNS here knows no names but its own")]
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
        return [_offline(f"the DNS could not be asked ({asked})")]
    said = f"the DNS did not answer: {asked}"
    remedy = "Run the preflight again."
    silent = Finding(Severity.WARNING, "dns-unanswered", said, remedy, Place.INSTALLATION)
    return [*found, silent]


def _offline(said: str) -> Finding:
    remedy = "Run the preflight where the DNS of the internet answers."
    return Finding(Severity.ADVICE, "dns-offline", said, remedy, Place.INSTALLATION)


def _finding(severity: Severity, name: str, said: str, remedy: str) -> Finding:
    return Finding(severity, name, said, remedy, Place.INSTALLATION)


def _error(name: str, said: str, remedy: str) -> Finding:
    return _finding(Severity.ERROR, name, said, remedy)


def _warning(name: str, said: str, remedy: str) -> Finding:
    return _finding(Severity.WARNING, name, said, remedy)


def _domain(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.domain
    exchangers = names.exchangers(domain)
    if exchangers == ["."]:
        said = f"{domain} says that it takes no mail (null MX, RFC 7505)"
        yield _error("from-null-mx", said, "Give it an MX record: answers come there.")
    elif not exchangers and not names.addresses(domain) and not names.unanswered:
        said = f"{domain} has neither MX nor A records: nobody can answer"
        yield _error("from-unknown", said, "Give it an MX record.")
    if not names.has_zone(domain) and not _is_silent(names, "SOA "):
        yield _warning("from-no-zone", f"{domain} has no SOA record", "Set up its zone.")


def _spf(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.envelope_domain
    records = spf.records_of(names, domain)
    if not names.could_ask(domain, "TXT"):
        return
    if len(records) != 1:
        said = f"{domain} has {len(records)} SPF records instead of one"
        yield _error("spf-record", said, f"Publish one TXT record at {domain}: v=spf1 … -all")
        return
    policy = spf.examine(names, domain)
    if policy.lookups > spf.MOST_LOOKUPS:
        said = f"the SPF record of {domain} needs {policy.lookups} lookups of {spf.MOST_LOOKUPS}"
        yield _error("spf-lookups", said, "Include fewer; write addresses as ip4: and ip6:.")
    if policy.voids > spf.MOST_VOIDS:
        said = f"the SPF record of {domain} names {policy.voids} hosts without an address"
        yield _error("spf-lookups", said, "Take them out.")
    for fault in policy.faults:
        yield _error("spf-record", f"SPF of {domain}: {fault}", "Mend the record.")
    if policy.has_ptr:
        said = f"the SPF record of {domain} uses ptr (RFC 7208 5.5)"
        yield _warning("spf-ptr", said, "Write addresses instead.")
    for address in identity.egress:
        said = spf.result(names, domain, address)
        if said != "pass" and not names.unanswered:  # so far: what is silent may allow it
            yield _error(
                "spf-egress",
                f"SPF of {domain} says {said} of {address}, from which messages leave",
                f"Add ip{'4' if '.' in address else '6'}:{address} to the record.",
            )


def _dkim(identity: Identity, names: Names) -> Iterator[Finding]:
    for key in identity.keys:
        found = [dmarc.tags_of(text) for text in names.texts(key.name)]
        found = [tags for tags in found if tags.get("v", "DKIM1") == "DKIM1" and "p" in tags]
        if not names.could_ask(key.name, "TXT"):
            continue
        publish = f"Publish at {key.name}: {key.record}"
        if not found:
            yield _error("dkim-record", f"there is no DKIM record at {key.name}", publish)
        elif len(found) > 1:
            said = f"there are {len(found)} DKIM records at {key.name}; receivers take any of them"
            yield _error("dkim-record", said, publish)
        else:
            yield from _key(key, found[0], publish)


def _key(key: Key, tags: dict[str, str], publish: str) -> Iterator[Finding]:
    ours = dmarc.tags_of(key.record)
    published = re.sub(r"\s", "", tags["p"])
    if not published:
        yield _error("dkim-record", f"the key at {key.name} is revoked (p=)", publish)
    elif published != ours["p"] or tags.get("k", "rsa") != ours["k"]:
        yield _error("dkim-record", f"the key at {key.name} is not ours", publish)
    elif 0 < (bits := _bits(published)) < _WEAK:
        yield _error("dkim-weak", f"the key at {key.name} has {bits} bits", "Make a new key.")
    elif 0 < bits < _ADVISED:
        yield _warning("dkim-weak", f"the key at {key.name} has {bits} bits", "Make a new key.")
    if "y" in tags.get("t", "").split(":"):
        said = f"the record at {key.name} says that it is a test (t=y), and counts for nothing"
        yield _error("dkim-record", said, "Take t=y out of it.")
    if not {"*", "email"} & {each.strip() for each in tags.get("s", "*").split(":")}:
        said = f"the record at {key.name} is not for email (s={tags['s']})"
        yield _error("dkim-record", said, "Take s= out of it.")
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        said = f"the record at {key.name} does not allow SHA-256 (h={tags['h']})"
        yield _error("dkim-record", said, "Take h= out of it.")


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
        said = f"{domain} has no DMARC record"
        remedy = f"Publish at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
        yield _error("dmarc-record", said, remedy)
        return
    if tags.get("p", "none") not in {"none", "quarantine", "reject"}:
        yield _error("dmarc-record", f"DMARC of {domain}: p={tags['p']} is unknown", "Mend it.")
    if "rua" not in tags:
        said = f"DMARC of {domain} has no rua=, so that nobody tells you what fails"
        yield _warning("dmarc-reports", said, f"Add rua=mailto:dmarc@{domain}")
    if obsolete := sorted({"pct", "rf", "ri"} & tags.keys()):
        said = f"DMARC of {domain} has tags that mean nothing any more: {', '.join(obsolete)}"
        yield _warning("dmarc-obsolete", said, "Take them out (RFC 9989).")
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
    envelope = f"the envelope's domain {identity.envelope_domain}"
    signs = f"the signature's domain {identity.dkim_domain}" if identity.dkim_domain else ""
    remedy = f"Give the sender an envelope domain and a DKIM domain of {own}."
    if identity.dkim_domain and not (by_spf or by_dkim):
        said = f"neither {envelope} nor {signs} belongs to {own}: DMARC fails"
        yield _error("alignment", said, remedy)
    elif identity.dkim_domain:
        said = f"{signs if by_spf else envelope} does not belong to {own}"
        yield _warning("alignment", said, remedy)
    elif not by_spf:
        said = f"{envelope} does not belong to {own}: DMARC fails unless the relay signs for it"
        yield _warning("alignment", said, remedy)
    else:
        said = "no key signs the messages here; Gmail and Yahoo ask for SPF and DKIM"
        remedy = "Make a key with create_dkim_key, or see that the relay signs."
        yield _finding(Severity.ADVICE, "dkim-by-relay", said, remedy)


def _bounces(identity: Identity, names: Names) -> Iterator[Finding]:
    domain = identity.envelope_domain
    exchangers = names.exchangers(domain)
    if exchangers in ([], ["."]) and names.could_ask(domain, "MX"):
        said = f"{domain} has no MX record: bounces do not come back"
        yield _warning("bounce-mx", said, f"Give {domain} an MX record.")


def _egress(identity: Identity, names: Names) -> Iterator[Finding]:
    for address in identity.egress:
        pointers = names.pointers(address)
        if not pointers and _is_silent(names, "PTR "):
            continue
        if not pointers:
            said = f"{address} has no PTR record; Gmail and Outlook refuse its messages"
            yield _error("ptr", said, "Have your provider set it to the name of the server.")
        elif not any(address in names.addresses(name) for name in pointers):
            said = f"{address} is called {pointers[0]}, which does not lead back to it"
            yield _error("ptr", said, f"Give {pointers[0]} an address record of {address}.")
        elif _GENERIC.search(pointers[0]):
            said = f"{address} is called {pointers[0]}, as computers of a provider's customers are"
            yield _warning("ptr-generic", said, "Have it named after your own domain.")


def _helo(identity: Identity, names: Names) -> Iterator[Finding]:
    for name in identity.helo if identity.egress else ():
        leads_to = names.addresses(name)
        if set(leads_to) & set(identity.egress) or not names.could_ask(name, "A"):
            continue
        said = f"the relay calls itself {name}, which leads to {_listed(leads_to)}"
        remedy = (
            f"Have it say a name (HELO, RFC 5321 4.1.4) that leads to {_listed(identity.egress)},"
            " from which messages leave."
        )
        yield _warning("helo-name", said, remedy)


def _listed(addresses: Sequence[str]) -> str:
    return " or ".join(addresses) or "no address"


def _is_silent(names: Names, questions: str) -> bool:
    """Whether one that begins so had no answer."""
    return any(each.startswith(questions) for each in names.unanswered)
