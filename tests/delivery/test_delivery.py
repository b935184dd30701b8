"""Delivery into a folder and into a real store on loopback: each once, again nothing, nothing of others touched."""

import csv
import hashlib
import json
import re
import stat
from pathlib import Path

import pytest
from msgspec import structs

from jobs.cli.delivering import Order, deliver_batch, exit_code, summary_words
from jobs.config.delivery import DeliverySettings, MarksSettings
from jobs.config.settings import Settings
from jobs.delivery.delivery import Outcome
from jobs.delivery.profiles import BUILT_IN
from jobs.errors import ConfigError, UsageError
from jobs.marks.found import marks_of
from jobs.records import Verdict, Version
from tests.delivery.conftest import drawn
from tests.marks.conftest import certified, pixels  # noqa: F401 a fixture


def deliver(shop, to, *, profile="original", wanted=None, settings=None, **order):
    made = Order(batch=shop.batch, to=to, profile=(profile, BUILT_IN[profile]), **order)
    return deliver_batch(made, shop.folder, shop.store, settings or Settings(), wanted)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_picture_is_delivered_marked_with_its_sidecar_and_the_table_tells_it(shop, to):
    where, objects = to
    shop.write([shop.line(row) for row in range(1, 6)])
    summary, path = deliver(shop, where)
    assert summary.counts == {Outcome.DELIVERED: 5}
    assert exit_code(summary) == 0
    found = objects()
    names = [f"S-{row}/S-{row}__ines__v1.jpg" for row in range(1, 6)]
    assert sorted(found) == sorted([*names, *(f"{name}.json" for name in names)])
    for row, cells in enumerate(table(path), 1):
        content = found[names[row - 1]]
        assert cells["address"] == f"{where}/{names[row - 1]}"
        assert cells["sha256"] == hashlib.sha256(content).hexdigest()
        assert (cells["rows"], cells["marks"]) == (str(row), "iptc:trainedAlgorithmicMedia")
        assert cells["delivered_at"].endswith("Z")
        stored = shop.store / cells["picture_sha256"][:2] / f"{cells['picture_sha256']}.jpg"
        assert pixels(content) == pixels(stored.read_bytes())
        assert marks_of(stored.read_bytes()) == ()
        beside = json.loads(found[f"{names[row - 1]}.json"])
        assert (beside["sha256"], beside["sku"], beside["rows"]) == (cells["sha256"], f"S-{row}", [row])
        assert "secret" not in json.dumps(beside)


def test_of_several_versions_the_one_that_was_approved_last_is_delivered_whatever_stands_in_the_folder(
    shop, tmp_path
):
    made = [shop.line(1, content=drawn(f"version {n}"), version=n, request_id=f"r{n}") for n in (1, 2)]
    versions = [
        Version(version=n, request_id=f"r{n}", status="succeeded", images=each.images)
        for n, each in enumerate(made, 1)
    ]
    shop.write([structs.replace(made[1], versions=tuple(versions))])
    order = Order(batch=shop.batch, to=str(tmp_path / "shelf"), profile=("original", BUILT_IN["original"]))
    said = {}
    for at, version in enumerate([2, 1]):
        sha256 = made[version - 1].images[0].sha256
        said[sha256] = Verdict(row=1, picture_sha256=sha256, verdict="approve", reviewer="Ana", at=str(at))
        summary, path = deliver_batch(order, shop.folder, shop.store, Settings(), said.keys(), said=said)
        assert summary.counts == {Outcome.DELIVERED: 1}
        cells = table(path)
        assert f"S-1/S-1__ines__v{version}.jpg" in {row["address"].partition("shelf/")[2] for row in cells}
        assert sha256 in {row["picture_sha256"] for row in cells}


def test_rows_of_which_nothing_is_delivered_are_counted_by_why(shop, tmp_path, capsys):
    lines = [shop.line(row) for row in range(1, 5)]
    shop.write([*lines, structs.replace(shop.line(5), images=(), status="failed")])
    order = Order(batch=shop.batch, to=str(tmp_path / "shelf"), profile=("original", BUILT_IN["original"]))
    words = {
        line.images[0].sha256: word for line, word in zip(lines, ["approve", "reject", "clear"], strict=False)
    }
    said = {
        sha256: Verdict(row=1, picture_sha256=sha256, verdict=word, reviewer="Ana", at="1")
        for sha256, word in words.items()
    }
    approved = {sha256 for sha256, word in words.items() if word == "approve"}
    for wanted, told in (
        (approved, "left out: 2 rows not judged, 1 row rejected, 1 row without a picture\n"),
        (None, "left out: 1 row without a picture\n"),
    ):
        deliver_batch(order, shop.folder, shop.store, Settings(), wanted, said=said)
        assert capsys.readouterr().err.startswith(told)


