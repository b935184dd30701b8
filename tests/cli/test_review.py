"""`vton review`: verdicts come in by files, are counted, and go out again."""

import json

import pytest

from jobs.cli.commands import load
from jobs.cli.recovery import recover_batch
from jobs.cli.reviewing import apply_reviews, export_review, print_review
from jobs.cli.session import Session
from jobs.config.settings import Settings
from jobs.errors import NotFoundError, UsageError
from jobs.ledger.verdicts import verdicts_of
from jobs.records import REJECT_REASONS
from jobs.results.review import COLUMNS
from tests.results.conftest import Books

MANIFEST = "sku,person,upper\n=a,https://a.example/p,https://a.example/1\nb,https://a.example/p,https://a.example/2\n"


@pytest.fixture
def books(ledger, queue, tmp_path):
    return Books(folder=tmp_path, ledger=ledger, queue=queue)


@pytest.fixture
def session(books, redis_settings):
    settings = Settings(output_dir=books.out, data_dir=books.folder)
    return Session(settings=settings, redis=redis_settings, ledger=books.ledger, queue=books.queue)


def table(tmp_path, *verdicts, name="review.csv"):
    lines = [",".join(str(said.get(column, "")) for column in COLUMNS) for said in verdicts]
    path = tmp_path / name
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


def verdict(line, word="approve", at="2026-11-27T10:00:00.000Z", **more):
    picture = line["images"][0]["sha256"]
    named = {
        "row": line["row"],
        "request_id": line["request_id"],
        "picture_sha256": picture,
        "reviewer": "Ana",
    }
    return named | {"verdict": word, "at": at} | more


@pytest.fixture
def batch(books):
    batch = books.feed(MANIFEST)
    books.finish()
    books.exporter.export(batch, tables=True)
    return batch


def test_verdicts_come_in_once_and_stand_in_the_files(books, session, batch, tmp_path, capsys):
    first, second = books.lines(batch)
    files = [table(tmp_path, verdict(first), verdict(second, "reject", reasons="face hands", note="eyes"))]
    apply_reviews(session, files, batch="", reviewer="")
    assert capsys.readouterr().out.startswith(
        f"{batch}: 2 verdicts applied, 0 known before, 0 on replaced pictures\n"
    )
    assert [[said["verdict"] for said in line["review"]] for line in books.lines(batch)] == [
        ["approve"],
        ["reject"],
    ]
    apply_reviews(session, files, batch="", reviewer="")
    assert capsys.readouterr().out == f"{batch}: 0 verdicts applied, 2 known before, 0 on replaced pictures\n"
    print_review(books.ledger, batch, as_json=True)
    counted = json.loads(capsys.readouterr().out)
    assert (counted["approved"], counted["rejected"], counted["to_judge"]) == (1, 1, 0)
    print_review(books.ledger, batch, as_json=False)
    assert "rejected for: face 1, hands 1\njudged by: Ana 2\n" in capsys.readouterr().out


def test_a_verdict_on_a_replaced_picture_is_not_applied_and_said_so(books, session, batch, tmp_path, capsys):
    first, second = books.lines(batch)
    old = verdict(first, picture_sha256="0" * 64)
    apply_reviews(session, [table(tmp_path, old, verdict(second))], batch="", reviewer="")
    said = capsys.readouterr()
    assert f"row 1: approve by Ana is not applied: its picture {'0' * 12}…" in said.err
    assert said.out.startswith(f"{batch}: 1 verdict applied, 0 known before, 1 on replaced pictures\n")
    assert books.lines(batch)[0]["review"] == []


def test_what_was_exported_can_be_applied_and_a_spreadsheet_runs_none_of_it(
    books, session, batch, tmp_path, capsys
):
    first, _ = books.lines(batch)
    earlier = verdict(first, "reject", at="2026-11-27T09:00:00.000Z", reasons="other")
    apply_reviews(session, [table(tmp_path, verdict(first), earlier)], batch=batch, reviewer="")
    path = tmp_path / "exported.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        export_review(books.ledger, batch, file)
    assert path.read_text().splitlines()[1].startswith(f"1,'=a,{first['request_id']},")
    assert len(path.read_text().splitlines()) == 2
    capsys.readouterr()
    apply_reviews(session, [path], batch="", reviewer="")
    assert "0 verdicts applied, 1 known before" in capsys.readouterr().out


def test_a_request_id_that_no_ledger_has_keeps_no_verdict_out(books, session, batch, tmp_path, capsys):
    first, second = books.lines(batch)
    path = table(tmp_path, verdict(first, request_id="\u4e2d"), verdict(second))
    apply_reviews(session, [path], batch="", reviewer="")
    assert capsys.readouterr().out.startswith(f"{batch}: 2 verdicts applied")


