"""Feeds and exports of products that were made to break their readers."""

from tests.hostile.case import Door, add
from tests.hostile.manifests import content

CDN = "https://cdn.shop.example"
HEAD = '<?xml version="1.0"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>\n'
FOOT = "</channel></rss>"
ITEM = f"<item><g:id>A</g:id><g:image_link>{CDN}/a.jpg</g:image_link><g:product_type>Tops</g:product_type></item>"


def rss(*items: str) -> str:
    return HEAD + "\n".join(items) + FOOT


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
REFUSED = {
    "an entity bomb": (f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "ha">{BOMB}]><rss>&e9;</rss>', "document type"),
    "a quadratic bomb": (f'<!DOCTYPE rss [<!ENTITY e "{"x" * 100_000}">]><rss>{"&e;" * 1000}</rss>', "document type"),
    "a file of the machine": ('<!DOCTYPE rss [<!ENTITY e SYSTEM "file:///etc/passwd">]><rss>&e;</rss>', "document type"),
    "a document type elsewhere": ('<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/x.dtd"><rss/>', "document type"),
    "a web page": ("<!DOCTYPE html><html></html>", "document type"),
    "a page without its type": ("<html><body/></html>", r":1: is no feed: it begins with <html>"),
    "half a feed": (HEAD + ITEM * 3 + "<item><g:id>B</g:", r":3: is not XML to its end: (unclosed token|no element)"),
    "a feed without its end": (HEAD + ITEM, "is not XML to its end: no element found"),
    "tags that cross": (HEAD + "<item><g:id>A</item></g:id>", "mismatched tag"),
    "two feeds": (rss(ITEM) + rss(ITEM).removeprefix('<?xml version="1.0"?>\n'), "junk after document element"),
    "an unknown entity": (rss(ITEM.replace(">A<", ">&nbsp;<")), "undefined entity"),
    "a tag of 20 MB": (HEAD + f'<item a="{"x" * 20_000_000}"/>', "longer than 1 MB"),
    "a comment of 20 MB": (HEAD + f"<!--{'x' * 20_000_000}-->", "longer than 1 MB"),
    "an item of 20 MB": (HEAD + f"<item><g:id>{'x' * 20_000_000}</g:id></item>", "one item in it is longer than 1 MB"),
    "an item of a million parts": (HEAD + f"<item>{'<a>b</a>' * 200_000}</item>", "one item in it is longer"),
    "a million names": (HEAD + "<item>" + "</item><item>".join(f"<n{n}/>" for n in range(100_000)), "different names"),
    "a million levels": (HEAD + "<a>" * 1_000_000, "inside each other"),
    "a million levels in an item": (HEAD + "<item>" + "<a>" * 1_000_000, "inside each other"),
    "an encoding nobody knows": ('<?xml version="1.0" encoding="klingon"?><rss/>', "encoding"),
    "a NUL": (HEAD + "<item>\0</item>", "not well-formed"),
}  # fmt: skip


for name, (made, why) in REFUSED.items():
    add(f"a feed: {name}", Door.PRODUCTS, content("feed.xml", made), f"refused: .*{why}")

_TABLE = "sku,image,category\n"
_PRODUCT = f"A,{CDN}/a.jpg,top\n"


def _export(name: str, text: str | bytes, expected: str) -> None:
    add(f"an export: {name}", Door.PRODUCTS, content("shop.csv", text), expected)


_export(
    "200,000 lines of one product",
    "Handle,Variant SKU,Image Src,Type\n" + f"a,A,{CDN}/a.jpg,Tops\n" * 200_000,
    r"good, \d+ left out",
)
_export(
    "variations of parents that are not there",
    "SKU,Type,Images,Categories,Parent\n" + "".join(f"v{n},variation,,,id:{n}\n" for n in range(100_000)),
    r"left out",
)
_export(
    "a cell of a million pictures",
    f'sku,base_image,additional_images,categories\nA,{CDN}/a.jpg,"{"x.jpg," * 150_000}",Tops\n',
    r"left out",
)
_export(
    "a template that tells of line 9999",
    f"settings=attributeRow=9999&dataRow=1\nitem_sku,main_image_url\nA,{CDN}/a.jpg\n",
    r"good|refused",
)
_export("a quotation mark left open", _TABLE + '"' + _PRODUCT * 3000, r"good, 1 left out")
_export("a line of 5 MB", _TABLE + "x" * 5_000_000 + "\n" + _PRODUCT, r"1 good, 1 left out")
_export(
    "150,000 columns",
    ",".join(f"c{n}" for n in range(150_000)) + "\n" + _PRODUCT,
    r"refused: .*no export that is known",
)
_export(
    "letters of no encoding",
    _TABLE.encode() + b"\x81\xff\x8d\x90\n" + _PRODUCT.encode(),
    r"refused: .*encoding",
)
