"""results.jsonl: a line a row and nothing else; no row lost and none twice, wherever the writer dies."""

import json
import os
import signal
import subprocess
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import ForeignResultsError
from jobs.producing import control
from jobs.records import JobState
from jobs.results.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from jobs.results.exporter import Exporter
from jobs.results.jsonl import ResultsFile
from jobs.results.lease import LeaseLostError

LEDGER = "0f" * 16
HEADER = "sku,person,upper\n"
#: An exporter of its own process, which a failpoint may kill.
EXPORT = """
import sys
from pathlib import Path
from jobs.ledger import Ledger
from jobs.redis.client import connect
from jobs.results.exporter import Exporter
from jobs.config.settings import RedisSettings
from pydantic import SecretStr
url, prefix, folder, batch = sys.argv[1:]
redis = RedisSettings(url=SecretStr(url), prefix=prefix, patience_s=5)
ledger = Ledger(connect(redis, db=redis.ledger_db), prefix)
exporter = Exporter(ledger, output_dir=Path(folder) / "out", picture_store=Path(folder) / "pictures")
print(exporter.export(batch) is not None)
"""


def held():
    """The lease of a writer that is alone."""


def rows_of(folder):
    return (folder / "results.jsonl").read_text().splitlines()


def begun(folder):
    file = ResultsFile(folder, LEDGER)
    return file, file.begin(held)


def older_form(folder, rows, entry, ledger=LEDGER):
    """A file as versions up to 0.1 wrote it: the checkpoint is its last line."""
    last = {"checkpoint": entry, "ledger": ledger, "check": zlib.crc32(entry.encode())}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.jsonl").write_text("".join(f"{row}\n" for row in [*rows, json.dumps(last)]))


def pairs(count, name="g"):
    return HEADER + "".join(
        f"s{n},https://a.example/p,https://a.example/{name}{n}\n" for n in range(1, count + 1)
    )


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- the file alone


def test_what_is_appended_stands_once_and_nothing_else_does(tmp_path):
    file, began = begun(tmp_path)
    first = file.append(['{"row": 1}', '{"row": 2}'], "5-0", held, after=began)
    second = file.append(['{"row": 3}'], "6-0", held, after=first)
    assert rows_of(tmp_path) == ['{"row": 1}', '{"row": 2}', '{"row": 3}']
    assert ResultsFile(tmp_path, LEDGER).checkpoint() == second
    assert (second.entry, second.length) == ("6-0", (tmp_path / "results.jsonl").stat().st_size)
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", CHECKPOINT}


def test_a_writer_that_another_has_overtaken_adds_nothing_to_what_stands_there(tmp_path):
    late, began = begun(tmp_path)
    ResultsFile(tmp_path, LEDGER).append(['{"row": 1}', '{"row": 2}', '{"row": 3}'], "3-0", held, after=began)
    before = contents(tmp_path)
    with pytest.raises(LeaseLostError):
        late.append(['{"row": 1}', '{"row": 2}'], "2-0", held, after=began)
    assert contents(tmp_path) == before


def test_a_writer_that_finds_a_cut_file_instead_of_its_own_adds_nothing(tmp_path):
    file, began = begun(tmp_path)
    after = file.append(['{"row": 1}', '{"row": 2}'], "1-0", held, after=began)
    path = tmp_path / "results.jsonl"
    path.write_bytes(cut := path.read_bytes()[:-9])
    with pytest.raises(LeaseLostError):
        file.append(['{"row": 3}'], "2-0", held, after=after)
    assert path.read_bytes() == cut


def test_a_file_that_is_absent_or_of_another_ledger_has_no_checkpoint(tmp_path):
    assert ResultsFile(tmp_path, LEDGER).checkpoint() is None
    file, began = begun(tmp_path)
    file.append(['{"row": 1}'], "5-0", held, after=began)
    assert ResultsFile(tmp_path, "a" * 32).checkpoint() is None
    (tmp_path / "results.jsonl").unlink()
    assert file.checkpoint() is None


