"""results.jsonl: no row lost and none twice, wherever the writer dies."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.records import JobState
from jobs.results.jsonl import ResultsFile
from jobs.results.lease import LeaseLostError

LEDGER = "0f" * 16


def held():
    """The lease of a writer that is alone."""


def rows_of(path):
    return [line for line in path.read_text().splitlines() if "checkpoint" not in json.loads(line)]


def test_what_is_appended_stands_once_and_the_last_line_is_the_checkpoint(tmp_path):
    path = tmp_path / "results.jsonl"
    file = ResultsFile(path, LEDGER)
    file.write_anew([], "0", held)
    file.append(['{"row": 1}', '{"row": 2}'], "5-0", after="0")
    file.append(['{"row": 3}'], "6-0", after="5-0")
    assert rows_of(path) == ['{"row": 1}', '{"row": 2}', '{"row": 3}']
    last = json.loads(path.read_text().splitlines()[-1])
    assert (last["checkpoint"], last["ledger"]) == ("6-0", LEDGER)
    assert ResultsFile(path, LEDGER).checkpoint() == "6-0"


def test_a_writer_that_another_has_overtaken_adds_nothing_to_what_stands_there(tmp_path):
    path = tmp_path / "results.jsonl"
    late, other = ResultsFile(path, LEDGER), ResultsFile(path, LEDGER)
    late.write_anew([], "0", held)
    began = late.checkpoint()
    other.append(['{"row": 1}', '{"row": 2}', '{"row": 3}'], "3-0", after=began)
    before = path.read_bytes()
    with pytest.raises(LeaseLostError):
        late.append(['{"row": 1}', '{"row": 2}'], "2-0", after=began)
    assert path.read_bytes() == before


def test_a_writer_that_finds_a_torn_file_instead_of_its_own_adds_nothing(tmp_path):
    path = tmp_path / "results.jsonl"
    file = ResultsFile(path, LEDGER)
    file.write_anew([], "0", held)
    path.write_bytes(torn := path.read_bytes()[:-9])
    with pytest.raises(LeaseLostError):
        file.append(['{"row": 1}'], "1-0", after="0")
    assert path.read_bytes() == torn


def test_a_file_that_is_absent_or_of_another_ledger_has_no_checkpoint(tmp_path):
    path = tmp_path / "results.jsonl"
    assert ResultsFile(path, LEDGER).checkpoint() is None
    ResultsFile(path, LEDGER).write_anew(['{"row": 1}'], "5-0", held)
    assert ResultsFile(path, "a" * 32).checkpoint() is None


@pytest.mark.parametrize(
    "new", [['{"row": 3, "sku": "x"}', '{"row": 4}'], []], ids=["two lines", "only a newer checkpoint"]
)
def test_a_write_torn_at_any_byte_never_leaves_a_checkpoint_that_promises_more_than_is_there(tmp_path, new):
    path = tmp_path / "results.jsonl"
    file = ResultsFile(path, LEDGER)
    file.write_anew(['{"row": 1}', '{"row": 2}'], "1763877093025-7", held)
    before = path.read_bytes()
    file.append(new, "1763877094000-0", after="1763877093025-7")
    after = path.read_bytes()
    same = next(at for at, (old, now) in enumerate(zip(before, after, strict=False)) if old != now)
    for end in range(same, len(after)):
        # The file system keeps what stood behind the torn write, or has cut it off already.
        for torn in (after[:end] + before[end:], after[:end]):
            if torn == before:
                continue
            path.write_bytes(torn)
            found = ResultsFile(path, LEDGER).checkpoint()
            assert found is None or (found, rows_of(path)) in (
                ("1763877093025-7", ['{"row": 1}', '{"row": 2}']),
                ("1763877094000-0", ['{"row": 1}', '{"row": 2}', *new]),
            ), torn


def test_a_file_torn_at_any_byte_is_made_anew_without_loss_or_double(books):
    batch = books.feed(
        "sku,person,upper\n" + "".join(f"s{n},https://a.example/p,https://a.example/{n}\n" for n in range(4))
    )
    books.finish(most=2)
    books.exporter.export(batch)
    path = books.out / batch / "results.jsonl"
    before = path.read_bytes()
    books.finish()
    books.exporter.export(batch)
    after = path.read_bytes()
    whole = books.lines(batch)
    assert [line["row"] for line in whole] == [1, 2, 3, 4]
    start = before.rindex(b"\n", 0, -1) + 1
    # Every byte that matters is tried above on the file alone; here the ends of both and some between.
    offsets = [
        *range(start, start + 24, 3),
        *range(start + 40, len(after), 211),
        len(after) - 2,
        len(after) - 1,
    ]
    for end in offsets:
        path.write_bytes(after[:end] + before[end:])
        books.exporter.export(batch)
        assert books.lines(batch) == whole, end


def test_a_file_of_another_ledger_is_made_anew(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/1\n")
    books.finish()
    folder = books.out / batch
    folder.mkdir(parents=True)
    ResultsFile(folder / "results.jsonl", "b" * 32).write_anew(['{"row": 99}'], "9999999999999-0", held)
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == [1]


def test_exports_while_a_batch_runs_add_up_to_one_line_a_row(books):
    batch = books.feed(
        "sku,person,upper\n" + "".join(f"s{n},https://a.example/p,https://a.example/{n}\n" for n in range(9))
    )
    while books.finish(most=2):
        books.exporter.export(batch)
        books.exporter.export(batch)
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == list(range(1, 10))


def test_a_batch_that_is_exported_by_somebody_else_is_left_alone(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/1\n")
    books.ledger.client.set(books.ledger.key("exporting", batch), "another", px=60_000)
    assert books.exporter.export(batch) is None
    assert not books.out.exists()


@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(st.lists(st.text(st.characters(codec="utf-8")), max_size=3), min_size=1, max_size=6))
def test_any_lines_in_any_chunks_are_read_back_in_their_order(tmp_path_factory, chunks):
    path = tmp_path_factory.mktemp("jsonl") / "results.jsonl"
    file = ResultsFile(path, LEDGER)
    file.write_anew([], "0-0", held)
    for number, chunk in enumerate(chunks):
        lines = [json.dumps({"sku": text}, ensure_ascii=False) for text in chunk]
        file.append(lines, f"{number + 1}-0", after=f"{number}-0")
    found = [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]
    assert [line["sku"] for line in found[:-1]] == [text for chunk in chunks for text in chunk]
    assert file.checkpoint() == f"{len(chunks)}-0"


def test_a_job_that_nobody_can_read_is_told_so_and_the_others_have_their_lines(books):
    batch = books.feed("sku,person,dress\na,http://x/p.jpg,http://x/1.jpg\nb,http://x/p.jpg,http://x/2.jpg\n")
    books.finish()
    first, second = books.ledger.rows_at(batch, [1, 2]).values()
    books.ledger.client.hset(books.ledger.key("job", first["job"]), "pictures", "[")
    books.exporter.export(batch, tables=True)
    by_sku = {line["sku"]: line for line in books.lines(batch)}
    assert by_sku["a"]["status"] == "unknown"
    assert (by_sku["a"]["error"]["class"], by_sku["a"]["error"]["owner"]) == ("unreadable", "ops")
    assert by_sku["b"]["request_id"] == second["job"]
    assert by_sku["b"]["status"] == "succeeded"


def test_every_state_is_told_in_its_line(books):
    batch = books.feed(
        "sku,person,upper\n"
        + "".join(f"s{n},https://a.example/p,https://a.example/{n}\n" for n in range(4))
        + "bad,,\n"
    )
    states = iter([JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN])
    books.finish(lambda _job: next(states))
    books.exporter.export(batch)
    lines = books.lines(batch)
    assert [line["status"] for line in lines] == ["succeeded", "failed", "rejected", "unknown", "invalid"]
    assert [line["error"] and line["error"]["owner"] for line in lines] == [
        None,
        "vendor",
        "merch",
        "vendor",
        "merch",
    ]
    assert [bool(line["images"]) for line in lines] == [True, False, False, False, False]
    assert all(
        line.keys()
        >= {"batch", "row", "sku", "request_id", "status", "task_id", "sub_task_ids", "attempts", "images", "error",
            "timings", "source", "inputs", "extra"}
        for line in lines
    )  # fmt: skip
