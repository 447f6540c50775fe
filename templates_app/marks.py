"""What a template says to everybody, kept out of its rendering.

Of a newsletter nearly all is the same for each recipient, and what stands between its tags need
neither be printed nor encoded again: a mark takes its place, and the same object takes the mark's.
"""

import secrets
from itertools import pairwise

from templates_app.grammar import blocks

_SHORTEST = 20  # characters; a mark for less is dearer than the text


class Marks:
    """The marks of one template; `source` is the template with them.

    Space beside a tag that removes it (`{{-`), and at the end, stays where the engine looks for it.
    """

    def __init__(self, source: str) -> None:
        # No recipient's field has it in it: what it marks cannot be forged.
        self._mark = f"\x1f{secrets.token_hex(8)}\x1f"
        self._texts: dict[str, str] = {}
        ends = [0, *(end for block in blocks(source) for end in block), len(source)]
        self.source = "".join(
            self._marked(source, start, end) if number % 2 == 0 else source[start:end]
            for number, (start, end) in enumerate(pairwise(ends))
        )

    def pieces(self, rendered: str) -> list[str]:
        """Return what came out of the template, in consecutive pieces, none of them empty.

        What stood between tags comes as the same object each time.
        """
        pieces = rendered.split(self._mark)
        pieces[1::2] = [self._texts[number] for number in pieces[1::2]]
        return [piece for piece in pieces if piece]

    def _marked(self, source: str, start: int, end: int) -> str:
        text = source[start:end]
        is_trimmed = source[start - 3 : start - 2] == "-" or source[end + 2 : end + 3] == "-"
        core = text.strip() if is_trimmed or end == len(source) else text
        if len(core) < _SHORTEST:
            return text
        number = str(len(self._texts))
        self._texts[number] = core
        return text.replace(core, f"{self._mark}{number}{self._mark}", 1)
