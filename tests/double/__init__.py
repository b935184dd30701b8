"""A double of the vendor: HiDream's API over plain sockets, without code of the product, its simulator or its tests.

`python -m tests.double --folder F` serves one account. What it does is said by `F/script.json`, which may be replaced while
it runs; what was asked of it and bought from it stands in `F/books.jsonl`, one JSON object a line.
"""