def test_a_repeat_sends_nothing(shop, to):
    where, objects = to
    shop.write([shop.line(row) for row in range(1, 4)])
    deliver(shop, where)
    before = objects()
    summary, _ = deliver(shop, where)
    assert summary.counts == {Outcome.PRESENT: 3}
    assert objects() == before


def test_what_is_there_is_known_by_its_hash_when_the_journal_is_gone(shop, to):
    where, objects = to
    shop.write([shop.line(row) for row in range(1, 4)])
    deliver(shop, where)
    before = objects()
    (shop.folder / ".vton-delivery.jsonl").unlink()
    summary, path = deliver(shop, where)
    assert summary.counts == {Outcome.PRESENT: 3}
    assert objects() == before
    assert len(table(path)) == 3


def test_somebody_elses_file_under_a_name_is_never_touched_and_said(shop, to):
    where, objects = to
    shop.write([shop.line(1)])
    other = shop.line(1, content=drawn("theirs"))
    deliver(shop, where)
    theirs = objects()
    shop.write([other])
    (shop.folder / ".vton-delivery.jsonl").unlink()
    for replace in (False, True):
        summary, _ = deliver(shop, where, replace=replace)
        assert summary.counts == {Outcome.CLASH: 1}
        assert exit_code(summary) == 6
        assert "another file has this name" in summary_words(summary)
    assert objects() == theirs


def test_what_was_delivered_otherwise_before_gives_way_only_when_asked(shop, to):
    where, objects = to
    shop.write([shop.line(1)])
    deliver(shop, where)
    before = objects()
    settings = Settings(marks=MarksSettings(aigc_producer="shop"))
    summary, _ = deliver(shop, where, settings=settings)
    assert summary.counts == {Outcome.CLASH: 1}
    assert "--replace" in summary_words(summary)
    assert objects() == before
    summary, path = deliver(shop, where, settings=settings, replace=True)
    assert summary.counts == {Outcome.DELIVERED: 1}
    (cells,) = table(path)
    content = objects()["S-1/S-1__ines__v1.jpg"]
    assert cells["sha256"] == hashlib.sha256(content).hexdigest()
    assert marks_of(content) == ("iptc:trainedAlgorithmicMedia", "tc260")
    summary, _ = deliver(shop, where, settings=settings)
    assert summary.counts == {Outcome.PRESENT: 1}


def test_only_wanted_pictures_go_and_numbers_count_the_others_too(shop, to):
    where, objects = to
    lines = [shop.line(row, sku="S") for row in (1, 2, 3)]
    shop.write(lines)
    summary, _ = deliver(shop, where, wanted={lines[1].images[0].sha256}, name="{sku}.PT{number:02d}.{ext}")
    assert summary.counts == {Outcome.DELIVERED: 1}
    assert sorted(objects()) == ["S.PT02.jpg", "S.PT02.jpg.json"]


def test_rows_with_one_picture_and_one_name_share_an_object(shop, to):
    where, objects = to
    content = drawn("one")
    shop.write([shop.line(1, sku="S", content=content), shop.line(2, sku="S", content=content)])
    summary, path = deliver(shop, where)
    assert summary.counts == {Outcome.DELIVERED: 1}
    assert [cells["rows"] for cells in table(path)] == ["1 2"]
    assert len(objects()) == 2


def test_two_pictures_under_one_name_are_refused_before_anything_is_sent(shop, to):
    where, objects = to
    shop.write([shop.line(1, sku="S"), shop.line(2, sku="s")])
    with pytest.raises(UsageError, match="rows 1, 2"):
        deliver(shop, where)
    assert objects() == {}


def test_a_signed_delivery_repeats_nothing_though_every_signature_is_another(shop, to, certified):  # noqa: F811
    where, objects = to
    shop.write([shop.line(1)])
    settings = Settings(marks=certified)
    deliver(shop, where, settings=settings)
    before = objects()
    assert marks_of(before["S-1/S-1__ines__v1.jpg"])[-1] == "c2pa"
    journal = shop.folder / ".vton-delivery.jsonl"
    # As if it had been killed between its object and the line that says so.
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    summary, _ = deliver(shop, where, settings=settings)
    assert summary.counts == {Outcome.PRESENT: 1}
    assert objects() == before


def test_a_picture_that_its_maker_has_signed_goes_as_it_came_or_not_at_all(shop, to, certified):  # noqa: F811
    from jobs.marks.signature import Signature

    where, objects = to
    brought = Signature(certified).signed(drawn("signed"), "jpg", b"")
    shop.write([shop.line(1, content=brought)])
    summary, path = deliver(shop, where)
    assert summary.counts == {Outcome.DELIVERED: 1}
    assert objects()["S-1/S-1__ines__v1.jpg"] == brought
    assert table(path)[0]["marks"] == "c2pa"
    summary, _ = deliver(shop, where, profile="shopify")
    assert summary.counts == {Outcome.UNFIT: 1}
    assert "HiDream has signed it" in summary_words(summary)
    summary, _ = deliver(shop, where, profile="shopify", settings=Settings(marks=certified))
    assert summary.counts == {Outcome.DELIVERED: 1}
    assert marks_of(objects()["S-1__ines__v1.jpg"]) == ("iptc:trainedAlgorithmicMedia", "c2pa")


