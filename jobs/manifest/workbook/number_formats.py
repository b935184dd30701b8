"""Number formats: 123 in the format 00000 is 00123, and that is what a person has typed and reads."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from itertools import chain

#: A piece of a format: a quoted text, an escaped character, a space or a filler for another one, what stands in brackets
#: (a colour, a condition, a currency), or a single character.
_PIECE = re.compile(r'"[^"]*"|General|\\.|[_*].|\[[^\]]*\]|.', re.DOTALL | re.IGNORECASE)
#: What `General` shows among other pieces: all digits, and as many decimals as there are.
_GENERAL = ("0", ".", *"##########")
_CURRENCY = re.compile(r"\[\$([^\]-]*)")
_PLACES = frozenset("0#?")
#: Characters that stand for themselves; others (d, m, y, E, @ …) mean that it is a date, a fraction or a text.
_LITERAL = frozenset("-+/(): !^&'~{}<>=$€£¥%")
_MAX_CODE_CHARS = 255
_MAX_DECIMALS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """How a number is shown."""

    #: Pieces left of the decimal point: placeholders 0 # ? and texts.
    whole: tuple[str, ...]
    #: Placeholders right of it.
    decimals: str
    #: What stands behind the number.
    tail: str
    percent: bool

    def shown(self, number: float) -> str:
        """The number as a person sees it."""
        try:
            value = Decimal(repr(abs(number))) * (100 if self.percent else 1)
            value = value.quantize(Decimal(1).scaleb(-len(self.decimals)), ROUND_HALF_UP)
        except InvalidOperation:
            return str(number)
        digits, _, fraction = f"{value:f}".partition(".")
        optional = len(self.decimals) - len(self.decimals.rstrip("#"))
        while optional and fraction.endswith("0"):
            fraction, optional = fraction[:-1], optional - 1
        point = "." if fraction else ""
        sign = "-" if number < 0 and value else ""
        return f"{sign}{self._placed(digits.lstrip('0'))}{point}{fraction}{self.tail}".strip()

    def _placed(self, digits: str) -> str:
        """The digits in their placeholders, from the right; the leftmost takes all that are left."""
        left = sum(piece in _PLACES for piece in self.whole)
        shown: list[str] = []
        for piece in reversed(self.whole):
            if piece not in _PLACES:
                shown.append(piece)
                continue
            left -= 1
            taken = digits if not left else digits[-1:]
            digits = digits[: len(digits) - len(taken)]
            shown.append(taken or ("0" if piece == "0" else ""))
        return "".join(reversed(shown))


def number_format(code: str) -> NumberFormat | None:
    """The format of a code as styles hold it; None for one that shows nothing but the digits, or is for dates."""
    if len(code) > _MAX_CODE_CHARS or code.lower() == "general":
        return None
    whole: list[str] = []
    decimals, tail, seen_point, percent = "", "", False, False
    pieces = _PIECE.findall(code)
    if "/" in pieces and "?" in pieces:
        return None
    for piece in chain.from_iterable(
        _GENERAL if piece.lower() == "general" else (piece,) for piece in pieces
    ):
        if piece == ";":  # what follows is for negative numbers and for zero
            break
        if piece in _PLACES and not tail:
            decimals, whole = (decimals + piece, whole) if seen_point else (decimals, [*whole, piece])
        elif piece == "." and not seen_point:
            seen_point = True
        elif (text := _text(piece)) is None:
            return None
        else:
            percent = percent or piece == "%"
            whole, tail = (whole, tail + text) if seen_point else ([*whole, text], tail)
    made = NumberFormat(
        whole=tuple(piece for piece in whole if piece), decimals=decimals, tail=tail, percent=percent
    )
    return made if _tells_something(made) else None


def _text(piece: str) -> str | None:
    """What a piece that is no placeholder shows; None for one of a date, a fraction or a text."""
    if len(piece) > 1:
        if piece[0] == "[":
            currency = _CURRENCY.match(piece)
            return currency[1] if currency else None if piece[1:2] in "hmsHMS" else ""
        return {'"': piece[1:-1], "\\": piece[1:]}.get(piece[0], "")
    if piece == ",":  # the separator of thousands differs from country to country: it is left out
        return ""
    return piece if piece in _LITERAL else None


def _tells_something(made: NumberFormat) -> bool:
    places = [piece for piece in made.whole if piece in _PLACES]
    if not places or len(made.decimals) > _MAX_DECIMALS:
        return False
    return places.count("0") > 1 or "0" in made.decimals or bool(made.tail) or len(places) < len(made.whole)
