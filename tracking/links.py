"""The addresses in a message that lead back to its delivery."""

from functools import cache

from django.conf import settings
from django.urls import reverse

from tracking.tokens import Hit, KeyRing, Kind, sign, sign_hit

# What a mail program that presses the button of a link to nobody is told; by these words the
# preflight knows that a POST comes through to Godwit.
UNKNOWN = "This link is not known.\n"


@cache
def key_ring() -> KeyRing:
    return KeyRing(tuple(key.encode() for key in settings.TOKEN_KEYS))


@cache
def _unsubscribe_prefix() -> str:
    # Resolved once per process: reversing costs more than signing.
    return settings.SITE_URL + reverse("tracking:unsubscribe", args=["-"]).removesuffix("-")


def unsubscribe_url(delivery_id: int) -> str:
    """Return the delivery's own page for unsubscribing, one-click by RFC 8058."""
    return _unsubscribe_prefix() + sign(Kind.UNSUBSCRIBE, delivery_id, ring=key_ring())


@cache
def _preferences_prefix() -> str:
    return settings.SITE_URL + reverse("tracking:preferences", args=["-"]).removesuffix("-")


def preferences_url(delivery_id: int) -> str:
    """Return the page where the delivery's recipient chooses lists, language, a pause."""
    return _preferences_prefix() + sign(Kind.PREFERENCES, delivery_id, ring=key_ring())


@cache
def _view_prefix() -> str:
    # By name: the page shows a message, and so belongs to campaigns, which know of this app.
    return settings.SITE_URL + reverse("campaigns:view", args=["-"]).removesuffix("-")


def view_url(delivery_id: int) -> str:
    """Return the page that shows the delivery's message in a browser."""
    return _view_prefix() + sign(Kind.VIEW, delivery_id, ring=key_ring())


def notice_preferences_url(notice_id: int) -> str:
    """Return the same page for who got a message of ours."""
    return _preferences_prefix() + sign(Kind.NOTICE_PREFERENCES, notice_id, ring=key_ring())


def confirm_url(notice_id: int) -> str:
    """Return the page where who got this message confirms what was asked for in their name."""
    token = sign(Kind.CONFIRM, notice_id, ring=key_ring())
    return settings.SITE_URL + reverse("tracking:confirm", args=[token])


def privacy_url(notice_id: int) -> str:
    """Return the page that shows, and erases, what is known of who got this message."""
    token = sign(Kind.PRIVACY, notice_id, ring=key_ring())
    return settings.SITE_URL + reverse("tracking:privacy", args=[token])


def notice_message_token(notice_id: int) -> str:
    return sign(Kind.NOTICE_MESSAGE, notice_id, ring=key_ring())


def notice_bounce_token(notice_id: int) -> str:
    return sign(Kind.NOTICE_BOUNCE, notice_id, ring=key_ring())


def reason_url(delivery_id: int) -> str:
    """Return the page where the delivery's recipient says why they left."""
    return f"{unsubscribe_url(delivery_id)}/reason"


def message_token(delivery_id: int) -> str:
    return sign(Kind.MESSAGE, delivery_id, ring=key_ring())


def bounce_token(delivery_id: int) -> str:
    return sign(Kind.BOUNCE, delivery_id, ring=key_ring())


# Answered beside Django (tracking.hits), but for links that are another one for each recipient.
OPEN_PATH = "/o/"
CLICK_PATH = "/c/"


def open_token(delivery_id: int, run_id: int) -> str:
    return sign_hit(Kind.OPEN, Hit(delivery_id, run_id), ring=key_ring())


def click_token(delivery_id: int, run_id: int) -> str:
    return sign_hit(Kind.CLICK, Hit(delivery_id, run_id), ring=key_ring())


def open_url(delivery_id: int, run_id: int) -> str:
    """Return the address of the delivery's pixel, or of its run's for NOBODY."""
    return open_url_of(open_token(delivery_id, run_id))


def open_url_of(token: str) -> str:
    return settings.SITE_URL + OPEN_PATH + token


def click_url(delivery_id: int, run_id: int) -> str:
    """Return what the numbers of a delivery's links are appended to, or of its run's for NOBODY."""
    return click_url_of(click_token(delivery_id, run_id))


def click_url_of(token: str) -> str:
    return settings.SITE_URL + CLICK_PATH + token + "/"
