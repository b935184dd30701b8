"""Rows with second takes in the files: each file is kept, one version counts, the history is told."""

import pytest
import structlog

from jobs.cli.recovery import recover_batch
from jobs.cli.retaking import foresee_retakes, retake
from jobs.cli.reviewing import apply_reviews, print_review
from jobs.cli.session import Session
from jobs.config.settings import Settings
from jobs.ledger.verdicts import add_verdicts
from jobs.records import BatchId, JobState, Verdict
from tests.conftest import flush
from tests.results.conftest import Books

MANIFEST = (
    "sku,person,upper\na,https://a.example/p,https://a.example/1\nb,https://a.example/p,https://a.example/2\n"
)


def say(books: Books, batch: BatchId, line, word: str, at: int, *, version: int = 0) -> None:
    """A verdict on a version of a row; 0: the one that counts."""
    of = line["versions"][version - 1] if version else line
    one = Verdict(
        row=line["row"],
        request_id=of["request_id"],
        picture_sha256=of["images"][0]["sha256"],
        verdict=word,
        reviewer="Ana",
        at=f"2026-11-28T10:00:00.{at:03d}Z",
    )
    add_verdicts(books.ledger, batch, [one])


def take_again(books: Books, batch: BatchId, *skus: str) -> int:
    foreseen = foresee_retakes(books.ledger, batch, frozenset(skus) or None)
    return retake(books.ledger, books.queue, batch, foreseen.retakes)


@pytest.fixture
def batch(books: Books) -> BatchId:
    """Two rows, the first of them rejected and made again."""
    batch = books.feed(MANIFEST)
    books.finish()
    books.exporter.export(batch, tables=True)
    first, second = books.lines(batch)
    assert (first["version"], first["versions"]) == (1, [])
    say(books, batch, first, "reject", 1)
    say(books, batch, second, "approve", 2)
    assert take_again(books, batch) == 1
    return batch


def test_a_second_take_lies_beside_the_first_and_is_what_the_tables_show(books, batch):
    before = (books.out / batch / "images" / "a_0001.jpg").read_bytes()
    books.finish()
    books.exporter.export(batch, tables=True)
    first, second = books.lines(batch)
    assert [each["images"][0]["path"] for each in first["versions"]] == [
        "images/a_0001.jpg",
        "images/a_0001__v2.jpg",
    ]
    assert (books.out / batch / "images" / "a_0001.jpg").read_bytes() == before
    assert (first["version"], first["images"]) == (2, first["versions"][1]["images"])
    assert first["request_id"] == first["versions"][1]["request_id"] != first["versions"][0]["request_id"]
    assert [[said["verdict"] for said in each["review"]] for each in first["versions"]] == [["reject"], []]
    assert [said["verdict"] for said in first["review"]] == ["reject"]
    assert (second["version"], second["versions"]) == (1, [])
    assert [row[4] for row in books.table(batch)[1:]] == ["images/a_0001__v2.jpg", "images/b_0002.jpg"]
    summary = books.summary(batch)
    assert (summary["rows"], summary["status"], summary["second_takes"]) == (
        2,
        {"succeeded": 2},
        {"succeeded": 1},
    )


def test_the_log_counts_the_manifests_rows_and_second_takes_apart(books, batch):
    assert take_again(books, batch, "b") == 1
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            books.finish(most=1)
            books.exporter.export(batch)
    begun, ended = (each for each in logs if each["event"] in {"batch.progress", "batch.completed"})
    assert (begun["event"], begun["open"], ended["event"]) == ("batch.progress", 0, "batch.completed")
    for told in (begun, ended):
        assert (told["rows"], told["succeeded"], told["second_takes"], told.get("queued")) == (2, 2, 2, None)


def test_the_file_that_grows_tells_a_second_take_with_its_row(books, batch):
    books.exporter.export(batch)
    assert books.lines(batch)[0]["version"] == 1
    books.finish()
    books.exporter.follow(batch)
    assert [line["row"] for line in books.lines(batch)] == [1, 2]
    assert books.lines(batch)[0]["version"] == 2


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN])
def test_a_second_take_without_a_picture_leaves_the_row_as_it_was_and_is_told(books, batch, state):
    books.finish(lambda _job: state)
    books.exporter.export(batch, tables=True)
    first, _ = books.lines(batch)
    assert (first["version"], first["status"], first["error"]) == (1, "succeeded", None)
    assert [each["status"] for each in first["versions"]] == ["succeeded", state]
    assert books.summary(batch)["second_takes"] == {state: 1}
    assert len(books.table(batch, "failed.csv")) == 1


def test_the_version_that_is_approved_last_counts(books, batch):
    books.finish()
    for at, version, word, counts in (
        (11, 2, "reject", 2),
        (12, 1, "approve", 1),
        (13, 2, "approve", 2),
        (14, 1, "approve", 1),
        (15, 1, "clear", 2),
    ):
        books.exporter.export(batch, tables=True)
        say(books, batch, books.lines(batch)[0], word, at, version=version)
        books.exporter.export(batch, tables=True)
        first, _ = books.lines(batch)
        assert (first["version"], first["images"]) == (counts, first["versions"][counts - 1]["images"])


def test_verdicts_on_versions_come_in_by_file_and_status_counts_those_that_count(
    books, batch, redis_settings, capsys, tmp_path
):
    books.finish()
    books.exporter.export(batch, tables=True)
    first, _ = books.lines(batch)
    second = first["versions"][1]
    cells = f"1,a,{second['request_id']},{second['images'][0]['sha256']},approve,,,Bo,2026-11-28T11:00:00Z"
    table = tmp_path / "review.csv"
    table.write_text(
        f"row,sku,request_id,picture_sha256,verdict,reasons,note,reviewer,at\n{cells}\n", encoding="utf-8"
    )
    settings = Settings(output_dir=books.out, data_dir=books.folder)
    session = Session(settings=settings, redis=redis_settings, ledger=books.ledger, queue=books.queue)
    capsys.readouterr()
    apply_reviews(session, [table], batch="", reviewer="")
    assert capsys.readouterr().out.startswith(f"{batch}: 1 verdict applied, 0 known before, 0 on replaced")
    print_review(books.ledger, batch, as_json=False)
    said = capsys.readouterr().out
    assert f"{batch}: 2 pictures\n        2 approved\n        0 rejected\n" in said
    assert "1 of versions beside the one that counts" in said


def test_every_version_is_brought_into_a_ledger_that_was_lost_and_a_repeat_buys_nothing(books, batch):
    books.finish()
    books.exporter.export(batch, tables=True)
    first, _ = books.lines(batch)
    flush(books.ledger.client, books.ledger.prefix)
    counts = recover_batch(books.ledger, books.out / batch, books.store)
    assert counts == {"succeeded": 3, "second_takes": 1}
    books.feed(MANIFEST)
    assert books.finish() == 0
    foreseen = foresee_retakes(books.ledger, batch, None)
    assert (len(foreseen.retakes), foreseen.pictures) == (1, 0)
    assert take_again(books, batch) == 1
    assert books.finish() == 0
    books.exporter.export(batch, tables=True, accept=True)
    again, _ = books.lines(batch)
    assert [each["task_id"] for each in again["versions"]] == [each["task_id"] for each in first["versions"]]


def test_a_cancelled_second_take_of_a_shared_pair_is_told_at_its_row(books, batch):
    books.ledger.client.hset(books.ledger.key("left", batch), 3, "cancelled")
    books.exporter.export(batch, tables=True)
    first, _ = books.lines(batch)
    assert (first["version"], first["versions"][1]["status"]) == (1, "cancelled")
    assert first["versions"][1]["request_id"]
