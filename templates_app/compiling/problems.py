"""What an author must know about what was written, and where it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault, or a warning, in the words of the author's own source."""

    part: str  # subject, preheader, source, text, layout or link_parameters
    line: int | None
    message: str
    language: str = ""
    piece: str = ""  # such as: snippet 'footer', where the line is one of it
    unknown: str = ""  # the name that nobody has, where that is the problem

    def __str__(self) -> str:
        where = [self.piece or self.part]
        where += [f"line {self.line}"] if self.line else []
        where += [f"({self.language})"] if self.language else []
        return f"{', '.join(where).replace(', (', ' (')}: {self.message}"
