"""Addresses (RFC 5321, 5322, 6531) and mailboxes: from what people write to what is sent."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import idna
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from recipients.headers import BadHeader, clean_header, phrase

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Nearly every address of a list is of this form; email-validator needs ten times as long.
# Labels such as xn--… are left to the slow path, which looks inside them.
_PLAIN = re.compile(
    rf"({_ATEXT}(?:\.{_ATEXT})*)@((?:(?!..--){_LABEL}\.)+[A-Za-z]{{2,63}})", re.ASCII
)
_A_LABELS = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z0-9-]*[a-z]){_LABEL}", re.ASCII)
_LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
_ADDRESS_OCTETS = 254  # RFC 3696, erratum 1690
_WRAPPED_CHARACTERS = 500

_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"
_EDGES = _INVISIBLE + " \t\r\n\v\f\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
_EDGES += "\u2009\u200a\u202f\u205f\u3000\u2028\u2029\x85"
_WRAPPED = re.compile(r"(?:[^<>]*<)?(?:mailto:)?([^<>]*?)>?[.,;]*", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class BadAddress(ValueError):
    """Not an address that can be mailed; the text says what is wrong and what to do."""


class Address(NamedTuple):
    """An address in the form in which it is sent."""

    addr_spec: str
    """Local part as written (NFC), domain in lower-case A-labels (IDNA 2008)."""
    key: str
    """The same with the local part in lower case: two rows with one key are one recipient."""
    domain: str
    needs_smtputf8: bool
    """The local part is not ASCII: only a hop that offers SMTPUTF8 takes it (RFC 6531)."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, possibly empty, and an address (RFC 5322 3.4)."""

    display_name: str
    address: Address


def parse_address(text: str) -> Address:
    """Read one address; white space and invisible characters at its ends are dropped.

    Domains reserved for tests (example.org, .test, .example, .invalid) are addresses too; a name
    without a dot, such as localhost, is not.

    :raises BadAddress: with one reason for a person.
    """
    text = text.strip(_EDGES)
    if not (found := _PLAIN.fullmatch(text)):
        return _parse_unusual(text)
    # All ASCII: as many bytes as characters. An import comes by here for each of its rows.
    local, domain = found.groups()
    if len(local) > _LOCAL_OCTETS or len(text) > _ADDRESS_OCTETS:
        return _address(local, domain)
    domain = domain.lower()
    addr_spec = f"{local}@{domain}"
    return Address(addr_spec, addr_spec.lower(), domain, False)


def spellings(keys: Iterable[str]) -> list[str]:
    """Return the keys of addresses, and those with the domain as people write it (U-labels)."""
    return sorted({spelling for key in keys for spelling in (key, _with_u_labels(key))})


def with_a_labels(part: str) -> str:
    """Return a part of an address or domain with each label as addresses are stored (A-labels).

    What cannot be a domain, and what stands before an @, stays as it is.
    """
    local, at, domain = part.rpartition("@")
    return f"{local}{at}{'.'.join(map(_a_label, domain.split('.')))}"


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.encode(label, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return label


def _with_u_labels(key: str) -> str:
    local, _at, domain = key.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return key


def parse_mailbox(text: str) -> Mailbox:
    """Read `News <news@example.org>`, `"News, daily" <…>` or a bare address: one mailbox.

    :raises BadAddress: the address is not one, there is more than one mailbox, or a character may
        not stand in a header.
    """
    try:
        text = clean_header(text.strip(_EDGES))
    except BadHeader as error:
        raise BadAddress(str(error)) from None
    if not text.endswith(">"):
        return Mailbox("", parse_address(text))
    name, _bracket, address = text[:-1].rpartition("<")
    return Mailbox(_display_name(name.strip()), parse_address(address))


def format_mailbox(mailbox: Mailbox) -> str:
    """Write a mailbox for a header, unfolded (RFC 5322 3.4, RFC 2047 5).

    :raises BadHeader: a character of the display name may not stand in a header.
    """
    if not mailbox.display_name:
        return mailbox.address.addr_spec
    return f"{phrase(mailbox.display_name)} <{mailbox.address.addr_spec}>"


def _address(local: str, domain: str) -> Address:
    addr_spec = f"{local}@{domain}"
    if len(local.encode()) > _LOCAL_OCTETS:
        raise BadAddress(
            _("the part before the @ is longer than %(most)s bytes") % {"most": _LOCAL_OCTETS}
        )
    if len(addr_spec.encode()) > _ADDRESS_OCTETS:
        raise _too_long()
    return Address(addr_spec, addr_spec.lower(), domain, not local.isascii())


def _too_long() -> BadAddress:
    return BadAddress(_("the address is longer than %(most)s bytes") % {"most": _ADDRESS_OCTETS})


def _parse_unusual(text: str) -> Address:
    if len(text) > _WRAPPED_CHARACTERS:
        raise _too_long()
    _refuse_wrapping(text)
    _refuse_wrong_shape(text)
    local, _at, domain = text.rpartition("@")
    return _address(_local_part(local), _a_labels(domain))


def _refuse_wrapping(text: str) -> None:
    """Name the address inside `<…>`, `mailto:` or before a comma, but leave it to the author."""
    found = _WRAPPED.fullmatch(text)
    inner = found[1].strip() if found else ""
    if inner != text and _PLAIN.fullmatch(inner):
        raise BadAddress(
            _("there is more than the address; write %(address)s") % {"address": inner}
        )


def _refuse_wrong_shape(text: str) -> None:
    if not text:
        raise BadAddress(_("there is no address; fill it in"))
    if any(character.isspace() for character in text):
        raise BadAddress(_("there is a space inside; remove it, and write one address only"))
    if not text.isprintable():
        raise BadAddress(_("there is an invisible character inside; type the address anew"))
    if text.startswith('"'):
        raise BadAddress(_("a quoted part before the @ is not supported; ask for another address"))
    if "@" not in text:
        raise BadAddress(_("there is no @; write it as name@example.org"))
    if text.count("@") > 1:
        raise BadAddress(_("there is more than one @; write one address only"))


def _local_part(local: str) -> str:
    if not local:
        raise BadAddress(_("there is nothing before the @; write it as name@example.org"))
    try:
        # The domain has its own check below: this library refuses the reserved ones.
        checked = validate_email(f"{local}@example.com", check_deliverability=False)
    except EmailNotValidError as error:
        reason = str(error).removesuffix(".")
        raise BadAddress(
            _("the part before the @ is wrong: %(reason)s") % {"reason": reason}
        ) from None
    return unicodedata.normalize("NFC", checked.local_part)


def _a_labels(domain: str) -> str:
    if domain.startswith("["):
        raise BadAddress(
            _("a bare IP address after the @ is not supported; write the domain's name")
        )
    try:
        encoded = idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise BadAddress(
            _("the domain after the @ is wrong: %(reason)s") % {"reason": error}
        ) from None
    if "." not in encoded:
        raise BadAddress(_("the domain after the @ has no dot; write all of it, like example.org"))
    if not _A_LABELS.fullmatch(encoded):
        raise BadAddress(_("the domain after the @ is wrong; write it like example.org"))
    return encoded


def _display_name(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if any(character in text for character in '<>"@'):
        raise BadAddress(_("there is more than one mailbox; write one, as Name <name@example.org>"))
    return text
