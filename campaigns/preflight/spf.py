"""Read the policy of a domain about who may send for it (SPF, RFC 7208)."""

import ipaddress
import re
from dataclasses import dataclass, field

from campaigns.preflight.names import Names
from recipients.translatable import Translatable

MOST_LOOKUPS, MOST_VOIDS = 10, 2  # RFC 7208 4.6.4
_TERM = re.compile(
    r"(?P<sign>[-+?~]?)(?P<name>[a-z][a-z0-9_.-]*)(?:[:=](?P<value>[^/\s]*(?:/[^\s]*)?))?"
    r"(?P<bits>/[\d/]*)?",
    re.IGNORECASE,
)
_RESULTS = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_DEEPEST = 20


@dataclass(slots=True)
class Policy:
    """What is wrong with a record and those that it includes."""

    lookups: int = 0
    voids: int = 0
    faults: list[Translatable] = field(default_factory=list)
    has_ptr: bool = False


def records_of(names: Names, domain: str) -> list[str]:
    """Return the SPF records at a domain; there should be one (RFC 7208 3.2)."""
    texts = names.texts(domain)
    return [text for text in texts if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)]


def examine(names: Names, domain: str) -> Policy:
    """Walk through all of a policy, as a receiver does for whom no part of it matches."""
    policy = Policy()
    _examine(names, domain, policy, depth=0)
    return policy


def _examine(names: Names, domain: str, policy: Policy, *, depth: int) -> None:
    records = records_of(names, domain)
    if len(records) != 1 or depth > _DEEPEST:
        if names.could_ask(domain, "TXT"):
            about = {"domain": domain, "count": len(records)}
            has_some = Translatable("%(domain)s has %(count)s SPF records", about)
            itself = Translatable("%(domain)s includes itself", about)
            policy.faults.append(itself if depth > _DEEPEST else has_some)
        return
    for name, value, _, _ in _terms(records[0]):
        target = value.partition("/")[0] or domain
        if name in {"include", "redirect", "a", "mx", "ptr", "exists"}:
            policy.lookups += 1
            policy.has_ptr = policy.has_ptr or name == "ptr"
        elif name not in {"ip4", "ip6", "all", "exp"}:
            policy.faults.append(
                Translatable(
                    "%(domain)s has the unknown term %(name)r", {"domain": domain, "name": name}
                )
            )
        if policy.lookups > MOST_LOOKUPS * 3 or "%" in target:
            continue
        if name in {"include", "redirect"}:
            _examine(names, target, policy, depth=depth + 1)
        elif name in {"a", "mx"}:
            found = names.exchangers(target) if name == "mx" else names.addresses(target)
            kind = "MX" if name == "mx" else "A"
            policy.voids += not found and names.could_ask(target, kind)


def _terms(record: str) -> list[tuple[str, str, str, str]]:
    """Return name, value, bits and sign of each term."""
    terms = []
    for word in record.split()[1:]:
        if term := _TERM.fullmatch(word):
            value, bits = term["value"] or "", term["bits"] or ""
            terms.append((term["name"].lower(), value, bits, term["sign"]))
        else:
            terms.append((word, "", "", ""))
    return terms


def result(names: Names, domain: str, address: str, *, depth: int = 0) -> str:
    """Return what a receiver makes of a message from this IP address.

    One of pass, fail, softfail, neutral, none and permerror (RFC 7208 2.6). Macros are
    not expanded: a term that has one matches nobody.
    """
    records = records_of(names, domain)
    if len(records) != 1 or depth > MOST_LOOKUPS:
        return "permerror" if records else "none"
    redirect = ""
    for name, value, bits, sign in _terms(records[0]):
        if name == "redirect":
            redirect = value
        elif _matches(names, domain, address, name, value + bits, depth=depth):
            return _RESULTS[sign]
    return result(names, redirect, address, depth=depth + 1) if redirect else "neutral"


def _matches(names: Names, domain: str, address: str, name: str, value: str, *, depth: int) -> bool:
    if name == "all":
        return True
    if "%" in value:
        return False
    if name in {"ip4", "ip6"}:
        return _is_in(address, value)
    target, _, bits = value.partition("/")
    if name == "include":
        return result(names, target, address, depth=depth + 1) == "pass"
    if name == "a":
        return _is_one(address, names.addresses(target or domain), bits)
    if name == "mx":
        hosts = names.exchangers(target or domain)[:MOST_LOOKUPS]
        return any(_is_one(address, names.addresses(host), bits) for host in hosts)
    return name == "exists" and bool(names.ask(target, "A"))


def _is_one(address: str, others: list[str], bits: str) -> bool:
    four, _, six = bits.partition("//")
    for other in others:
        wanted = six if ":" in other else four
        if _is_in(address, f"{other}/{wanted}" if wanted else other):
            return True
    return False


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
