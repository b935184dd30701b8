"""Google Merchant's feeds in XML, RSS or Atom, as a stream: one item is held, and nothing is fetched or expanded."""

import codecs
import re
from collections.abc import Iterator
from typing import Any, NoReturn
from xml.parsers import expat

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.products.layouts import MERCHANT, Columns
from jobs.products.records import Product

_CHUNK_BYTES = 1 << 16
#: Bytes of one item, and of one tag or comment; different names of tags; levels above the items, and within one.
_ITEM_BYTES = 1_000_000
_TAG_BYTES = 1_000_000
_NAMES = 5_000
_LEVELS = 20
_ROOTS = frozenset({"rss", "feed", "RDF"})
_ITEMS = frozenset({"item", "entry"})
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']""")
#: Encodings of several bytes a character that the parser does not know: put into UTF-8 for it.
_OTHERS = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030"} | {
    name: name for name in ("big5", "shift_jis", "euc_jp", "euc_kr")
}
#: The parts of an item by the columns of a table of the same name.
_COLUMNS = Columns(MERCHANT, (*MERCHANT.sku, *MERCHANT.pictures, *MERCHANT.categories, *MERCHANT.group))
_FIRST, _FURTHER = MERCHANT.pictures


class Feed:
    """A feed: its items as products."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def products(self) -> Iterator[Product]:
        """Streams the products.

        Raises:
            ManifestError: no feed, not XML to its end, or with a document type, which is what bombs are made of.
        """
        declared = _DECLARED.match(self._content.head()[:200])
        other = _OTHERS.get(_normal(declared[1].decode())) if declared else None
        decode = codecs.getincrementaldecoder(other)("replace").decode if other else None
        items = _Items(self._content.name, "utf-8" if other else None)
        stream = self._content.stream()
        while chunk := stream.read(_CHUNK_BYTES):
            yield from items.feed(decode(chunk).encode() if decode else chunk)
        yield from items.feed(b"", last=True)


class _Items:
    """The parser's handlers. They are called for every tag there is, so they do as little as can be."""

    def __init__(self, name: str, encoding: str | None) -> None:
        self._name = name
        #: The parser keeps every name of a tag.
        self._names: dict[str, str] = {}
        self._parser = parser = expat.ParserCreate(encoding, intern=self._names)
        parser.buffer_text = True
        parser.buffer_size = _CHUNK_BYTES
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._fed = 0
        self._level = 0
        #: Level of the parts of the item that is being read; 0 outside of one.
        self._part_level = 0
        self._line, self._from = 0, 0
        self._texts: list[str] = []
        self._parts: dict[str, str] = {}
        #: Name of a part → without its prefix.
        self._locals: dict[str, str] = {}
        #: Parts whose name the item has already.
        self._again: list[tuple[str, str]] = []
        self._made: list[Product] = []

    def feed(self, chunk: bytes, *, last: bool = False) -> list[Product]:
        """The items that end in this chunk."""
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            why = expat.ErrorString(error.code)
            raise ManifestError(f"{self._name}:{error.lineno}: is not XML to its end: {why}") from None
        except (LookupError, ValueError):
            raise self._error("is in an encoding that is not read; save it as UTF-8") from None
        if not last and self._fed - max(self._parser.CurrentByteIndex, 0) > _TAG_BYTES:
            raise self._error("one tag or comment in it is longer than 1 MB")
        if self._part_level and self._fed - self._from > _ITEM_BYTES:
            raise self._error("one item in it is longer than 1 MB")
        if len(self._names) > _NAMES:
            raise self._error(f"has more than {_NAMES:,} different names of tags")
        made, self._made = self._made, []
        return made

    def _start(self, name: str, _attributes: Any) -> None:
        self._level = level = self._level + 1
        if level == self._part_level:
            self._texts.clear()
        elif not self._part_level:
            self._start_outside(name)
        elif level > self._part_level + _LEVELS:
            raise self._too_deep()

    def _start_outside(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if self._level == 1 and local not in _ROOTS:
            raise self._error(f"is no feed: it begins with <{name[:40]}>, not with <rss> or <feed>")
        if self._level > _LEVELS:
            raise self._too_deep()
        if local in _ITEMS:
            self._part_level = self._level + 1
            self._line, self._from = self._parser.CurrentLineNumber, self._parser.CurrentByteIndex
            self._texts.clear()
            self._parser.CharacterDataHandler = self._texts.append

    def _end(self, name: str) -> None:
        level = self._level
        self._level = level - 1
        if level == self._part_level:
            text = "".join(self._texts).strip()
            if not text:
                pass
            elif name in self._parts:
                self._again.append((name, text))
            else:
                self._parts[name] = text
        elif level + 1 == self._part_level:
            self._parser.CharacterDataHandler = None
            self._part_level = 0
            self._made.append(self._product())
            self._parts, self._again = {}, []

    def _product(self) -> Product:
        """The item as a product; of `g:id` and `id` the one with a prefix counts."""
        fields: dict[str, str] = {}
        locals_ = self._locals
        for name, text in self._parts.items():
            local = locals_.get(name) or locals_.setdefault(name, name.rpartition(":")[2])
            if local not in fields or ":" in name:
                fields[local] = text
        more: dict[str, list[str]] = {}
        for name, text in self._again:
            local = name.rpartition(":")[2]
            more.setdefault(local, [fields[local]]).append(text)
        pictures = [fields[name] for name in (_FIRST, _FURTHER) if name in fields]
        fields |= {name: ", ".join(texts) for name, texts in more.items()}
        sku = fields.get("id", "")
        return Product(
            place=str(self._line),
            sku=sku,
            group=fields.get("item_group_id") or sku,
            pictures=(*pictures, *more.get(_FURTHER, [])[1:]),
            categories=_COLUMNS.categories_of(fields),
            fields=fields,
        )

    def _refuse_doctype(self, name: str, *_: Any) -> NoReturn:
        raise self._error(
            f"has a document type (<!DOCTYPE {name[:40]} …>), which no feed needs; it is not read"
        )

    def _too_deep(self) -> ManifestError:
        return self._error(f"has more than {_LEVELS} tags inside each other")

    def _error(self, why: str) -> ManifestError:
        return ManifestError(f"{self._name}:{self._parser.CurrentLineNumber}: {why}")


def _normal(encoding: str) -> str:
    return encoding.lower().replace("-", "_")
