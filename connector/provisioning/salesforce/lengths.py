"""How many characters a text of AWS may have, read from its pattern. Reads what AWS's model uses, no more."""

from __future__ import annotations

import re

_SAID = re.compile(r"\(\?(?:s\)|=)\.\{\d+,(\d+)\}")
_PIECE = re.compile(
    r"""(?P<lookahead>\(\?[=!][^()]*\))
      | (?P<open>\((?:\?:)?)
      | (?P<close>\))
      | (?P<either>\|)
      | (?P<one>\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\.|[^\\\[\](){}|?*+])
    """,
    re.VERBOSE,
)
_TIMES = re.compile(r"\{(\d+)(,(\d*))?\}|[?*+]")


def most_characters(pattern: str) -> int | None:
    """The longest text that fits a pattern; None where it sets no bound, or is of a kind not read here."""
    said = _SAID.search(pattern)
    if said is not None:
        return int(said[1])
    return _Widths(pattern).read() if pattern else None


class _Widths:
    """Adds up a pattern from left to right; ``None`` is without bound, or not understood."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def read(self) -> int | None:
        width = self._branches()
        return width if self._at == len(self._pattern) else None

    def _branches(self) -> int | None:
        """The widest of alternatives, up to the parenthesis that closes them."""
        found: list[int | None] = [0]
        while (piece := _PIECE.match(self._pattern, self._at)) is not None and piece.lastgroup != "close":
            self._at = piece.end()
            if piece.lastgroup == "either":
                found.append(0)
                continue
            width = self._width_of(piece)
            before = found[-1]
            found[-1] = None if before is None or width is None else before + width
        widths = [width for width in found if width is not None]
        return max(widths) if len(widths) == len(found) else None

    def _width_of(self, piece: re.Match[str]) -> int | None:
        if piece.lastgroup == "lookahead":
            return 0
        if piece.lastgroup == "one":
            return self._repeated(1)
        inner = self._branches()
        self._at += 1  # the parenthesis that closes it
        return self._repeated(inner)

    def _repeated(self, width: int | None) -> int | None:
        times = _TIMES.match(self._pattern, self._at)
        if times is None:
            return width
        self._at = times.end()
        most = times[3] if times[2] else times[1]
        if times[0] == "?":
            return width
        return width * int(most) if most and width is not None else None
