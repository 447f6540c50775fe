"""Tell answers that a program gives for a person from notices of failure (RFC 3834)."""

import re

from tracking.bounces.mime import Part, words

_HEADERS = {
    "x-autoreply", "x-auto-reply", "x-autorespond", "x-autoresponder", "x-autoreply-from",
    "x-auto-reply-from", "x-mail-autoreply", "x-vacation", "x-fc-machinegenerated",
    "x-challenge", "x-boxbe", "x-tmda-confirm", "x-spamarrest",
}  # fmt: skip
_PREFIX = re.compile(r"\s*(?:(?:re|aw|sv)\s?:\s?){1,3}", re.IGNORECASE)
_AWAY = re.compile(
    "|".join(
        (
            r"\s*\[?auto(?:matic|mated|matisch\w*)?[- ]?(?:reply|respon\w*|antwor\w*|answer|svar)",
            r"\s*(?:r[ée]ponse automatique|(?:respuesta|risposta|resposta) autom)",
            r"\s*(?:автоответ|自動(?:返信|応答)|自动(?:回复|答复))",
            r"\s*(?:i am |i'm )?(?:currently )?(?:out of (?:the )?office|ooo\b|away\b|not in the)",
            r"\s*(?:i am |i'm )?on (?:vacation|holiday|leave)|\s*(?:vacation|holiday)\b",
            r"\s*(?:abwesen|im urlaub|urlaub|absence|absent|afwezig|nieobecno|poissaolo|frånvaro)",
            r"\s*(?:fuori (?:sede|ufficio)|fuera de (?:la )?oficina|não estou)",
        )
    ),
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(?:confirm|verify|validate|authenticate) (?:your|this|that you|the) (?:message|e-?mail|mail)"
    r"|(?:confirm|verify) (?:your|that you|the) (?:address|sender|identity|are)"
    r"|(?:verification|confirmation) required|challenge|sender verification|boxbe|spam ?arrest"
    r"|waiting for (?:your )?(?:approval|confirmation|verification)",
    re.IGNORECASE,
)


def is_automatic(top: Part) -> bool:
    """Return whether a program writes: of somebody away, or that asks who the sender is."""
    return (
        not _HEADERS.isdisjoint(name for name, _ in top.headers)
        or top.first("auto-submitted").strip().lower().startswith("auto-")
        or top.first("precedence").strip().lower() in {"auto_reply", "auto-reply"}
        or says_away(top)
        or bool(_CHALLENGE.search(words(top.first("subject"))))
    )


def says_away(top: Part) -> bool:
    """Return whether the subject says so, which is stronger than who seems to have written it."""
    return bool(_AWAY.match(_PREFIX.sub("", words(top.first("subject")), count=1)))
