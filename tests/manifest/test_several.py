"""Several manifests as one batch."""

import os
from pathlib import Path

import pytest

from jobs.config.settings import PictureSettings
from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.manifest import Manifest
from jobs.manifest.several import Manifests, open_manifests
from jobs.pictures.check import LocalPictures
from jobs.problems import Problems
from jobs.producing.planning import Planner
from jobs.records import BadRow, Row

HEAD = "sku,person,dress\n"
PAIR = "https://x.example/p.jpg,https://x.example/d.jpg"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


def test_rows_of_all_files_are_numbered_through_and_know_their_file_and_line(folder):
    a = written(folder, "a.csv", f"{HEAD}A,{PAIR}\n\nB,,x.jpg\n")
    b = written(
        folder, "tables/b.jsonl", '{"sku": "C", "person": "p.jpg", "dress": "/d.jpg"}\n{"sku": "D"}\n'
    )
    manifest = open_manifests([a, b])
    found = list(manifest.rows())
    assert [(row.number, row.file, row.line, row.sku) for row in found] == [
        (1, "a.csv", 2, "A"), (2, "a.csv", 4, "B"), (3, "tables/b.jsonl", 1, "C"), (4, "tables/b.jsonl", 2, "D"),
    ]  # fmt: skip
    assert list(manifest.rows()) == found
    problems = Problems(manifest.name, manifest.place)
    for row in found:
        if isinstance(row, BadRow):
            problems.refuse(row)
    assert list(problems.lines()) == [
        "2 rows: person: the person's picture is missing",
        "    e.g. a.csv:4  B",
        "    e.g. tables/b.jsonl:2  D",
    ]
    assert found[2].inputs == {"person": "tables/p.jpg", "dress": "/d.jpg"}


def test_one_file_is_that_file(folder):
    name = written(folder, "a.csv", f"{HEAD}A,{PAIR}\n")
    alone, starred = open_manifests([name]), open_manifests(["*.csv", name, "./a.csv"])
    assert isinstance(alone, Manifest)
    assert isinstance(starred, Manifest)
    assert alone.digest == starred.digest


def test_the_same_files_are_the_same_batch_and_a_changed_one_is_another(folder):
    names = [written(folder, f"{name}.csv", f"{HEAD}{name},{PAIR}\n") for name in "ab"]
    before = open_manifests(names)
    assert (before.name, before.digest) == ("a-and-1-more", open_manifests(["*.csv"]).digest)
    assert before.digest != open_manifests(names[::-1]).digest
    written(folder, "b.csv", f"{HEAD}c,{PAIR}\n")
    assert before.digest != open_manifests(names).digest


def test_a_pattern_leaves_out_what_programs_lock_tables_by_and_must_fit_something(folder):
    for name in ("b.csv", "a.csv", "~$a.csv", "deep/c.csv"):
        written(folder, name, f"{HEAD}{name},{PAIR}\n")
    assert [row.file for row in open_manifests(["**/*.csv"]).rows()] == ["a.csv", "b.csv", "deep/c.csv"]
    with pytest.raises(NotFoundError, match=r"no file fits none/\*\.csv"):
        open_manifests(["a.csv", "none/*.csv"])
    written(folder, "odd[1].csv", f"{HEAD}odd,{PAIR}\n")
    assert [row.sku for row in open_manifests(["odd[1].csv"]).rows()] == ["odd"]


def test_columns_are_shared_only_when_all_files_have_the_same(folder):
    written(folder, "a.csv", f"{HEAD}A,{PAIR}\n")
    written(folder, "b.csv", f"{HEAD}B,{PAIR}\n")
    written(folder, "c.csv", f"item id;model;gown;dress\nC;{PAIR.replace(',', ';;')}\n")
    same, others = open_manifests(["a.csv", "b.csv"]), open_manifests(["a.csv", "c.csv"])
    assert same.columns == ("sku", "person", "dress")
    assert (others.columns, others.dialect.delimiter) == ((), ",")
    assert [row.sku for row in others.rows()] == ["A", "C"]


def test_every_file_that_is_no_manifest_is_named_at_once(folder):
    for name, text in (("a.csv", f"{HEAD}A,{PAIR}\n"), ("b.csv", ""), ("c.csv", "x,y\n1,2\n")):
        written(folder, name, text)
    with pytest.raises(ManifestError, match=r"(?s)b\.csv: is empty\nc\.csv:1: .*no known column"):
        open_manifests(["*.csv"])


def test_pictures_may_lie_beside_each_file_and_nowhere_else(folder):
    for name in ("one/a.csv", "two/b.csv"):
        written(folder, name, f"{HEAD}{name},p.jpg,../secret.jpg\n")
    manifest = open_manifests(["one/a.csv", "two/b.csv"])
    assert isinstance(manifest, Manifests)
    assert manifest.folder == folder
    assert manifest.roots == (folder / "one", folder / "two")
    written(folder, "secret.jpg", "")
    pictures = PictureSettings(roots=manifest.roots)
    planned = Planner(LocalPictures(pictures, manifest.folder).source).plan(
        Row(number=1, line=1, sku="", inputs={"person": "one/../secret.jpg"}, fields={}, file="one/a.csv")
    )
    assert isinstance(planned, BadRow)
    assert "outside" in planned.why
    assert planned.file == "one/a.csv"


def test_files_without_a_common_folder_are_refused(folder):
    name = written(folder, "a.csv", f"{HEAD}A,{PAIR}\n")
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK):
        pytest.skip("there is no second folder below the root that may be written to")
    other = elsewhere / f"vton-{os.getpid()}.csv"
    other.write_text(f"{HEAD}B,{PAIR}\n")
    try:
        with pytest.raises(UsageError, match="nothing in common"):
            open_manifests([name, str(other)])
    finally:
        other.unlink()


def test_the_pictures_of_a_file_may_be_counted_from_another_folder_than_its_own(folder):
    """As those of a batch's failed.csv are from the folder of its manifest."""
    again = written(folder, "out/night/failed.csv", f"{HEAD}A,p.jpg,d.jpg\n")
    other = written(folder, "new.csv", f"{HEAD}B,p.jpg,d.jpg\n")
    manifest = open_manifests([again, other])
    assert isinstance(manifest, Manifests)
    manifest.count_from({again: folder / "shop"})
    assert (manifest.folder, manifest.roots) == (folder, (folder / "shop", folder))
    assert [row.fields["dress"] for row in manifest.rows()] == ["shop/d.jpg", "d.jpg"]
    with pytest.raises(UsageError, match="nothing in common"):
        manifest.count_from({again: Path("/elsewhere")})


def test_bad_rows_of_mappings_have_their_pictures_counted_from_the_common_folder_too(folder):
    names = "people: {anna: anna.jpg}\njobs:\n  - {person: anna, dress: d.jpg, top: t.jpg}\n"
    written(folder, "in/b.yaml", names)
    written(folder, "in/c.jsonl", '{"sku": "C", "person": "p.jpg"}\n')
    written(folder, "a.csv", f"{HEAD}A,{PAIR}\n")
    _, bad, worse = open_manifests(["a.csv", "in/b.yaml", "in/c.jsonl"]).rows()
    assert dict(bad.fields) == {"person": "anna", "dress": "in/d.jpg", "top": "in/t.jpg"}
    assert worse.fields["person"] == "in/p.jpg"
