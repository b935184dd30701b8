"""One way of reading a feed, in a process of its own with the product's Python: `WAY MEGABYTES FOLDER`; JSON on stdout."""

import json
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

_ITEM = """<item>
  <g:id>D-{n:08}</g:id><title>Long dress</title><link>https://shop.example/p/{n:08}</link>
  <description>{text}</description>
  <g:image_link>https://cdn.shop.example/{n:08}.jpg</g:image_link>
  <g:additional_image_link>https://cdn.shop.example/{n:08}b.jpg</g:additional_image_link>
  <g:additional_image_link>https://cdn.shop.example/{n:08}c.jpg</g:additional_image_link>
  <g:availability>in_stock</g:availability><g:price>90 EUR</g:price><g:brand>Example</g:brand>
  <g:google_product_category>2271</g:google_product_category><g:item_group_id>G-{n:08}</g:item_group_id>
  <g:gender>female</g:gender><g:color>blue</g:color><g:size>M</g:size><g:condition>new</g:condition>
  <g:age_group>adult</g:age_group><g:material>linen</g:material>
  <g:shipping><g:country>DE</g:country><g:price>5 EUR</g:price></g:shipping>
</item>
"""
_TEXT = "A soft linen garment with a &quot;narrow&quot; collar &amp; pockets. " * 12
ITEM_BYTES = len(_ITEM.format(n=0, text=_TEXT))
_PEOPLE = "".join(f"- {{name: p{n}, picture: 'https://cdn.shop.example/p{n}.jpg'}}\n" for n in range(3))


def main(way: str, megabytes: int, folder: Path) -> None:
    """Writes the feed, reads it, and says what the reading took."""
    path = folder / "feed.xml"
    with path.open("w", encoding="utf-8") as file:
        file.write('<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n')
        for number in range(megabytes * 1_000_000 // ITEM_BYTES):
            file.write(_ITEM.format(n=number, text=_TEXT))
        file.write("</channel></rss>\n")
    (folder / "people.yaml").write_text(_PEOPLE)
    began = time.process_time()
    {"bare": _bare, "iterparse": _iterparse, "ours": _ours, "ours-pairs": _pairs}[way](path)
    print(json.dumps({"cpu_s": time.process_time() - began}))


def _bare(path: Path) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda _name, _attributes: None
    parser.EndElementHandler = lambda _name: None
    parser.CharacterDataHandler = lambda _text: None
    with path.open("rb") as file:
        while chunk := file.read(1 << 16):
            parser.Parse(chunk, False)
    parser.Parse(b"", True)


def _iterparse(path: Path) -> None:
    for _, element in ET.iterparse(path):
        if element.tag == "item":
            element.clear()


def _ours(path: Path) -> None:
    # The benchmarks' own Python, which reads this module's numbers, has no product.
    from jobs.manifest.content import open_content
    from jobs.products.feed import Feed

    for _ in Feed(open_content(str(path))).products():
        pass


def _pairs(path: Path) -> None:
    from jobs.cli.commands import load

    words = [str(path), "--people", str(path.parent / "people.yaml"), "-o", str(path.parent / "today.csv")]
    load("pairs").main(words, standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