def test_what_was_written_behind_the_checkpoint_is_cut_off_whatever_it_is(tmp_path):
    file, began = begun(tmp_path)
    after = file.append(['{"row": 1}', '{"row": 2}'], "1763877093025-7", held, after=began)
    note, path = (tmp_path / CHECKPOINT).read_bytes(), tmp_path / "results.jsonl"
    file.append(['{"row": 3, "sku": "x"}', '{"row": 4}'], "1763877094000-0", held, after=after)
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        (tmp_path / CHECKPOINT).write_bytes(note)
        found = ResultsFile(tmp_path, LEDGER).checkpoint()
        assert found == (after if end >= after.length else None), end
        if found is not None:
            file.append(['{"row": 3, "sku": "x"}', '{"row": 4}'], "1763877094000-0", held, after=found)
            assert path.read_bytes() == whole, end


@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(st.lists(st.text(st.characters(codec="utf-8")), max_size=3), min_size=1, max_size=6))
def test_any_lines_in_any_chunks_are_read_back_in_their_order(tmp_path_factory, chunks):
    folder = tmp_path_factory.mktemp("jsonl")
    file, checkpoint = begun(folder)
    for number, chunk in enumerate(chunks):
        lines = [json.dumps({"sku": text}, ensure_ascii=False) for text in chunk]
        checkpoint = file.append(lines, f"{number + 1}-0", held, after=checkpoint)
    found = [json.loads(line) for line in (folder / "results.jsonl").read_bytes().decode().split("\n")[:-1]]
    assert [line["sku"] for line in found] == [text for chunk in chunks for text in chunk]
    assert file.checkpoint() == checkpoint
    assert checkpoint.entry == f"{len(chunks)}-0"


# -- with a ledger


def test_exports_while_a_batch_runs_add_up_to_one_line_a_row(books):
    batch = books.feed(pairs(9))
    while books.finish(most=2):
        books.exporter.export(batch)
        books.exporter.export(batch)
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == list(range(1, 10))


def test_a_file_grows_as_rows_end_and_is_one_line_a_row_in_order_when_all_have(books):
    batch = books.feed(pairs(6))
    ended = iter([JobState.FAILED] * 3)
    books.finish(lambda _job: next(ended), most=3)
    books.exporter.export(batch)
    path = books.out / batch / "results.jsonl"
    assert len(path.read_text().splitlines()) == 3
    control.retry(books.ledger, books.queue, batch, control.Wanted(failed=True))
    books.finish(most=5)
    books.exporter.export(batch)
    growing = [json.loads(line)["row"] for line in path.read_text().splitlines()]
    assert len(growing) == 8, "a row that ends again has another line while the batch runs"
    books.finish()
    books.exporter.export(batch)
    whole = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["row"], line["status"]) for line in whole] == [(n, "succeeded") for n in range(1, 7)]


def test_whoever_asks_hears_of_each_row_once_when_it_is_written(books):
    batch, heard = books.feed(pairs(6)), []

    def exported(**options):
        Exporter(
            books.ledger,
            output_dir=books.out,
            picture_store=books.store,
            ended=lambda lines, created_ms: heard.extend((line.row, created_ms) for line in lines),
        ).export(batch, **options)
        return sorted(row for row, _ in heard)

    books.finish(most=2)
    assert exported() == [1, 2]
    books.finish(most=1)
    assert exported(tables=True) == [1, 2, 3]
    books.finish(most=1)
    assert exported() == [1, 2, 3, 4]
    books.finish()
    assert exported() == [1, 2, 3, 4, 5, 6], "the batch is complete: all files are made anew"
    assert exported(tables=True) == [1, 2, 3, 4, 5, 6]
    assert {created_ms for _, created_ms in heard} == {books.ledger.batch(batch).created_ms}