def test_bad_lines_are_named_and_files_that_are_none_are_refused(books, session, batch, tmp_path, capsys):
    first, _ = books.lines(batch)
    path = table(tmp_path, verdict(first, "maybe"), verdict(first, reviewer=""))
    with pytest.raises(UsageError, match="no verdict in these files"):
        apply_reviews(session, [path], batch="", reviewer="")
    assert f"{path}:2: verdict is none of" in capsys.readouterr().err
    apply_reviews(session, [path], batch="", reviewer="Bo")
    assert books.lines(batch)[0]["review"][0]["reviewer"] == "Bo"
    with pytest.raises(NotFoundError, match="no such file"):
        apply_reviews(session, [tmp_path / "gone.csv"], batch="", reviewer="")
    other = tmp_path / "other.csv"
    other.write_text("sku\n1\n")
    with pytest.raises(UsageError, match=r"no review\.csv"):
        apply_reviews(session, [other], batch="", reviewer="")
    other.write_text(f"picture_sha256,verdict,at\n{'a' * 200_000},approve,\n")
    with pytest.raises(UsageError, match="field larger than field limit"):
        apply_reviews(session, [other], batch="", reviewer="")


def test_a_line_that_is_refused_names_what_it_may_say(books, session, batch, tmp_path, capsys):
    first, second = books.lines(batch)
    lines = [
        verdict(first, at="27/11/2026 10:00"),
        verdict(first, at="1764237600000"),
        verdict(first, at="9999-01-01T00:00:00Z"),
    ]
    lines += [verdict(first, "reject", reasons="ugly"), verdict(second)]
    assert not apply_reviews(session, [table(tmp_path, *lines)], batch="", reviewer="")
    said = capsys.readouterr()
    assert said.err.count("at is no time with its zone, like 2026-11-27T10:00:00Z") == 2
    assert "'27/11/2026 10:00'" in said.err
    assert "at is in the future: '9999-01-01T00:00:00Z'" in said.err
    assert f"unknown reason 'ugly'; reasons are {', '.join(REJECT_REASONS)}" in said.err
    assert said.out.startswith(
        f"{batch}: 1 verdict applied, 0 known before, 0 on replaced pictures, 4 lines refused\n"
    )
    assert apply_reviews(session, [table(tmp_path, lines[-1])], batch="", reviewer="")


def test_what_is_not_applied_is_an_exit_code(shop, elsewhere, books, batch, tmp_path):
    first, second = books.lines(batch)
    good, old = verdict(first), verdict(second, picture_sha256="0" * 64)
    for lines, code in (([good], 0), ([good, verdict(second, "maybe")], 6), ([good, old], 6), ([old], 6)):
        path = table(tmp_path, *lines)
        assert shop.vton("review", "apply", str(path), **elsewhere.env()).code == code


def test_a_file_of_no_batch_or_of_several_asks_which(books, session, batch, tmp_path, capsys):
    first, _ = books.lines(batch)
    again = books.feed(MANIFEST + "c,https://a.example/p,https://a.example/3\n")
    path = table(tmp_path, verdict(first))
    with pytest.raises(UsageError, match="say which with --batch"):
        apply_reviews(session, [path], batch="", reviewer="")
    apply_reviews(session, [path.rename(tmp_path / f"review-{again}-Ana.csv")], batch="", reviewer="")
    assert f"\n{again}: 1 verdict applied" in capsys.readouterr().out
    assert books.lines(batch)[0]["review"] == []
    with pytest.raises(NotFoundError, match="name it with --batch"):
        apply_reviews(session, [table(tmp_path, verdict(first, request_id="x"))], batch="", reviewer="")


def test_a_ledger_that_was_lost_gets_its_verdicts_back_from_the_results(books, session, batch, tmp_path):
    first, _ = books.lines(batch)
    apply_reviews(session, [table(tmp_path, verdict(first, "reject", reasons="face"))], batch="", reviewer="")
    books.ledger.client.delete(books.ledger.key("review", batch))
    recover_batch(books.ledger, books.out / batch, books.store)
    assert [(said.row, said.reasons) for said in verdicts_of(books.ledger, batch)] == [(1, ("face",))]


def test_the_command_has_its_three_words(shop):
    assert load("review").name == "review"
    assert shop.vton("review", "status", "gone").code == 4
    assert shop.vton("review", "status", "a", "b").code == 2
    assert shop.vton("review", "judge", "a").code == 2
