"""Names of files that are no UTF-8, as old archives and other systems leave them: they work, or are refused in one line."""

import json
import os

from jobs.ledger.codec import decode_pair, decode_path, encode_pair, encode_path
from jobs.records import LocalFile, Pair, shown
from tests.runs.vendor import picture

HEAD = "sku,person,upper_clothes\n"


def test_a_manifest_and_folders_of_any_name_are_taken(shop):
    folder = os.fsdecode(b"cat\xe9gorie")
    (shop.folder / folder).mkdir()
    shop.write(f"{folder}/anna.jpg", picture("anna"))
    shop.write(
        os.fsdecode(b"cat\xe9gorie/caf\xe9.csv"), HEAD + "A,anna.jpg,https://cdn.example/1.jpg\nB,,x\n"
    )
    manifest = os.fsdecode(b"cat\xe9gorie/caf\xe9.csv")
    told = shop.vton("plan", manifest)
    assert (told.code, told.out.splitlines()[0]) == (0, r"caf\xe9.csv: 2 rows")
    fed = shop.vton("enqueue", manifest, "--batch", "b")
    assert (fed.code, fed.out) == (0, "b: 2 rows, 1 to submit, 0 reused, 0 duplicate, 1 invalid\n")
    assert [event["where"] for event in fed.events if event["event"] == "row.invalid"] == [r"caf\xe9.csv:3"]
    assert shop.vton("results", "b", "-o", "out").code == 0
    assert json.loads((shop.folder / "out/b/summary.json").read_text())["manifest"] == r"caf\xe9.csv"
    again = json.loads(shop.vton("plan", "out/b/failed.csv", "--json").out)
    assert (again["rows"], again["waiting"], again["invalid"]) == (2, 1, 1), (
        "its pictures are found beside the manifest"
    )


def test_a_name_that_is_nothing_is_told_in_one_line(shop):
    for words, code in (
        (("plan", os.fsdecode(b"no\xe9.csv")), 4),
        (("enqueue", shop.urls(1), "--again", os.fsdecode(b"\xe9")), 2),
        (("plan", shop.urls(1), "--again", os.fsdecode(b"\xe9")), 2),
        (("enqueue", shop.urls(1), "--batch", os.fsdecode(b"\xe9")), 2),
        (("status", os.fsdecode(b"\xe9")), 4),
        (("results", os.fsdecode(b"\xe9")), 4),
        (("retry", os.fsdecode(b"\xe9")), 4),
        (("cancel", os.fsdecode(b"\xe9")), 4),
    ):
        ended = shop.vton(*words)
        assert ended.code == code, (words, ended)
        assert ended.err.startswith("vton: ")
        assert ended.err.count("\n") == 1


def test_paths_of_any_bytes_come_back_from_the_ledger_as_they_were() -> None:
    path = os.fsdecode(b"/shop/caf\xe9/\xe4\xb8\x8a.jpg")
    assert decode_path(encode_path(path).encode().decode()) == path
    assert encode_path("/shop/上衣") == "/shop/上衣"
    pair = Pair(person=LocalFile(path=path, sha256="a" * 64))
    assert decode_pair(encode_pair(pair).encode().decode()) == pair
    assert shown(path) == r"/shop/caf\xe9/上.jpg"