def test_the_results_command_writes_every_row_once_while_the_batch_runs(books):
    batch = books.feed(pairs(4) + "bad,,\n")
    books.finish(most=2)
    books.exporter.export(batch, tables=True)
    assert [line["status"] for line in books.lines(batch)] == [
        *(["succeeded"] * 2),
        *(["queued"] * 2),
        "invalid",
    ]
    books.finish()
    books.exporter.export(batch)
    assert [line["status"] for line in books.lines(batch)] == [*(["succeeded"] * 4), "invalid"]


@pytest.mark.parametrize(
    ("failpoint", "before", "then"),
    [("exporting", 0, 2), ("exporting", 2, 2), ("results_appended", 2, 1), ("results_replaced", 2, 2)],
)
def test_an_exporter_killed_anywhere_leaves_a_file_that_the_next_one_makes_whole(
    books, redis_settings, failpoint, before, then
):
    batch = books.feed(pairs(4))
    if before:
        books.finish(most=before)
        books.exporter.export(batch)
    books.finish(most=then)
    where = (redis_settings.url.get_secret_value(), redis_settings.prefix, str(books.folder), batch)
    armed = os.environ | {"VTON_FAILPOINT": failpoint}
    killed = subprocess.run([sys.executable, "-c", EXPORT, *where], env=armed, check=False)
    assert killed.returncode == -signal.SIGKILL
    # Its lease ends with time.
    books.ledger.client.delete(books.ledger.key("exporting", batch))
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == list(range(1, before + then + 1))
    books.finish()
    books.exporter.export(batch)
    assert [line["status"] for line in books.lines(batch)] == ["succeeded"] * 4
    assert not list(books.out.rglob("*.tmp"))
    assert len(list((books.out / batch / "images").iterdir())) == 4
    assert not list((books.out / batch).glob("results.*.jsonl")), "nothing was taken for a stranger's"


