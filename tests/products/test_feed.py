"""Google Merchant's feeds: RSS and Atom as a stream; what blows up, lies or breaks off is refused in words."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ManifestError
from jobs.manifest.content import open_content
from jobs.products.categories import Categories
from jobs.products.feed import Feed
from jobs.products.records import Product
from jobs.records import Slot
from tests.hostile.feeds import CDN, FOOT, HEAD, ITEM, REFUSED, rss
from tests.products.conftest import seen


def test_an_rss_feeds_items_are_products_with_all_their_pictures(read):
    (product,) = read(
        rss(
            f"""<item>
            <title><![CDATA[Long & wide]]></title>
            <g:id> D-1 </g:id>
            <description>Linen, <b>soft</b> &amp; wide</description>
            <g:image_link>{CDN}/d.jpg?a=1&amp;b=2</g:image_link>
            <g:additional_image_link>{CDN}/a,1.jpg</g:additional_image_link>
            <g:additional_image_link>{CDN}/b.jpg</g:additional_image_link>
            <g:lifestyle_image_link>{CDN}/life.jpg</g:lifestyle_image_link>
            <g:google_product_category>Apparel &amp; Accessories &gt; Clothing &gt; Dresses</g:google_product_category>
            <g:item_group_id>D</g:item_group_id>
            <g:price>90 EUR</g:price>
            <g:shipping><g:country>DE</g:country> <g:price>5 EUR</g:price></g:shipping>
            <g:size/>
            </item>"""
        ),
        "feed.xml",
    )
    assert isinstance(product, Product)
    assert (product.place, product.sku, product.group) == ("3", "D-1", "D")
    assert product.pictures == (f"{CDN}/d.jpg?a=1&b=2", f"{CDN}/a,1.jpg", f"{CDN}/b.jpg")
    assert Categories().slot(product.categories) == Slot.DRESS
    assert dict(product.fields) == {
        "title": "Long & wide",
        "id": "D-1",
        "description": "Linen, soft & wide",
        "image_link": f"{CDN}/d.jpg?a=1&b=2",
        "additional_image_link": f"{CDN}/a,1.jpg, {CDN}/b.jpg",
        "lifestyle_image_link": f"{CDN}/life.jpg",
        "google_product_category": "Apparel & Accessories > Clothing > Dresses",
        "item_group_id": "D",
        "price": "90 EUR",
        "shipping": "DE 5 EUR",
    }


def test_an_atom_feeds_entries_are_products_and_the_shops_id_is_googles(read):
    found = read(
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><id>tag:shop</id>\n'
        f"<entry><g:id>A</g:id><id>tag:shop,a</id><g:image_link>{CDN}/a.jpg</g:image_link></entry>\n"
        f"<entry><id>tag:shop,b</id><g:id>B</g:id><g:image_link>{CDN}/b.jpg</g:image_link></entry></feed>",
        "feed.xml",
    )
    assert seen(found) == [("2", "A", f"{CDN}/a.jpg"), ("3", "B", f"{CDN}/b.jpg")]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "gbk", "shift_jis"]
)
def test_a_feed_is_read_in_the_encoding_that_it_says(read, encoding):
    sku = "裙" if encoding in {"utf-8", "utf-8-sig", "utf-16", "gbk", "shift_jis"} else "Größe"
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><rss>{ITEM.replace(">A<", f">{sku}<")}</rss>'
    text = text.replace("<rss>", '<rss xmlns:g="g">')
    assert [each.sku for each in read(text.encode(encoding), "feed.xml")] == [sku]


@pytest.mark.parametrize(("content", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_made_to_do_harm_is_refused_in_words(tmp_path, content, why):
    path = tmp_path / "feed.xml"
    path.write_text(content)
    opened = Feed(open_content(str(path)))
    tracemalloc.start()
    try:
        with pytest.raises(ManifestError, match=why):
            for _ in opened.products():
                pass
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    min_size=1,
)


@given(
    parts=st.lists(
        st.tuples(st.sampled_from(["g:a", "b", "g:c"]), TEXT.filter(str.strip)),
        unique_by=lambda each: each[0],
    )
)
def test_any_text_comes_back_as_it_was_written(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("feed") / "feed.xml"
    inside = "".join(
        f"<{name}>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</{name}>"
        for name, text in parts
    )
    path.write_text(HEAD + f"<item>{inside}</item>" + FOOT, encoding="utf-8")
    (product,) = Feed(open_content(str(path))).products()
    assert dict(product.fields) == {name.removeprefix("g:"): text.strip() for name, text in parts}
