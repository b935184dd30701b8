#!/usr/bin/env bash
# One would expect: of a Google Merchant feed, which is RSS 2.0, feedparser gives a list where a product repeats an element, as it does
#   for links and tags; and what stands inside an element stays there.
# What happens: of up to ten `g:additional_image_link` the last one is left, as a text. Elements inside `g:shipping` become the product's
#   own: a product without a price, as supplemental feeds have it, has the price of its shipping. `bozo` stays False.
# Why it matters here: nine of ten pictures are lost, perhaps the one of the garment alone, and a dress costs 4.95 EUR. Read such a feed as XML.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check feedparser==6.0.14
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import feedparser

pictures = "".join(
    f"<g:additional_image_link>https://cdn.test/{number}.jpg</g:additional_image_link>" for number in range(1, 11)
)
shipping = "<g:shipping><g:country>DE</g:country><g:price>4.95 EUR</g:price></g:shipping>"
feed = f"""<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<title>Shop</title><link>https://shop.test</link><description>Clothes</description>
<item><g:id>S1</g:id><g:title>Dress</g:title><g:image_link>https://cdn.test/0.jpg</g:image_link>{pictures}
<g:price>79.00 EUR</g:price>{shipping}</item>
<item><g:id>S2</g:id>{shipping}</item>
</channel></rss>"""
read = feedparser.parse(feed)
first, second = read.entries
print("feedparser", feedparser.__version__, "bozo", read.bozo)
print("ten more pictures are read as", repr(first.g_additional_image_link))
print("a price and a shipping:", first.g_price, "| a shipping alone:", second.g_price, "and in", repr(second.g_shipping), "nothing")
assert not read.bozo and first.g_additional_image_link == "https://cdn.test/10.jpg"
assert (first.g_price, second.g_price, second.g_shipping) == ("79.00 EUR", "4.95 EUR", ""), read.entries
EOF
