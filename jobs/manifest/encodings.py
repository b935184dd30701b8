"""The encoding of a text that does not say it: one decision for the whole file, by how likely each reading is.

Every candidate decodes the same lines; what it makes of them costs bits, as a language model would count them: few for
letters that its languages use often, many for letters that nobody writes, and for letters where nobody writes them.
"""

import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.errors import ManifestError
from jobs.manifest.aliases import column_of
from jobs.manifest.content import Content
from jobs.manifest.letters import UTF8, Candidate, candidates
from jobs.manifest.lines import BOM
from jobs.manifest.reading import Reading
from jobs.manifest.recoded import utf16_of

#: Bits of an ASCII character in any of them: some take it for the second half of a letter.
_ASCII_BITS = 4
#: Bits of each byte that is not ASCII, of a line that is not of the encoding.
_FAULT_BITS = 14
#: Letters by which a text that reads as UTF-8 from end to end is proven to be it.
_PROOF_LETTERS = 4
#: Bits that a known column's name is worth.
_NAME_BITS = 40
#: Bits by which the best reading must be better than the next one, and by which it is sure to be right; of UTF-8, which
#: other texts seldom are by chance, the latter.
_MARGIN_BITS = 5
_SURE_BITS = 15
_SURE_UTF8_BITS = 9
#: Lines that are looked at.
_WEIGHED_LINES = 400
#: Bytes of one of them.
_PIECE_BYTES = 1000
_CHUNK_BYTES = 1 << 16
_LOOK_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What was decided of a text, or why nothing could be."""

    #: As Python calls it; "" for none.
    encoding: str = ""
    #: "" for UTF-8 that is sure; else what it was read as, or why it was not, a sentence.
    said: str = ""
    #: What it may be too; "" when it is sure.
    rival: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The lines as one candidate reads them."""

    of: Candidate
    text: str
    #: Lines that it cannot read.
    faults: int
    bits: float
    #: Whether people write such letters, as far as it could read the lines.
    likely: bool


def weigh(lines: Sequence[bytes], is_known: Callable[[str], object] = column_of) -> Weighed:
    """Decides on the encoding of a text.

    Args:
        lines: those of its lines that are not ASCII.
        is_known: whether a cell is a column's name that is known.
    """
    whole = _decoded(b"\n".join(lines), UTF8)
    if whole is not None and (not lines or sum(not letter.isascii() for letter in whole) >= _PROOF_LETTERS):
        return Weighed(encoding=UTF8)
    readings = sorted((_reading(one, lines, is_known) for one in candidates()), key=lambda each: each.bits)
    best = readings[0]
    if not best.likely or best.faults * 2 > len(lines):
        return Weighed(
            said="the encoding of its text is not clear; save it as “CSV UTF-8”, or name it, e.g. --encoding cp437"
        )
    others = [each for each in readings[1:] if each.text != best.text]
    other = next((each for each in others if each.likely), None)
    ahead = other.bits - best.bits if other else math.inf
    if other and other is others[0] and ahead < _MARGIN_BITS and best.of.name != UTF8:
        return Weighed(
            said=f"its text may be {best.of.name} ({best.of.languages}) or {other.of.name} ({other.of.languages});"
            f" say which: --encoding {best.of.name}"
        )
    if other and ahead < (_SURE_UTF8_BITS if best.of.name == UTF8 else _SURE_BITS):
        said = f"read as {_named(best.of)}, which is not sure: it may be {_named(other.of)}; --encoding says which"
        return Weighed(encoding=best.of.name, said=said, rival=other.of.name)
    if best.of.name == UTF8:
        return Weighed(encoding=UTF8)
    return Weighed(encoding=best.of.name, said=f"read as {_named(best.of)}; --encoding names another")


def _named(candidate: Candidate) -> str:
    return f"{candidate.name} ({candidate.languages})" if candidate.languages else "UTF-8"


def settle_encoding(content: Content, reading: Reading) -> None:
    """Finds out how a text is written, and says so to its content: as asked for, by its mark, or by its letters.

    Raises:
        ManifestError: no encoding is likely enough.
    """
    head = content.head()
    content.foreign = True
    if known := reading.encoding or utf16_of(head):
        content.encoding = known
        return
    lines = list(islice(_foreign_lines(content.stream()), _WEIGHED_LINES))
    content.foreign = bool(lines) or head.startswith(BOM) or b"\\u" in head  # as JSON writes it
    if head.startswith(BOM) or _is_binary(head):
        return
    found = weigh(lines, reading.is_known)
    if not found.encoding:
        raise ManifestError(f"{content.name}: {found.said}")
    content.remarks = (found.said,) if found.said else ()
    content.unsure = f"{found.encoding} or {found.rival}" if found.rival else ""
    if found.encoding != UTF8:
        content.encoding, content.guessed = found.encoding, True


def _is_binary(head: bytes) -> bool:
    """Whether it is not text at all, which others say in their words."""
    return b"\0" in head[:_LOOK_BYTES]


def _foreign_lines(stream: io.BufferedReader) -> Iterator[bytes]:
    """The lines that are not ASCII; of very long ones a piece for each chunk."""
    held = b""
    while chunk := stream.read(_CHUNK_BYTES):
        if held.isascii() and chunk.isascii():
            continue
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > _CHUNK_BYTES:
            lines.append(held)
            held = b""
        yield from (_piece(line) for line in lines if not line.isascii())
    if not held.isascii():
        yield _piece(held)


def _piece(line: bytes) -> bytes:
    """Of a long line what stands before a sign that ends a letter in any encoding."""
    if len(line) <= _PIECE_BYTES:
        return line
    begin = next(place for place, byte in enumerate(line) if byte >= 0x80)  # noqa: PLR2004 ASCII ends there
    piece = line[max(0, begin - 1) :][:_PIECE_BYTES]
    return piece[: max(map(piece.rfind, (b",", b'"', b" ")))] if len(piece) == _PIECE_BYTES else piece


def _reading(candidate: Candidate, lines: Iterable[bytes], is_known: Callable[[str], object]) -> _Reading:
    decoded: list[str] = []
    faults, bits = 0, candidate.prior
    for line in lines:
        text = _decoded(line, candidate.name)
        if text is None:
            faults += 1
            foreign = sum(byte >= 0x80 for byte in line)  # noqa: PLR2004 ASCII ends there
            bits += _FAULT_BITS * foreign + _ASCII_BITS * (len(line) - foreign)
        else:
            decoded.append(text)
    text = "\n".join(decoded)
    counts = Counter(text)
    letters = {letter: count for letter, count in counts.items() if not letter.isascii()}
    there = sum(letters.values())
    spent = sum(count * candidate.of(letter) for letter, count in letters.items())
    spent += sum(each * sum(1 for _ in pattern.finditer(text)) for pattern, each in candidate.odd)
    bits += spent + _ASCII_BITS * (len(text) - there)
    bits -= _NAME_BITS * sum(
        not cell.isascii() and bool(is_known(cell.strip(' "')))
        for cell in re.split("[,;\t|]", decoded[0] if decoded else "")
    )
    likely = 0 < spent <= candidate.most * there
    return _Reading(of=candidate, text=text, faults=faults, bits=bits, likely=likely)


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None
