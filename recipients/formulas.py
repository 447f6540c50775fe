"""Cells that a spreadsheet would run as formulas (OWASP, CSV injection)."""

# Full-width signs count like the others in East Asian versions of spreadsheets.
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
GUARD = "'"


def guarded(text: str) -> str:
    """Return a text as a spreadsheet shows it and does not run it.

    One that looks guarded already gets one more: so each comes back as it was.
    """
    return GUARD + text if text.lstrip(GUARD).startswith(STARTS) else text


def unguarded(text: str) -> str:
    """Return the text that was guarded; others as they are."""
    if text.startswith(GUARD) and text.lstrip(GUARD).startswith(STARTS):
        return text[1:]
    return text
