"""Make DKIM keys, and put them to use when they are published."""

import re

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import secrets
from campaigns.models import DKIMKey
from campaigns.sending.dkim import Algorithm, Key, generate, load
from campaigns.services import Refused
from recipients.addresses import BadAddress, parse_address

_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a label of the DNS (RFC 1035 2.3.1)


def create(domain: str, *, selector: str, algorithm: Algorithm) -> Key:
    """Make a key that does not sign yet, and return it, for its DNS record.

    :raises Refused: no domain, no selector, or there is one of that name.
    """
    domain = _domain(domain)
    if not _SELECTOR.fullmatch(selector):
        raise Refused(
            _("selector %(selector)r: write lower-case letters, digits and hyphens")
            % {"selector": selector}
        )
    pem = generate(algorithm)
    row, is_new = DKIMKey.objects.get_or_create(
        domain=domain,
        selector=selector,
        defaults={"algorithm": algorithm, "encrypted_key": secrets.encrypt(pem.decode())},
    )
    if not is_new:
        raise Refused(_("there is a key %(row)s already; choose another selector") % {"row": row})
    return Key(domain, selector, load(pem))


@transaction.atomic
def activate(domain: str, *, selector: str) -> DKIMKey:
    """Let a key sign from now on, in place of the one of its kind that did.

    Leave the other one's record in the DNS for some days: what it signed is still on its way.

    :raises Refused: there is none of that name.
    """
    row = DKIMKey.objects.filter(domain=_domain(domain), selector=selector).first()
    if row is None:
        raise Refused(
            _("there is no key %(selector)s._domainkey.%(domain)s")
            % {"selector": selector, "domain": domain}
        )
    of_its_kind = DKIMKey.objects.signing_for(row.domain).filter(algorithm=row.algorithm)
    of_its_kind.update(is_active=False)
    row.is_active = True
    row.save(update_fields=["is_active"])
    return row


def _domain(text: str) -> str:
    try:
        return parse_address(f"postmaster@{text}").domain
    except BadAddress as error:
        raise Refused(_("domain %(text)r: %(error)s") % {"text": text, "error": error}) from None
