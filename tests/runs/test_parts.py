"""`--canary`, `--only` and `vton diff`, beside a vendor's own books."""

import csv
import io
import json

from jobs.cli.canary import canary_counts
from jobs.records import ResultLine, Timings, Version
from jobs.results.lines import written
from tests.raw_server import RawServer
from worker.simulator.faults import Strike


def test_enough_of_the_first_rows_and_all_others_follow_each_bought_once(shop):
    ended = shop.vton("run", shop.urls(10), "-o", "out", "--canary", "3")
    assert ended.code == 0, ended.err
    assert "canary: 3 of 3 rows have their picture" in ended.out
    assert len(shop.vendor.submits) == 10
    assert shop.batch(ended).statuses() == ["succeeded"] * 10
    again = shop.vton("run", "batch.csv", "-o", "out", "--canary", "3")
    assert again.code == 0
    assert len(shop.vendor.submits) == 10


def test_too_few_of_the_first_rows_and_nothing_else_is_bought(shop):
    moderated = Strike(do="moderated", params={"message": "no"})
    shop.vendor.fault = lambda at, _asked: moderated if at == "task" else None
    ended = shop.vton("run", shop.urls(10), "-o", "out", "--canary", "4", "--at-least", "0.5")
    assert ended.code == 6, (ended.out, ended.err)
    assert "0 of 4 rows have their picture; 50% are asked for: nothing else is bought" in ended.out
    assert len(shop.vendor.submits) == 4
    ended = shop.vton("run", "batch.csv", "-o", "out", "--canary", "4", "--at-least", "0")
    assert ended.code == 6
    assert len(shop.vendor.submits) == 10


def test_rows_that_cannot_be_bought_are_no_reason_to_stop_the_others(shop):
    def answer(wire, heard):
        if "gone" in heard.target:
            wire.answer(404)
        else:
            wire.say(b"HTTP/1.1 200 X\r\nContent-Type: image/jpeg\r\nContent-Length: 400\r\n\r\n")

    with RawServer(answer) as cdn:
        names = ["g0", "gone1", "g2", "gone3", "g4", "g5", "g6", "g7"]
        rows = [f"S{n},{cdn.url}/p.jpg,{cdn.url}/{name}.jpg" for n, name in enumerate(names)]
        shop.write("list.csv", "sku,person,upper\n" + "\n".join(rows) + "\n")
        words = ("list.csv", "-o", "out", "--check-urls", "--canary", "4", "--at-least", "1")
        ended = shop.vton("run", *words)
        assert ended.code == 6, (ended.out, ended.err)
        assert (
            "canary: 2 of 2 rows have their picture (not counted: 2 invalid); 100% were asked for"
            in ended.out
        )
        assert len(shop.vendor.submits) == 6
        assert shop.batch(ended).statuses().count("invalid") == 2
        none = ["--only", "sku=S1", "--canary", "1", "--batch", "none"]
        assert shop.vton("run", "list.csv", "-o", "out", "--check-urls", *none).code == 2
    assert len(shop.vendor.submits) == 6


def test_second_takes_and_what_was_there_before_are_none_of_a_canarys_rows(tmp_path):
    def line(number, status, finished="2026-11-28T10:00:01.000Z", **more):
        found = ResultLine(
            batch="b", row=number, sku="", status=status, timings=Timings(finished_at=finished), **more
        )
        return written(found) + "\n"

    take = Version(version=2, request_id="r", status="failed")
    lines = [
        line(1, "succeeded"),
        line(2, "succeeded", versions=(Version(version=1, request_id="q", status="succeeded"), take)),
        line(3, "failed"),
        line(4, "invalid", finished=None),
        line(5, "succeeded", "2026-11-27T10:00:00.000Z"),
        line(6, "rejected", "2026-11-27T10:00:00.000Z"),
        line(7, "cancelled", finished=None),
    ]
    results = tmp_path / "results.jsonl"
    results.write_text("".join(lines))
    assert canary_counts(results, "2026-11-28T10:00:00.000Z") == {
        "good": 2,
        "bad": 2,
        "invalid": 1,
        "before": 2,
    }


def test_only_some_rows_are_a_batch_of_their_own_and_the_whole_list_buys_the_others(shop):
    rows = [
        f"S{n},https://cdn.example/p.jpg,https://cdn.example/g{n}.png,{'ss' if n < 2 else 'aw'}"
        for n in range(5)
    ]
    shop.write("list.csv", "sku,person,upper,season\n" + "\n".join(rows) + "\n")
    planned = json.loads(shop.vton("plan", "list.csv", "--only", "season=ss", "--json").out)
    assert (planned["rows"], planned["new"]) == (2, 2)
    part = shop.run("list.csv", "--only", "season=ss")
    assert [line["sku"] for line in part.lines] == ["S0", "S1"]
    assert shop.vton("run", "list.csv", "-o", "out", "--only", "seasn=ss").code == 2
    assert shop.vton("run", "list.csv", "-o", "out", "--only", "season=xx").code == 2
    whole = shop.vton("run", "list.csv", "-o", "out")
    assert shop.batch(whole).statuses() == ["succeeded"] * 5
    assert len(shop.vendor.submits) == 5


def test_two_batches_are_compared_in_the_ledger_and_by_their_folders(shop):
    shop.run(shop.urls(4, name="monday.csv"))
    rows = [
        f"S{n},https://cdn.example/p.jpg,https://cdn.example/{g}.png"
        for n, g in [(1, "g1"), (2, "h2"), (9, "g9")]
    ]
    shop.write("tuesday.csv", "sku,person,upper\n" + "\n".join(rows) + "\n")
    assert shop.vton("run", "tuesday.csv", "-o", "out").code == 0
    monday, tuesday = sorted(path.name for path in (shop.folder / "out").iterdir())
    found = shop.vton("diff", monday, tuesday)
    assert found.code == 0, found.err
    told = json.loads(shop.vton("diff", monday, tuesday, "--json").out)
    assert {(row["sku"], *row["changes"]) for row in told["rows"]} == {
        ("S2", "changed_picture"),
        ("S9", "new"),
        ("S0", "removed"),
        ("S3", "removed"),
    }
    assert told["counts"]["removed"] == 2
    table = list(
        csv.DictReader(io.StringIO(shop.vton("diff", f"out/{monday}", f"out/{tuesday}", "--csv").out))
    )
    assert [row["sku"] for row in table] == [row["sku"] for row in told["rows"]]
    assert "2 rows removed" in found.out
    assert shop.vton("diff", monday, "none").code == 4
    assert shop.vton("diff", monday, monday).out == "no difference\n"
