"""Commands beside `run`: what they print, and that planning spends nothing."""

import csv
import json

CDN = "https://cdn.example"


def test_a_plan_counts_every_row_and_records_nothing(shop):
    rows = [f"a,{CDN}/p,{CDN}/1", f"b,{CDN}/p,{CDN}/2", f"c,{CDN}/p,{CDN}/1", f"d,,{CDN}/3"]
    shop.write("night.csv", "sku,person,upper\n" + "\n".join(rows) + "\n")
    ended = shop.vton(
        "plan",
        "night.csv",
        "--json",
        "--deadline",
        "8h",
        VTON_LIMITS__IMAGES_PER_MINUTE="20",
        VTON_LIMITS__IN_FLIGHT="1",
        VTON_TASKS__LATENCY_S="30",
    )
    assert ended.code == 0
    plan = json.loads(ended.out)
    assert {name: plan[name] for name in ("rows", "new", "duplicate", "invalid", "reused")} == {
        "rows": 4, "new": 2, "duplicate": 1, "invalid": 1, "reused": 0,
    }  # fmt: skip
    assert plan["seconds"] == 60
    assert plan["fits_deadline"] is True
    words = shop.vton("plan", "night.csv", "--deadline", "1s", VTON_TASKS__LATENCY_S="30").out
    assert "does NOT fit" in words
    assert "night.csv:5: person: " in words
    assert shop.vton("status").out == "no batch yet\naccount: open\n"


def test_a_batch_is_enqueued_once_shown_cancelled_and_taken_up_again(shop):
    manifest = shop.urls(3)
    first = shop.vton("enqueue", manifest)
    batch_id = first.out.partition(":")[0]
    assert first.out == f"{batch_id}: 3 rows, 3 to submit, 0 reused, 0 duplicate, 0 invalid\n"
    assert (
        shop.vton("enqueue", manifest).out
        == f"{batch_id}: 3 rows, 0 to submit, 0 reused, 0 duplicate, 0 invalid (resumed)\n"
    )
    status = json.loads(shop.vton("status", batch_id, "--json").out)
    assert (status["rows"], status["counts"], status["open"], status["complete"], status["gate"]) == (
        3,
        {"queued": 3},
        3,
        False,
        "open",
    )
    assert json.loads(shop.vton("plan", manifest, "--json").out)["waiting"] == 3
    assert shop.vton("cancel", batch_id).out == f"{batch_id}: 3 jobs cancelled\n"
    assert shop.vton("cancel", batch_id).out == f"{batch_id}: 0 jobs cancelled\n"
    status = json.loads(shop.vton("status", batch_id, "--json").out)
    assert (status["counts"], status["complete"]) == ({"cancelled": 3}, True)
    assert shop.vton("results", batch_id, "-o", "files").out.strip().endswith(batch_id)
    summary = json.loads((shop.folder / "files" / batch_id / "summary.json").read_text())
    assert (summary["status"], summary["ordered"]) == ({"cancelled": 3}, 0)
    with (shop.folder / "files" / batch_id / "failed.csv").open(newline="") as failed:
        names, *gaps = csv.reader(failed)
    with (shop.folder / manifest).open(newline="") as fed:
        assert [names[:-5], *(gap[:-5] for gap in gaps)] == list(csv.reader(fed))
    assert {tuple(gap[-5:]) for gap in gaps} == {
        ("cancelled", "the batch was cancelled before it was submitted", "ops", "", manifest)
    }
    assert shop.vton("retry", batch_id).out.startswith(f"{batch_id}: 3 jobs wait again;")
    listed = json.loads(shop.vton("status", "--json").out)
    assert [(each["batch_id"], each["counts"]) for each in listed["batches"]] == [(batch_id, {"queued": 3})]


def test_pausing_shows_why_and_resuming_opens_the_account(shop):
    assert shop.vton("pause", "the buyer is on holiday").out == "paused\n"
    assert shop.vton("status").out == "no batch yet\naccount: paused: the buyer is on holiday (vton resume)\n"
    assert shop.vton("resume").out == "resumed\n"
    assert "account: open" in shop.vton("status").out


def test_a_plan_says_what_a_budget_lets_through_and_how_long_what_waits_takes(shop):
    manifest = shop.urls(3)
    spent = {"VTON_LIMITS__MAX_IMAGES_PER_BATCH": "2"}
    told = shop.vton("plan", manifest, **spent).out
    assert "the budget lets 2 of them through" in told
    shop.vton("enqueue", manifest)
    plan = json.loads(shop.vton("plan", manifest, "--json", **spent).out)
    assert (plan["new"], plan["waiting"], plan["budget"]) == (0, 3, 2)
    assert plan["seconds"] > 0


def test_a_file_of_faults_that_is_not_there_is_told_before_anything_starts(shop):
    ended = shop.vton("run", shop.urls(1), "--simulate", "--faults", "nope.yaml")
    assert (ended.code, ended.err) == (4, "vton: no such file: nope.yaml\n")