def test_a_picture_that_the_store_has_lost_is_told_and_the_others_go(shop, to):
    where, objects = to
    lines = [shop.line(row) for row in (1, 2)]
    shop.write(lines)
    lost = lines[0].images[0].sha256
    (shop.store / lost[:2] / f"{lost}.jpg").write_bytes(b"edited")
    summary, _ = deliver(shop, where)
    assert summary.counts == {Outcome.UNFIT: 1, Outcome.DELIVERED: 1}
    assert "was changed in the picture store" in summary_words(summary)
    assert len(objects()) == 2


def test_without_sidecars_only_pictures_are_delivered(shop, to):
    where, objects = to
    shop.write([shop.line(1)])
    deliver(shop, where, settings=Settings(delivery=DeliverySettings(sidecar=False)))
    assert list(objects()) == ["S-1/S-1__ines__v1.jpg"]


def test_a_store_that_takes_nothing_ends_the_delivery_as_resumable(
    shop, bucket, store_answering, monkeypatch
):
    shop.write([shop.line(row) for row in range(1, 9)])
    monkeypatch.setenv("AWS_ENDPOINT_URL", store_answering(400).address)
    summary, _ = deliver(shop, bucket.url, settings=Settings(delivery=DeliverySettings(parallel=2)))
    assert summary.stopped
    assert summary.counts.total() < 8
    assert exit_code(summary) == 5
    assert "goes on" in summary_words(summary)
    said = summary_words(summary).splitlines()[1]
    assert re.match(r"row (\d): S-\1/S-\1__ines__v1\.jpg: Generic S3 error: ", said), said


def test_a_bucket_that_is_not_there_is_a_persons_to_make(shop, bucket):
    shop.write([shop.line(1)])
    with pytest.raises(ConfigError, match=r"s3://no-such-bucket/x: there is no such bucket or container"):
        deliver(shop, "s3://no-such-bucket/x")


def test_objects_lie_where_the_addresses_of_google_and_azure_say(
    shop, store_answering, monkeypatch, tmp_path
):
    shop.write([shop.line(1)])
    store = store_answering(201)
    account = {"gcs_base_url": store.address, "disable_oauth": True, "client_email": "", "private_key": ""}
    (tmp_path / "account.json").write_text(json.dumps(account | {"private_key_id": ""}))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "shop")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", store.address)
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    for target in ("gs://bucket/spring", "az://container/spring"):
        summary, _ = deliver(shop, target)
        assert exit_code(summary) == 0, summary_words(summary)
    wanted = {f"/{place}/spring/S-1/S-1__ines__v1.jpg" for place in ("bucket", "container")}
    assert wanted <= {path for path, _ in store.seen}
    # Somebody else's object is never overwritten there either.
    only_new = {path: headers for path, headers in store.seen if path in wanted}
    assert only_new["/bucket/spring/S-1/S-1__ines__v1.jpg"]["x-goog-if-generation-match"] == "0"
    assert only_new["/container/spring/S-1/S-1__ines__v1.jpg"]["if-none-match"] == "*"


def test_rights_of_delivered_files_are_those_that_are_set(shop, tmp_path):
    shop.write([shop.line(1)])
    for mode, folder_mode in (("0640", 0o750), ("0600", 0o700), ("0664", 0o775)):
        root = tmp_path / mode
        deliver(shop, str(root), settings=Settings(output_mode=mode))
        path = root / "S-1" / "S-1__ines__v1.jpg"
        assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
        assert stat.S_IMODE(path.parent.stat().st_mode) == folder_mode
        assert [each.name for each in root.iterdir()] == ["S-1"]


def test_two_deliveries_of_one_batch_at_once_are_one_too_many(shop, tmp_path):
    from jobs.delivery.journal import Journal

    shop.write([shop.line(1)])
    with Journal.opened(shop.folder), pytest.raises(UsageError, match="right now"):
        deliver(shop, str(tmp_path / "x"))


@pytest.mark.parametrize("where", ["ftp://host/x", "https://host/x", "s4://x"])
def test_an_address_that_nobody_knows_is_refused(shop, where):
    shop.write([shop.line(1)])
    with pytest.raises(UsageError, match="a folder, s3://"):
        deliver(shop, where)


def test_a_folder_that_cannot_be_written_to_is_said(shop, tmp_path):
    shop.write([shop.line(1)])
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be delivered to"):
        deliver(shop, str(tmp_path / "file" / "x"))
