"""Read notices of failure that are for people: of systems that do not follow RFC 3464."""

import re
from collections.abc import Iterable

from tracking.bounces.addresses import addresses, is_system, tokens
from tracking.bounces.classifying import classify, codes
from tracking.bounces.reports import Recipient
from tracking.bounces.sections import DIAGNOSTIC, diagnostic, sections
from tracking.models import Category


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE | re.MULTILINE)


# Where the message that came back begins: its first lines, or a line that announces it.
_RULE = r"[ \t>|#*=+_.-]{0,60}"
_THIS = r"(?:(?:this|below|included|here|the|following)\b.{0,40}\b)?"
_RETURNED = _any(
    r"^(?:return-path|received|delivered-to|dkim-signature|mime-version|x-mailer):.*$",
    rf"^{_RULE}{_THIS}(?:copy of|headers? of)(?!.{{0,60}}\bwas ).{{0,80}}$",
    rf"^{_RULE}{_THIS}(?:original|returned|unsent|undelivered|rejected|bounced)"
    r" (?:message|mail|text)(?!.{0,60}\b(?:was|has) ).{0,80}$",
    rf"^{_RULE}{_THIS}(?:message (?:headers?|text|body|follows)|text of your (?:message|mail)"
    r"|(?:below|after) this line).{0,80}$",
)
_FAILED = _any(
    r"undeliver|return(?:ed|ing)? (?:mail|message|to sender)|non.?delivery|not delivered",
    r"\b(?:delivery|mail|message|sending|transmission).{0,30}"
    r"(?:fail|error|problem|unsuccessful|reject|not possible)",
    r"\b(?:fail|error|problem|unable|could not|cannot|can't).{0,30}(?:deliver|send|mail|notice)",
    r"delivery (?:status )?(?:notification|report)|bounced? (?:mail|message)|mail system error",
    r"unzustellbar|nicht zugestellt|zustellung.{0,20}fehl|non remis|[ée]chec|non recapitat",
    r"mancato recapito|no se (?:puede|pudo) entregar|no entregad|n[ãa]o entregue|devolvid",
    r"недостав|не доставлен|配信|送信エラー|退信|投递失败|onbestelbaar|kunde inte|niedostarcz",
)
_ANSWERED = re.compile(
    r"\s*(?:re|fwd?|aw|wg|sv|vs|antw|rif|tr|odp)\s?(?:\[\d{1,3}\])?:", re.IGNORECASE
)
_LATE_SUBJECT = _any(
    r"\bdelay|warning:? (?:message|could not|mail|delivery)|not yet|deferred",
    r"still (?:being )?(?:trying|retried)|verz[öo]ger|retard|ritard",
)
_ENDED_SUBJECT = _any(r"return|fail|undeliver")
_LATE = _any(
    r"will (?:keep|continue|be retried|retry|try)|still (?:trying|being|queued)",
    r"not yet (?:been )?delivered|\b(?:has been|is|was|been) delayed|no action is required",
    r"n(?:ot|'t) (?:need|have) to (?:re-?send|do anything)|warning (?:message )?only",
)
_ENDED = _any(
    r"\b(?:could|can|was|were|been|be) ?(?:not|n't)(?: be)? (?:deliver|sent|reach)",
    r"\bgiv(?:ing|en) up|gave up|will not (?:be )?(?:retr|try)|returned to (?:you|sender)",
    r"(?:permanent|fatal|unrecoverable)\w* (?:error|fail)|failed (?:permanently|after)",
    r"undeliverable|delivery (?:has )?failed",
)
# Lines that name somebody who is not a recipient.
_OTHERS = _any(
    r"^.{0,60}\b(?:from|sender|reply-to|cc|contact|assistance|support|helpdesk)\b.*$",
)


def cut(text: str) -> tuple[str, str]:
    """Return the notice, and the message that came back where it follows in the same text."""
    found = _RETURNED.search(text)
    # One that begins with it has no words of its own; then all of it is the notice.
    if not found or not text[: found.start()].strip():
        return text, ""
    return text[: found.start()], text[found.start() :]


def is_failure(subject: str) -> bool:
    """Return whether it is the subject of a notice of failure, and not of an answer to one."""
    return bool(_FAILED.search(subject)) and not _ANSWERED.match(subject)


def is_late(subject: str, notice: str) -> bool:
    """Return whether it says that the message is still being tried."""
    if _LATE_SUBJECT.search(subject) and not _ENDED_SUBJECT.search(subject):
        return True
    return bool(_LATE.search(notice)) and not is_final(notice)


def is_final(notice: str) -> bool:
    """Return whether it says in the words of mail systems that nothing more will be tried."""
    return bool(_ENDED.search(notice))


def recipients(notice: str, *, failed: Iterable[str], own: Iterable[str]) -> list[Recipient]:
    """Return what the notice says about each recipient.

    :param failed: addresses that are known to have failed; without any, those of the notice count
    :param own: addresses that are not a recipient's: whom the report was sent to and came from
    """
    known = list(failed) or _named(notice, {address.lower() for address in own})
    said = sections(notice, known)
    if known:
        return [_recipient(address, said[address.lower()], notice) for address in known]
    return [_recipient("", notice, notice)] if notice.strip() else []


def _named(notice: str, own: set[str]) -> list[str]:
    """Return whom it names; what may be others' addresses only where there are no more."""
    found = [each for each in addresses(_OTHERS.sub("", notice)) if not tokens([each])]
    of_people = [each for each in found if not is_system(each)]
    return [each for each in of_people if each.lower() not in own] or of_people or found


def _recipient(address: str, section: str, notice: str) -> Recipient:
    text = diagnostic(section) or diagnostic(notice) or (section or notice)[:DIAGNOSTIC].strip()
    category, is_hard = classify(None, "", text)
    for words in (section, notice):
        if category == Category.UNKNOWN:
            category, _ = classify(None, "", words)
    found = codes(text)
    return Recipient(
        address=address,
        reply_code=found.reply_code,
        status=found.enhanced,
        diagnostic=text,
        category=category,
        is_hard=is_hard,
    )
