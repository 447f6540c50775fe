"""How each provider says whether an address is dead: Anymail calls most of it `bounced`.

The tables hold what a provider's words mean, by its documentation of 2026. A word that is not in
its table says nothing: then the answer of the receiving server decides, by
`tracking.bounces.classify`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracking.models import Category

# The address itself; what else a server says in its answer speaks of the moment or of the sender.
_OF_ADDRESS = frozenset({Category.INVALID_ADDRESS, Category.INVALID_DOMAIN, Category.UNKNOWN})


class Verdict(NamedTuple):
    """What a provider says of a message that came back; no category: the server's answer has it."""

    category: Category | None = None
    is_hard: bool = False

    def weighed(self, told: Category) -> tuple[Category, bool]:
        """Return category and hardness, given what the server's answer says.

        A provider calls hard what it will not try again, a refusal of spam as well.
        """
        if self.category:
            return self.category, self.is_hard
        is_hard = self.is_hard and told in _OF_ADDRESS
        return (Category.INVALID_ADDRESS if is_hard and told == Category.UNKNOWN else told), is_hard


HARD, SOFT = Verdict(is_hard=True), Verdict()
_NO_MAILBOX = Verdict(Category.INVALID_ADDRESS, is_hard=True)
_NO_DOMAIN = Verdict(Category.INVALID_DOMAIN, is_hard=True)
_NO_MAILBOX_YET = Verdict(Category.INVALID_ADDRESS)
_NO_DOMAIN_YET = Verdict(Category.INVALID_DOMAIN)
_OFF = Verdict(Category.DISABLED)
_FULL = Verdict(Category.MAILBOX_FULL)
_LARGE = Verdict(Category.TOO_LARGE)
_CONTENT = Verdict(Category.POLICY_CONTENT)
_REPUTATION = Verdict(Category.POLICY_REPUTATION)
_AUTH = Verdict(Category.AUTH)
_PASSING = Verdict(Category.TRANSIENT)
_EXPIRED = Verdict(Category.EXPIRED)
_RENDERING = Verdict(Category.RENDERING)
# The provider did not try: on a list of its own for a reason that says nothing of the mailbox.
_LISTED = Verdict(Category.UNKNOWN)

_AMAZON: Mapping[str, Verdict] = {
    "permanent": HARD,
    "permanent/suppressed": _NO_MAILBOX,
    "permanent/onaccountsuppressionlist": _NO_MAILBOX,
    "permanent/unsubscribedrecipient": _LISTED,
    "transient": SOFT,
    "transient/mailboxfull": _FULL,
    "transient/messagetoolarge": _LARGE,
    "transient/contentrejected": _CONTENT,
    "transient/attachmentrejected": _CONTENT,
    "undetermined": SOFT,
}

MEANINGS: Mapping[str, Mapping[str, Verdict]] = {
    "amazon_ses": {**_AMAZON, "reject": _CONTENT, "rendering failure": _RENDERING},
    "brevo": {
        "hard_bounce": HARD,
        "invalid_email": _NO_MAILBOX,
        "soft_bounce": SOFT,
        "blocked": _LISTED,
        "error": _LISTED,
    },
    "mailersend": {"hard_bounced": HARD, "soft_bounced": SOFT},
    # "permanent" is every 5yz answer, and every message given up.
    "mailgun": {
        "suppress-bounce": _NO_MAILBOX,
        "suppress-complaint": _LISTED,
        "suppress-unsubscribe": _LISTED,
        "old": _EXPIRED,
        "605": _NO_MAILBOX,
        "607": _LISTED,
    },
    "mailjet": {
        "hard": HARD,
        "hard/user unknown": _NO_MAILBOX,
        "hard/invalid domain": _NO_DOMAIN,
        "hard/no mail host": _NO_DOMAIN,
        "soft": SOFT,
        "user unknown": _NO_MAILBOX_YET,
        "mailbox inactive": _OFF,
        "quota exceeded": _FULL,
        "invalid domain": _NO_DOMAIN_YET,
        "no mail host": _NO_DOMAIN_YET,
        "blacklisted": _REPUTATION,
        "spam reporter": _LISTED,
        "relay/access denied": _REPUTATION,
        "greylisted": _PASSING,
        "connection issue": _PASSING,
        "connection failed": _PASSING,
        "sender blocked": _REPUTATION,
        "content blocked": _CONTENT,
        "policy issue": _REPUTATION,
        "preblocked": _LISTED,
        "duplicate in campaign": _LISTED,
        "bad or empty template": _RENDERING,
    },
    "mailtrap": {"bounce": HARD, "reject": _LISTED},
    "mandrill": {
        "hard_bounce": HARD,
        "hard_bounce/bad_mailbox": _NO_MAILBOX,
        "hard_bounce/invalid_domain": _NO_DOMAIN,
        "soft_bounce": SOFT,
        "soft_bounce/mailbox_full": _FULL,
        "reject": _LISTED,
        "reject/hard-bounce": _NO_MAILBOX,
    },
    # HardFail is every 5yz answer.
    "postal": {},
    "postmark": {
        "hardbounce": HARD,
        "bademailaddress": _NO_MAILBOX,
        "softbounce": SOFT,
        "blocked": _REPUTATION,
        "dmarcpolicy": _AUTH,
        "virusnotification": _CONTENT,
        "spamnotification": _CONTENT,
        "manuallydeactivated": _LISTED,
        "unconfirmed": _LISTED,
        "templaterenderingfailed": _RENDERING,
    },
    "resend": _AMAZON,
    "sendgrid": {
        "bounce/bounce": HARD,
        "bounce/blocked": SOFT,
        "bounce/expired": _EXPIRED,
        "dropped": _LISTED,
        "dropped/bounced address": _NO_MAILBOX,
        "dropped/invalid": _NO_MAILBOX,
    },
    "sparkpost": {
        "1": SOFT,
        "10": _NO_MAILBOX,
        "20": SOFT,
        "21": _PASSING,
        "22": _FULL,
        "23": _LARGE,
        "24": _EXPIRED,
        "25": _REPUTATION,
        "30": _NO_MAILBOX,
        "40": SOFT,
        "50": _REPUTATION,
        "51": _REPUTATION,
        "52": _CONTENT,
        "53": _CONTENT,
        "54": _REPUTATION,
        "70": _PASSING,
        "generation_failure": _RENDERING,
        "generation_rejection": _LISTED,
        "policy_rejection": _REPUTATION,
    },
    "unisender_go": {
        "err_user_unknown": _NO_MAILBOX,
        "err_user_inactive": _OFF,
        "err_mailbox_discarded": _OFF,
        "err_mailbox_full": _FULL,
        "err_spam_rejected": _CONTENT,
        "err_spam_skipped": _CONTENT,
        "err_blacklisted": _REPUTATION,
        "err_too_large": _LARGE,
        "err_unsubscribed": _LISTED,
        "err_skip_letter": _LISTED,
        "err_lost": _LISTED,
        "err_unreachable": _PASSING,
        "err_domain_inactive": _NO_DOMAIN,
        "err_destination_misconfigured": _PASSING,
    },
}


