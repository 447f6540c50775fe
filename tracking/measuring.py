"""What is measured of whom: the most private word counts."""

from collections.abc import Iterable

from django.conf import settings

from recipients.models import MailingList, Tracking, TrackingConsent

_MOST_PRIVATE_FIRST = (Tracking.OFF, Tracking.ANONYMOUS, Tracking.FULL)


def strictest(words: Iterable[str]) -> Tracking:
    """Return the most private of these words; of none, the least private one."""
    said = set(words)
    return next((word for word in _MOST_PRIVATE_FIRST if word in said), Tracking.FULL)


def mode(wanted: str, *, lists: Iterable[MailingList]) -> Tracking:
    """Return what is measured of messages to these lists, in this installation.

    :param wanted: the campaign's own word.
    """
    return strictest([settings.TRACKING, wanted, *(each.tracking for each in lists)])


def measurable(*, is_consent_required: bool | None = None) -> frozenset[str]:
    """Return the words of those recipients of whom anything is measured.

    :param is_consent_required: whether nothing is measured of who was not asked; None: what the
        installation wants.
    """
    if is_consent_required is None:
        is_consent_required = settings.TRACKING_CONSENT_REQUIRED
    if is_consent_required:
        return frozenset({TrackingConsent.GRANTED})
    return frozenset({TrackingConsent.GRANTED, TrackingConsent.UNKNOWN})