def test_a_file_torn_at_any_byte_is_put_right_without_loss_or_double(books):
    batch = books.feed(pairs(5))
    books.finish(most=2)
    books.exporter.export(batch)
    folder = books.out / batch
    note = (folder / CHECKPOINT).read_bytes()
    books.finish(most=2)
    books.exporter.export(batch)
    after, whole = (folder / "results.jsonl").read_bytes(), books.lines(batch)
    assert [line["row"] for line in whole] == [1, 2, 3, 4]
    covered = json.loads(note)["length"]
    for end in (0, 1, covered // 2, covered - 1, covered, covered + 1, len(after) - 1, len(after)):
        for left in (note, (folder / CHECKPOINT).read_bytes()):
            (folder / "results.jsonl").write_bytes(after[:end])
            (folder / CHECKPOINT).write_bytes(left)
            books.exporter.export(batch)
            assert books.lines(batch) == whole, end


def test_a_file_of_the_former_form_goes_on_in_the_new_one(books):
    batch = books.feed(pairs(3))
    books.finish(most=2)
    books.exporter.export(batch)
    folder = books.out / batch
    entry = read_checkpoint(folder).entry
    older_form(folder, rows_of(folder), entry, books.ledger.ledger_id())
    (folder / CHECKPOINT).unlink()
    books.finish(most=0)
    books.exporter.export(batch)
    assert read_checkpoint(folder).entry == entry
    books.finish()
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == [1, 2, 3]
    assert not list(folder.glob("results.*.jsonl"))


def foreign(books, batch, form):
    folder = books.out / batch
    (folder / "images").mkdir(parents=True)
    (folder / "results.csv").write_text("sku\nbought yesterday\n")
    if form == "former":
        older_form(folder, ['{"row": 99}'], "9999999999999-0", ledger="b" * 32)
    else:
        file = ResultsFile(folder, "b" * 32, orders=7)
        file.append(['{"row": 99}'], "9999999999999-0", held, after=file.begin(held))
    return folder


@pytest.mark.parametrize("form", ["former", "new"])
@pytest.mark.parametrize("tables", [False, True])
def test_results_of_another_ledger_are_not_touched_and_the_refusal_says_whose_they_are(books, form, tables):
    batch = books.feed(pairs(1))
    books.finish()
    folder = foreign(books, batch, form)
    before = contents(folder)
    with pytest.raises(
        ForeignResultsError, match=r"another ledger \(bbbbbbbb\).*vton recover.*--accept-new-ledger"
    ):
        books.exporter.export(batch, tables=tables)
    assert contents(folder) == before
    assert not books.ledger.client.exists(books.ledger.key("exporting", batch))


@pytest.mark.parametrize("form", ["former", "new"])
def test_a_person_who_accepts_the_new_ledger_finds_the_old_results_under_other_names(books, form):
    batch = books.feed(pairs(1))
    books.finish()
    folder = foreign(books, batch, form)
    before = contents(folder)
    books.exporter.export(batch, accept=True)
    assert [line["row"] for line in books.lines(batch)] == [1]
    for name, content in before.items():
        assert (folder / f"{name.stem}.bbbbbbbb{name.suffix}").read_bytes() == content


def test_a_ledger_that_was_accepted_in_the_place_of_another_needs_no_second_word(books):
    batch = books.feed(pairs(1))
    books.finish()
    folder = foreign(books, batch, "new")
    books.ledger.client.hset(books.ledger.key("meta"), f"replaces:{'b' * 32}", 1)
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == [1]
    assert rows_of(folder) != ['{"row": 99}']
    assert (folder / "results.bbbbbbbb.jsonl").read_text() == '{"row": 99}\n'


def test_results_made_before_the_ledger_went_back_in_time_are_not_written_over(books):
    batch = books.feed(pairs(2))
    books.finish(most=1)
    books.ledger.client.hset(books.ledger.key("meta"), "orders", 5)
    books.exporter.export(batch)
    before = contents(books.out / batch)
    books.ledger.client.hset(books.ledger.key("meta"), "orders", 3)
    with pytest.raises(ForeignResultsError, match=r"counted 5 orders, and now it counts 3"):
        books.exporter.export(batch)
    assert contents(books.out / batch) == before
    books.ledger.client.hset(books.ledger.key("meta"), "orders", 5)
    assert books.exporter.export(batch) is not None


def test_results_that_know_an_end_which_the_ledger_has_forgotten_are_kept_beside_the_new_ones(books):
    batch = books.feed(pairs(2))
    books.finish(most=1)
    books.exporter.export(batch)
    folder = books.out / batch
    before = (folder / "results.jsonl").read_bytes()
    last = books.ledger.last_entry(batch)
    books.ledger.client.xdel(books.ledger.key("out", batch), last)
    books.finish()
    books.exporter.export(batch)
    assert [line["row"] for line in books.lines(batch)] == [1, 2]
    (kept,) = folder.glob("results.*.jsonl")
    assert kept.read_bytes() == before


def test_a_file_that_nobody_has_claimed_is_kept_beside_the_new_one(books):
    batch = books.feed(pairs(1))
    books.finish()
    folder = books.out / batch
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / "results.jsonl").write_text(f'{{"mine": {number}}}\n')
        (folder / CHECKPOINT).unlink(missing_ok=True)
        books.exporter.export(batch)
        assert [line["row"] for line in books.lines(batch)] == [1]
    assert (folder / "results.unclaimed.jsonl").read_text() == '{"mine": 1}\n'
    assert (folder / "results.unclaimed-2.jsonl").read_text() == '{"mine": 2}\n'


def test_a_checkpoint_that_cannot_be_read_is_none(tmp_path):
    for content in (b"", b"{", b"[]", b'{"ledger": "x"}', b"\xff"):
        (tmp_path / CHECKPOINT).write_bytes(content)
        assert read_checkpoint(tmp_path) is None