def verdict(provider: str, raw: Any) -> Verdict | None:
    """Return what the provider's own words say, the most exact first; None: nothing."""
    meanings = MEANINGS.get(provider, {})
    found = _WORDS.get(provider, _nothing)(raw)
    return next((meanings[word] for word in found if word in meanings), None)


def codes(provider: str, raw: Any) -> tuple[str, str]:
    """Return reply code and enhanced status code where the provider gives them apart."""
    reply, enhanced = _CODES.get(provider, ((), ()))
    return (dig(raw, *reply) if reply else ""), (dig(raw, *enhanced) if enhanced else "")


def dig(raw: Any, *path: str | int) -> str:
    """Return what is at a place of decoded JSON as text; "" where there is no text or number."""
    for step in path:
        if isinstance(step, str) and isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(step, int) and isinstance(raw, list):
            raw = raw[step] if len(raw) > step else None
        else:
            return ""
    return str(raw) if isinstance(raw, str | int | float) else ""


def _nothing(_raw: Any) -> list[str]:
    return []


def _at(*path: str) -> Callable[[Any], list[str]]:
    return lambda raw: [dig(raw, *path).lower()]


def _amazon(raw: Any) -> list[str]:
    kind = dig(raw, "eventType") or dig(raw, "notificationType")
    return [*_amazon_bounce(raw), kind.lower()]


def _amazon_bounce(raw: Any, *before: str) -> list[str]:
    return _both(
        dig(raw, *before, "bounce", "bounceType"), dig(raw, *before, "bounce", "bounceSubType")
    )


def _both(first: str, second: str) -> list[str]:
    return [f"{first}/{second}".lower(), first.lower()]


def _mailgun(raw: Any) -> list[str]:
    return [dig(raw, "event-data", "reason").lower(), dig(raw, "code")]


def _mailjet(raw: Any) -> list[str]:
    error, is_hard = dig(raw, "error").lower(), dig(raw, "hard_bounce") in {"True", "1", "true"}
    return [f"hard/{error}", error, "hard"] if is_hard else [error, "soft"]


def _mandrill(raw: Any) -> list[str]:
    event = dig(raw, "event")
    why = dig(raw, "msg", "bounce_description") or dig(raw, "msg", "reject", "reason")
    return _both(event, why)


def _postmark(raw: Any) -> list[str]:
    return [dig(raw, "Type").lower(), dig(raw, "SuppressionReason").lower()]


def _resend(raw: Any) -> list[str]:
    return _both(dig(raw, "data", "bounce", "type"), dig(raw, "data", "bounce", "subType"))


def _sendgrid(raw: Any) -> list[str]:
    event = dig(raw, "event")
    return _both(event, dig(raw, "type") or (dig(raw, "reason") if event == "dropped" else ""))


def _sparkpost(raw: Any) -> list[str]:
    events = raw.get("msys") if isinstance(raw, dict) else None
    event = next(iter(events.values()), None) if isinstance(events, dict) else None
    return [dig(event, "bounce_class"), dig(event, "type")]


_WORDS: Mapping[str, Callable[[Any], list[str]]] = {
    "amazon_ses": _amazon,
    "brevo": _at("event"),
    "mailersend": _at("data", "type"),
    "mailgun": _mailgun,
    "mailjet": _mailjet,
    "mailtrap": _at("event"),
    "mandrill": _mandrill,
    "postmark": _postmark,
    "resend": _resend,
    "sendgrid": _sendgrid,
    "sparkpost": _sparkpost,
    "unisender_go": _at("delivery_info", "delivery_status"),
}

_CODES: Mapping[str, tuple[tuple[str | int, ...], tuple[str | int, ...]]] = {
    "amazon_ses": ((), ("bounce", "bouncedRecipients", 0, "status")),
    "mailgun": (
        ("event-data", "delivery-status", "code"),
        ("event-data", "delivery-status", "enhanced-code"),
    ),
    "mailtrap": (("response_code",), ()),
    "sendgrid": ((), ("status",)),
}
