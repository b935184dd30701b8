"""XML as a stream of elements, with limits. A document type, and with it every entity, is refused."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from jobs.manifest.workbook.errors import WorkbookError

#: Bytes without an end in sight of one tag, comment or piece of text.
_MAX_TOKEN_BYTES = 4_000_000
#: How deep elements may stand in each other.
_MAX_DEPTH = 200


@dataclass(slots=True, kw_only=True)
class Element:
    """The beginning of an element, or its end."""

    #: Without the prefix of its namespace: writers choose different ones.
    name: str
    #: Without prefixes too.
    attributes: dict[str, str]
    #: Whether this is its end.
    end: bool = False
    #: At the end: the text that stands directly in it.
    text: str = ""
    #: At the end: texts as they came.
    pieces: list[str] = field(default_factory=list)


def elements(chunks: Iterable[bytes]) -> Iterator[Element]:
    """Streams beginnings and ends in their order.

    Raises:
        WorkbookError: no well-formed XML, a document type, or absurdly long or deep.
    """
    found: list[Element] = []
    within: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(within) > _MAX_DEPTH:
            raise WorkbookError(_ABSURD)
        plain = {local(key): value for key, value in attributes.items()}
        element = Element(name=local(name), attributes=plain)
        within.append(element)
        found.append(element)

    def end(_: str) -> None:
        element = within.pop()
        text = "".join(element.pieces)
        found.append(Element(name=element.name, attributes=element.attributes, end=True, text=text))

    def piece(text: str) -> None:
        if within:
            within[-1].pieces.append(text)

    for _ in feed(chunks, start=start, end=end, text=piece):
        yield from found
        found.clear()


def feed(
    chunks: Iterable[bytes],
    *,
    start: Callable[[str, Any], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> Iterator[None]:
    """Calls the three for what stands in the chunks; gives a turn to its caller after each chunk.

    Names come as written, with their prefixes.

    Raises:
        WorkbookError: as `elements`.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    fed = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > _MAX_TOKEN_BYTES:
                raise WorkbookError(_ABSURD)
            yield
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise WorkbookError(
            f"a part of it is no XML (line {error.lineno}); open it in Excel or LibreOffice and save it again"
        ) from error
    yield


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


_ABSURD = "a part of it is absurdly long or deep; that is no table of ours"


def _refuse_document_type(*_: object) -> None:
    raise WorkbookError(
        "a part of it declares a document type, as no spreadsheet program does; it is not read"
    )