def test_the_checkpoint_says_how_many_orders_the_ledger_had_counted(books):
    batch = books.feed(pairs(1))
    books.ledger.client.hset(books.ledger.key("meta"), "orders", 41)
    books.finish()
    books.exporter.export(batch)
    found = read_checkpoint(books.out / batch)
    size = (books.out / batch / "results.jsonl").stat().st_size
    assert found == Checkpoint(
        ledger=books.ledger.ledger_id(),
        prefix=books.ledger.prefix,
        orders=42,
        entry=books.ledger.last_entry(batch),
        length=size,
        crc=found.crc,
    )


def test_a_batch_that_is_exported_by_somebody_else_is_left_alone(books):
    batch = books.feed(pairs(1))
    books.ledger.client.set(books.ledger.key("exporting", batch), "another", px=60_000)
    assert books.exporter.export(batch) is None
    assert not books.out.exists()


# -- what a line says


def test_a_job_that_nobody_can_read_is_told_so_and_the_others_have_their_lines(books):
    batch = books.feed(
        "sku,person,dress\na,http://x.example/p.jpg,http://x.example/1.jpg\nb,http://x.example/p.jpg,http://x.example/2.jpg\n"
    )
    books.finish()
    first, second = books.ledger.rows_at(batch, [1, 2]).values()
    books.ledger.client.hset(books.ledger.key("job", first.job), "pictures", "[")
    books.exporter.export(batch, tables=True)
    by_sku = {line["sku"]: line for line in books.lines(batch)}
    assert by_sku["a"]["status"] == "unknown"
    assert (by_sku["a"]["error"]["class"], by_sku["a"]["error"]["owner"]) == ("unreadable", "ops")
    assert by_sku["b"]["request_id"] == second.job
    assert by_sku["b"]["status"] == "succeeded"


def test_every_state_is_told_in_its_line(books):
    batch = books.feed(pairs(4) + "bad,,\n")
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


def kinds(value):
    """The shape of a value: its JSON types, through objects and lists; null is any."""
    if isinstance(value, dict):
        return {key: kinds(each) for key, each in value.items()}
    if isinstance(value, list):
        return [kinds(each) for each in value]
    return None if value is None else type(value).__name__


def agree(one, other):
    """Whether two shapes can stand in one column."""
    if one is None or other is None:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return all(agree(a, b) for a in one for b in other)
    return one == other


@pytest.mark.parametrize("name", ["night.csv", "night.jsonl"])
def test_every_line_has_the_same_keys_and_one_type_for_each(books, name):
    rows = [
        {"sku": f"s{n}", "person": "https://a.example/p", slot: f"https://a.example/{n}", "note": "x"}
        for n, slot in enumerate(["upper", "lower", "dress", "upper", "upper"])
    ]
    if name == "night.jsonl":
        rows += [{"id": "t", "person": "https://a.example/p", "dress": "https://a.example/9", "season": "SS"}]
        content = "\n".join([*map(json.dumps, rows), '{"sku": "bad"}']) + "\n"
    else:
        columns = ["sku", "person", "upper", "lower", "dress", "note"]
        cells = [[row.get(column, "") for column in columns] for row in rows]
        content = "\n".join(",".join(row) for row in [columns, *cells, ["bad"]]) + "\n"
    batch = books.feed(content, name)
    states = iter([JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN])
    books.finish(lambda _job: next(states), most=4)
    books.exporter.export(batch, tables=True)
    lines = books.lines(batch)
    assert {line["status"] for line in lines} == {*states, "succeeded", "failed", "rejected", "unknown",
        "queued", "invalid"}  # fmt: skip
    for line in lines:
        assert line.keys() == lines[0].keys()
        assert all(agree(kinds(line), kinds(other)) for other in lines), line
    assert lines[0].keys() == {
        "batch", "row", "line", "sku", "request_id", "status", "task_id", "sub_task_ids", "past_task_ids",
        "attempts", "images", "error", "timings", "source", "inputs", "extra", "review", "flags", "measures",
        "settled",
        "version", "versions", "file",
    }  # fmt: skip
    assert set(lines[0]["inputs"]) == {"person", "upper_clothes", "lower_clothes", "dress"}
