"""Whole runs: a manifest goes in, pictures come out, and the vendor's own books agree with every file."""

import base64
import json
import re

from tests.runs.shop import SECRET
from tests.runs.vendor import picture


def test_a_run_sends_exactly_the_documented_bodies_and_is_bought_once(shop):
    """The two kinds of the vendor's page by URL, and a local file; then the same again, and with one row changed."""
    vendor = shop.vendor
    local = shop.write("person.jpg", picture("a person of ours"))
    header = "sku,person,upper_clothes,lower_clothes,dress\n"
    outfit = "OUT-1,https://cdn.example/p.png?x=1&y=2,https://cdn.example/upper.jpg,https://cdn.example/lower.jpg,\n"
    dress = "DRS-2,https://cdn.example/模特.png,,,https://cdn.example/dress.jpg\n"
    shop.write(
        "batch.csv",
        header + outfit + dress + "LOC-3,person.jpg,https://cdn.example/tee.jpg,,\nDUP-4" + dress[5:],
    )
    first = shop.run("batch.csv")
    assert first.statuses() == ["succeeded"] * 4
    shop.agree(first)
    assert first.summary["charged_for_sure"] == len(vendor.tasks) == len(vendor.submits) == 3
    ids = {line["sku"]: line["request_id"] for line in first.lines}
    assert ids["DRS-2"] == ids["DUP-4"]
    bodies = {submit.asked["request_id"]: submit.asked for submit in vendor.submits}
    assert bodies == {
        ids["OUT-1"]: {
            "person": "https://cdn.example/p.png?x=1&y=2",
            "upper_clothes": "https://cdn.example/upper.jpg",
            "lower_clothes": "https://cdn.example/lower.jpg",
            "request_id": ids["OUT-1"],
        },
        ids["DRS-2"]: {
            "person": "https://cdn.example/模特.png",
            "dress": "https://cdn.example/dress.jpg",
            "request_id": ids["DRS-2"],
        },
        ids["LOC-3"]: {
            "person": base64.b64encode(local.read_bytes()).decode(),
            "upper_clothes": "https://cdn.example/tee.jpg",
            "request_id": ids["LOC-3"],
        },
    }
    for submit in vendor.submits:
        assert submit.headers["content-type"] == "application/json"
        assert int(submit.headers["content-length"]) == len(submit.body)
        assert next(iter(json.loads(submit.body))) == "person"
    assert vendor.download_headers
    assert not any("authorization" in headers for headers in vendor.download_headers)

    again = shop.run("batch.csv")
    shop.agree(again)
    assert again.folder == first.folder
    assert len(vendor.submits) == 3

    shop.write(
        "batch.csv",
        header
        + outfit
        + dress.replace("dress.jpg", "other.jpg")
        + "LOC-3,person.jpg,https://cdn.example/tee.jpg,,\n",
    )
    edited = shop.run("batch.csv")
    shop.agree(edited)
    assert edited.folder != first.folder
    assert [line["source"] for line in edited.lines] == ["reused", "poll", "reused"]
    assert [submit.asked.get("dress") for submit in vendor.submits[3:]] == ["https://cdn.example/other.jpg"]
    assert edited.summary["reused_rows"] == 2

    files = {path: path.read_bytes() for path in edited.folder.rglob("*") if path.is_file()}
    edited.folder.rename(shop.folder / "taken-away")
    assert shop.vton("results", edited.folder.name).code == 0
    for path, content in files.items():
        if path.name != ".vton-export.json":
            assert path.read_bytes() == content


def test_the_end_of_a_run_says_which_column_was_not_read(shop):
    cdn = "https://cdn.example"
    odd = f"sku,person,uper_clothes,lower_clothes\nA,{cdn}/p.jpg,{cdn}/a.jpg,{cdn}/b.jpg\nB,{cdn}/q.jpg,,{cdn}/b.jpg\n"
    shop.write("odd.csv", odd)
    ended = shop.vton("run", "odd.csv", "-o", "out")
    why = "odd.csv: the column “uper_clothes” is not read; did you mean upper_clothes? It is filled in 1 valid row"
    assert (ended.code, f"  {why}\n" in ended.out) == (0, True), ended.out


def test_a_yaml_matrix_from_the_vendors_limits_runs_within_them(shop):
    vendor = shop.vendor
    vendor.set(in_flight=3)
    vendor.set(latency_s=0.15)
    shop.write(
        "look.yaml",
        """
people: {ines: https://cdn.example/ines.jpg, jo: https://cdn.example/jo.jpg}
garments:
  shirt: {upper_clothes: https://cdn.example/shirt.png}
  suit: {upper_clothes: https://cdn.example/jacket.png, lower_clothes: https://cdn.example/trousers.png}
  gown: {dress: https://cdn.example/gown.png}
matrix: {people: [ines, jo], garments: [shirt, suit, gown]}
""",
    )
    batch = shop.run("look.yaml", VTON_LIMITS__IN_FLIGHT="3")
    shop.agree(batch)
    assert batch.summary["status"] == {"succeeded": 6}
    assert vendor.most_in_flight == 3
    assert len(vendor.submits) == len(vendor.tasks) == 6


def test_a_manifest_from_standard_input_runs(shop, free_port):
    path = shop.folder / shop.urls(3)
    ended = shop.vton("run", "-", "-o", "out", stdin=path, VTON_METRICS__PORT=str(free_port))
    assert ended.code == 0, ended.err
    assert re.search(
        r"^metrics: collect-1 http://127.0.0.1:\d+/metrics, submit-1 http://127.0.0.1:\d+/metrics$",
        ended.err,
        re.MULTILINE,
    )
    batch = shop.only_batch()
    shop.agree(batch)
    assert batch.folder.name.startswith("stdin-")


def test_callbacks_are_taken_and_answered_beside_polls(shop, free_port):
    vendor = shop.vendor
    # All are submitted before the first has ended, and by the guess nobody would ask for a minute.
    vendor.set(latency_s=1.12)
    secret = {
        "VTON_CALLBACKS__PUBLIC_URL": f"http://127.0.0.1:{free_port}/hooks",
        "VTON_CALLBACKS__PORT": str(free_port),
        "VTON_CALLBACKS__SECRET": SECRET,
        "VTON_TASKS__LATENCY_S": "20",
    }
    batch = shop.run(shop.urls(8), **secret)
    shop.agree(batch)
    assert all(trace.called_back for trace in vendor.account.ledger.traces.values())
    # Who reports an end first is open: before anything is learnt there are early polls, whatever the guess. How few polls
    # callbacks leave is measured: docs/benchmarks.md.
    assert {line["source"] for line in batch.lines} <= {"callback", "poll"}
    for submit in vendor.submits:
        address = submit.asked["notify_url"]
        assert address.startswith(
            f"http://127.0.0.1:{free_port}/hooks/callbacks/{submit.asked['request_id']}/"
        )
        assert SECRET not in address
    assert len({submit.asked["notify_url"] for submit in vendor.submits}) == 8
    # Keyed addresses stand in no log.
    logs = shop.logs()
    assert not any(submit.asked["notify_url"].rpartition("/")[2] in logs for submit in vendor.submits)
