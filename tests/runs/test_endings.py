"""How runs end: each with its own exit code, its words, and nothing bought that should not be."""

import json
from datetime import UTC, datetime

import pytest

from jobs.cli.under_way import UnderWay
from jobs.cli.watch import ended_by_account
from jobs.config.exit_codes import ExitCode
from jobs.ledger.codec import decode_gate
from jobs.manifest import open_manifest
from jobs.records import BatchId, BatchStatus
from tests.runs.vendor import picture
from worker.simulator.faults import Strike

CDN = "https://cdn.example"


def test_bad_rows_are_listed_with_their_line_and_the_rest_runs(shop):
    shop.write("whole.jpg", picture("a garment of ours"))
    shop.write("broken.jpg", picture("a garment of ours")[:200])
    rows = [
        f"A-1,{CDN}/p.jpg,whole.jpg,",
        f"A-2,,{CDN}/g.png,",
        f"A-3,{CDN}/p.jpg,{CDN}/g.png,{CDN}/d.png",
        f"A-4,{CDN}/p.jpg,nowhere.jpg,",
        f"A-5,{CDN}/p.jpg,broken.jpg,",
        f"A-6,{CDN}/p.jpg,../../../etc/hosts,",
        f"A-7,{CDN}/p.jpg",
    ]
    shop.write("batch.csv", "sku,person,upper,dress\n" + "\n".join(rows) + "\n")
    batch = shop.run("batch.csv", code=6)
    shop.agree(batch)
    assert batch.statuses() == ["succeeded"] + ["invalid"] * 6
    assert [line["error"]["owner"] for line in batch.lines[1:]] == ["merch"] * 6
    assert batch.summary["gaps_by_class"] == {"row_invalid": 6}
    assert len(shop.vendor.submits) == 1
    assert any("  batch.csv:3: person: the person's picture is missing\n" in said for said in shop.said)
    assert [row.sku for row in open_manifest(str(batch.folder / "failed.csv")).rows()] == [
        f"A-{n}" for n in range(2, 8)
    ]

    # A picture is put right, and the same manifest is run again.
    shop.write("nowhere.jpg", picture("a garment that came late"))
    batch = shop.run("batch.csv", code=6)
    assert batch.statuses() == ["succeeded", "invalid", "invalid", "succeeded"] + ["invalid"] * 3
    assert len(shop.vendor.submits) == 2
    ends = [(line["status"], bool(line["images"])) for line in batch.lines if line["sku"] == "A-4"]
    assert ends == [("succeeded", True)]


def test_a_vendor_that_is_not_reached_is_waited_for_and_the_run_says_so(shop):
    nowhere = {"VTON_HIDREAM__BASE_URL": "http://127.0.0.1:1", "VTON_WORKERS__PATIENCE_S": "0.1"}
    process = shop.start("run", shop.urls(2), **nowhere)
    said, shown = {}, ""
    while not (said and shown):
        line = process.stderr.readline()
        assert line, "it ended"
        if '"gate.waiting"' in line:
            said = json.loads(line)
        elif "not reached: " in line and "vton doctor" in line:
            shown = line
    assert said["reason"] == "not_reached"
    process.terminate()
    ended = shop.end(process)
    assert ended.code == 130
    assert (
        "still queued: 2 rows; any next run buys them: vton run batch.csv; not wanted: vton cancel"
        in ended.out
    )
    assert not shop.vendor.submits


OUT = UnderWay(tasks=0, downloads=0)
BUSY = UnderWay(tasks=1, downloads=0)


@pytest.mark.parametrize(
    ("gate", "counts", "now", "ends"),
    [
        ({"breaker": "token"}, {"submitted": 1}, BUSY, True),
        ({"breaker": "credits"}, {"queued": 1}, OUT, True),
        ({"breaker": "credits"}, {"submitted": 1}, BUSY, False),
        ({"breaker": "module"}, {"queued": 1}, OUT, True),
        ({"breaker": "module", "probe_at": "0"}, {"queued": 1}, OUT, False),
        ({"breaker": "vendor"}, {"queued": 1}, OUT, False),
        ({"closed_by": "unsent", "closed_until": "9e15", "busy": "99"}, {"queued": 1}, OUT, False),
        ({"paused": "stocktaking"}, {"queued": 1}, OUT, False),
        ({"paused": "disk full"}, {"queued": 1}, OUT, False),
        ({"paused": "no results: 404"}, {"queued": 1, "submitted": 1}, BUSY, False),
        ({"paused": "no results: 404"}, {"queued": 1}, OUT, True),
        (
            {"paused": "a picture was refused: host"},
            {"submitted": 1},
            UnderWay(tasks=0, downloads=1),
            True,
        ),
    ],
)
def test_only_what_a_person_alone_can_put_right_ends_a_run_early(gate, counts, now, ends):
    status = BatchStatus(
        batch_id=BatchId("b"),
        sealed=True,
        rows=2,
        counts=counts,
        reused=0,
        duplicate=0,
        created_ms=1,
        completed_ms=None,
    )
    found = ended_by_account(status, decode_gate(gate), now)
    assert (found is not None) is ends
    assert found is None or found[0] == ExitCode.CONFIG


