"""`vton retake`: what it says before something is bought once more, whose word it takes, and which rows it finds."""

import json

import pytest

from jobs.cli.retaking import read_skus
from jobs.errors import NotFoundError, UsageError
from jobs.identity import version_id
from jobs.ledger.verdicts import add_verdicts
from jobs.records import BatchId, Verdict
from tests.cli.test_deliver import ended_batch
from tests.driver import rid


def rejected(driver, name="x", row=1):
    (picture,) = driver.job(rid(name)).pictures
    one = Verdict(
        row=row,
        picture_sha256=picture.sha256,
        verdict="reject",
        reviewer="Ana",
        at="2026-11-28T00:00:00.000Z",
    )
    add_verdicts(driver.ledger, BatchId("b"), [one])


def test_a_second_take_is_bought_only_when_a_person_says_so(shop, elsewhere, driver):
    driver.admit("b", ["x"], seal=True)
    driver.succeeded()
    ended = shop.vton("retake", "b", **elsewhere.env())
    assert (
        ended.out
        == "b: 0 second takes; nothing is bought: no row has a picture that is rejected and counts\n"
    )
    assert ended.code == 0
    rejected(driver)
    ended = shop.vton("retake", "b", **elsewhere.env())
    assert (ended.code, ended.out) == (2, "")
    assert "to be bought: 1 picture, second takes of 1 row\n" in ended.err
    assert "--yes" in ended.err
    assert driver.line("b") == []
    money = {"VTON_LIMITS__PRICE_PER_IMAGE": "0.35", "VTON_LIMITS__CURRENCY": "CNY"}
    ended = shop.vton("retake", "b", **elsewhere.env(), **money)
    assert "to be bought: 1 picture = 0.35 CNY, second takes of 1 row\n" in ended.err
    ended = shop.vton("retake", "b", "--yes", **elsewhere.env())
    words = "b: 1 second take; made by workers that run, or by: vton run MANIFEST\n"
    assert (ended.code, ended.out) == (0, words)
    assert driver.line("b") == [version_id(rid("x"), 2)]
    ended = shop.vton("retake", "b", "--sku", "x", "--yes", **elsewhere.env())
    assert (ended.code, ended.out) == (0, "b: 0 second takes; nothing is bought\n")
    assert "not taken again: 1 row without a picture yet" in ended.err
    ended = shop.vton("status", "b", **elsewhere.env())
    assert "1 row, 1 with their picture, 1 second take, 1 open" in ended.out


def test_rows_are_those_of_the_manifest_wherever_they_are_counted(shop, elsewhere, driver):
    env = elsewhere.env()
    ended_batch(shop, elsewhere, driver)
    driver.admit("b", ["y"], first=2, seal=True)
    driver.failed(retryable=False)
    rejected(driver)
    assert shop.vton("retake", "b", "--yes", **env).code == 0
    shop.vton("results", "b", "-o", "out", **env)
    assert driver.unknown().request_id == version_id(rid("x"), 2)
    told = shop.vton("status", "b", **env).out
    assert "  2 rows, 1 with their picture, 1 second take, complete\n" in told
    assert "        1 failed\n        1 succeeded\n  second takes: 1 unknown\n" in told
    assert "  2 rows, 1 with their picture, 1 second take, complete\n" in shop.vton("status", **env).out
    found = json.loads(shop.vton("status", "b", "--json", **env).out)
    of_all = json.loads(shop.vton("status", "--json", **env).out)["batches"][0]
    shop.vton("results", "b", "-o", "out", **env)
    summary = json.loads((shop.folder / "out/b/summary.json").read_text())
    for each in (found, of_all):
        assert (each["rows"], each["counts"], each["second_takes"]) == (
            summary["rows"], summary["status"], summary["second_takes"],
        )  # fmt: skip
    assert len((shop.folder / "out/b/results.jsonl").read_text().splitlines()) == summary["rows"] == 2
    assert (
        shop.vton("diff", "b", "out/b", "-o", "out", **env).out
        == "1 row still failing\n    y (row 2): task_failed\n"
    )
    assert [order["rows"] for order in json.loads(shop.vton("bill", "b", "--json", **env).out)["orders"]] == [
        "1",
        "2",
        "1",
    ]
    listed = shop.vton("settle", "b", **env).out
    assert listed.startswith("row 1 version 2  may have been sent at ")
    assert f"vton settle b --request-id {version_id(rid('x'), 2)} --leave" in listed
    assert shop.vton("settle", "b", "--template", **env).out.splitlines()[1].startswith("1,x,")
    recovered = shop.vton("recover", "b", "-o", "out", **env).out
    assert "1 second take among them: once its manifest was run, vton retake b puts them beside" in recovered


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["b", "--sku", "y", "--yes"], 2, "no row with a job has the SKU y; nothing is bought"),
        (["b", "--rejected", "--sku", "x"], 2, "say --rejected, or which rows"),
        (["b", "--file", "gone.txt", "--yes"], 4, "gone.txt: no such file"),
        (["c"], 4, "no such batch: c"),
    ],
)
def test_what_cannot_be_is_said_and_buys_nothing(shop, elsewhere, driver, *, words, code, why):
    driver.admit("b", ["x"], seal=True)
    driver.succeeded()
    ended = shop.vton("retake", *words, **elsewhere.env())
    assert ended.code == code
    assert why in ended.err
    assert driver.ledger.later_rows(BatchId("b")) == {}


@pytest.mark.parametrize(
    ("content", "skus"),
    [
        ("a\n\n  b \n", {"a", "b"}),
        ("\ufeffSKU\na\nb,c\n", {"a", "b"}),
        ("row;sku;vton_status\n1;a;succeeded\n2;'=b;failed\n3\n", {"a", "=b"}),
        ("a, with a comma\n", {"a, with a comma"}),
    ],
)
def test_a_file_of_skus_is_lines_or_a_tables_column(tmp_path, content, skus):
    path = tmp_path / "skus.csv"
    path.write_text(content, encoding="utf-8")
    assert read_skus(path) == skus


def test_a_file_without_a_sku_and_one_of_verdicts_are_refused(tmp_path):
    path = tmp_path / "skus.csv"
    path.write_text("row,sku,picture_sha256,verdict\n1,a,0,approve\n")
    with pytest.raises(UsageError, match="vton review apply"):
        read_skus(path)
    path.write_text("sku\n\n")
    with pytest.raises(UsageError, match="no SKU in it"):
        read_skus(path)
    with pytest.raises(NotFoundError):
        read_skus(tmp_path / "gone")