def test_a_failed_task_is_bought_again_and_then_given_up_while_moderation_is_final(shop):
    vendor = shop.vendor
    shop.write("moderated.jpg", picture("a garment of ours"))
    failed, moderated = (Strike(do=do, params={"message": do}) for do in ("failed", "moderated"))
    ends = {"good": None, "fails": failed}

    def end(at, asked):
        return ends.get(asked["upper_clothes"].rpartition("/")[2], moderated) if at == "task" else None

    vendor.fault = end
    shop.write(
        "batch.csv",
        f"sku,person,upper\ngood,{CDN}/p,{CDN}/good\nfails,{CDN}/p,{CDN}/fails\nmod,{CDN}/p,moderated.jpg\n",
    )
    batch = shop.run("batch.csv", code=5, VTON_LIMITS__MAX_ATTEMPTS="2")
    shop.agree(batch)
    assert batch.statuses() == ["succeeded", "failed", "rejected"]
    ids = {line["sku"]: line["request_id"] for line in batch.lines}
    assert vendor.bought() == {ids["good"]: 1, ids["fails"]: 2, ids["mod"]: 1}
    assert [(line["error"]["owner"], line["error"]["retryable"]) for line in batch.lines[1:]] == [
        ("vendor", True),
        ("merch", False),
    ]
    # failed.csv lies elsewhere than the pictures, and is a manifest all the same.
    plan = json.loads(shop.vton("plan", str(batch.folder / "failed.csv"), "--json").out)
    assert (plan["rows"], plan["invalid"]) == (2, 0)

    # Fixed at the vendor's: `vton retry`, and the same command again.
    ends["fails"] = None
    assert "1 jobs wait again" in shop.vton("retry", batch.folder.name).out
    batch = shop.run("batch.csv", code=6)
    assert batch.statuses() == ["succeeded", "succeeded", "rejected"]
    assert vendor.bought()[ids["fails"]] == 3


@pytest.mark.parametrize("reason", ["token", "credits"])
def test_an_account_that_only_a_person_can_put_right_leaves_the_jobs_queued_for_the_next_run(shop, reason):
    vendor = shop.vendor
    manifest = shop.urls(6)
    if reason == "token":
        token, vendor.token = vendor.token, "sk-another"
    else:
        vendor.account.ledger.set_credits(2)
    ended = shop.vton("run", manifest, "-o", "out")
    assert ended.code == 7, ended.err
    assert "ended early" in ended.out
    assert reason in ended.out
    batch = shop.only_batch()
    have = 0 if reason == "token" else 2
    assert batch.summary["status"] == {"queued": 6 - have} | ({"succeeded": have} if have else {})
    assert len(vendor.tasks) == have
    assert len(vendor.submits) <= have + 10 + 1  # those under way when it was refused, and a probe
    vendor.account.ledger.set_credits(None)
    if reason == "token":
        vendor.token = token
    batch = shop.run(manifest)
    shop.agree(batch)
    assert batch.summary["status"] == {"succeeded": 6}
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.tasks) == 6


def test_a_budget_is_spent_to_the_picture_and_never_beyond(shop):
    manifest = shop.urls(9)
    batch = shop.run(manifest, code=8, VTON_LIMITS__MAX_IMAGES_PER_BATCH="4")
    shop.agree(batch)
    assert batch.summary["charged_for_sure"] == len(shop.vendor.tasks) == len(shop.vendor.submits) == 4
    assert batch.summary["status"] == {"queued": 5, "succeeded": 4}
    batch = shop.run(manifest, code=8, VTON_LIMITS__MAX_IMAGES_PER_DAY="7")
    assert batch.summary["status"] == {"queued": 2, "succeeded": 7}
    assert set(shop.vendor.bought().values()) == {1}


def test_a_second_run_with_a_folder_of_its_own_writes_nothing_of_the_first_ones_batch_into_it(shop):
    first = shop.urls(3)
    batch = shop.run(first, code=8, VTON_LIMITS__MAX_IMAGES_PER_BATCH="1")
    files = {path: path.read_bytes() for path in batch.folder.rglob("*") if path.is_file()}
    second = shop.urls(2, prefix="other", name="second.csv")
    ended = shop.vton("run", second, "-o", "elsewhere")
    assert ended.code == 0, ended.err
    assert [path.name for path in (shop.folder / "elsewhere").iterdir()] == [shop.batch(ended).folder.name]
    assert {path: path.read_bytes() for path in batch.folder.rglob("*") if path.is_file()} == files
    # All was bought by then: the first one's own folder is brought up to date by its own command.
    assert shop.run(first).summary["status"] == {"succeeded": 3}
    assert set(shop.vendor.bought().values()) == {1}


def test_a_folder_that_takes_no_files_is_named_after_all_was_bought_and_results_come_later(shop):
    manifest = shop.urls(3)
    batch_id = shop.vton("enqueue", manifest).out.partition(":")[0]
    in_the_way = shop.folder / "out" / batch_id / "summary.json" / "mine"
    in_the_way.mkdir(parents=True)
    ended = shop.vton("run", manifest, "-o", "out")
    assert ended.code == 7
    line = ended.err.splitlines()[-1]
    assert line.startswith(f"vton: out/{batch_id}/summary.json: Is a directory; ")
    assert line.endswith(f"vton results {batch_id} -o out")
    assert len(shop.vendor.tasks) == 3
    in_the_way.rmdir()
    in_the_way.parent.rmdir()
    assert shop.vton("results", batch_id).code == 0
    shop.agree(shop.only_batch())
    assert shop.only_batch().summary["status"] == {"succeeded": 3}
    assert len(shop.vendor.tasks) == 3


def test_at_the_deadline_it_ends_and_the_next_run_completes(shop):
    shop.vendor.set(latency_s=0.5)
    manifest = shop.urls(80)
    batch = shop.run(manifest, "--deadline", "15s", code=10, VTON_LIMITS__IN_FLIGHT="2")
    shop.agree(batch)
    assert not batch.summary["complete"]
    assert len(shop.vendor.tasks) < 80
    shop.vendor.set(latency_s=0.05)
    batch = shop.run(manifest)
    shop.agree(batch)
    assert batch.summary["status"] == {"succeeded": 80}
    assert set(shop.vendor.bought().values()) == {1}


def test_a_paused_account_buys_nothing_until_it_is_resumed(shop):
    manifest = shop.urls(3)
    assert shop.vton("pause", "stocktaking").out == "paused\n"
    batch = shop.run(manifest, "--deadline", "15s", code=10)
    assert batch.summary["status"] == {"queued": 3}
    assert not shop.vendor.submits
    assert "stocktaking" in shop.vton("status").out
    assert shop.vton("resume").out == "resumed\n"
    shop.agree(shop.run(manifest))
    assert len(shop.vendor.tasks) == 3


def test_a_post_without_an_answer_is_unknown_and_bought_again_only_when_a_person_says_so(shop):
    vendor = shop.vendor
    lost = []

    def bought_without_a_word(at, asked):
        if at == "submit" and asked["upper_clothes"].endswith("g1.png") and not lost:
            lost.append(asked)
            return Strike(do="html", params={"status": 502})
        return None

    vendor.fault = bought_without_a_word
    manifest = shop.urls(3)
    batch = shop.run(manifest, code=5)
    shop.agree(batch)
    assert batch.statuses() == ["succeeded", "unknown", "succeeded"]
    assert [batch.summary[name] for name in ("ordered", "charged_for_sure", "perhaps_charged")] == [3, 2, 1]
    (gap,) = batch.table("failed.csv")
    assert gap["vton_posted_at"] == batch.lines[1]["timings"]["posted_at"]
    assert gap["vton_posted_at"] in gap["vton_message"]
    sent = datetime.fromisoformat(gap["vton_posted_at"])
    assert abs((sent - datetime.now(UTC)).total_seconds()) < 600
    assert "0 jobs" in shop.vton("retry", batch.folder.name).out
    assert "1 jobs" in shop.vton("retry", batch.folder.name, "--unknown").out
    batch = shop.run(manifest)
    assert batch.statuses() == ["succeeded"] * 3
    assert sorted(vendor.bought().values()) == [1, 1, 2]
