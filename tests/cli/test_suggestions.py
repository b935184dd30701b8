"""What a bad row may have meant: found by name in the same folder or among what is known, with bounded work."""

import os
import unicodedata

import pytest

from jobs.cli import nearest_files
from jobs.cli.nearest_files import Folders
from jobs.cli.suggestions import Suggestions
from jobs.records import BadRow


@pytest.fixture
def folder(tmp_path):
    names = [
        "Anna.jpg",
        "ines.jpeg",
        unicodedata.normalize("NFD", "Zoë.png"),
        "SKU-0012.jpg",
        "dress red.webp",
        "marta.jpg",
    ]
    (tmp_path / "People").mkdir()
    for name in names:
        (tmp_path / "People" / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("People/anna.jpg", "People/Anna.jpg"),
        ("people/ANNA.JPG", "People/Anna.jpg"),
        ("People/ines.jpg", "People/ines.jpeg"),
        ("People/ines", "People/ines.jpeg"),
        ("People/Zoë.png", unicodedata.normalize("NFD", "People/Zoë.png")),
        ("People\\Anna.jpg", "People/Anna.jpg"),
        ("People/dress_red.webp", "People/dress red.webp"),
        ("People/martha.jpg", "People/marta.jpg"),
        ("People/amrta.jpg", "People/marta.jpg"),
        ("Peoplz/marta.jpg", "People/marta.jpg"),
        ("People/SKU_0012.jpg", "People/SKU-0012.jpg"),
        ("People/SKU-0013.jpg", ""),
        ("People/SKU-001.jpg", ""),
        ("People/nobody.jpg", ""),
        ("People/Anna.jpg", ""),
        ("People/../People/anna.jpg", ""),
        ("/etc/Passwd", ""),
        ("nowhere/anna.jpg", ""),
        ("People/anna.jpg/x", ""),
        ("People/\0anna.jpg", ""),
    ],
)
def test_a_file_that_is_not_there_is_looked_for_under_nearly_its_name(folder, asked, near):
    assert Folders(folder).nearest(asked) == near


def test_two_names_that_both_are_nearly_it_are_no_suggestion(tmp_path):
    for name in ("marta.jpg", "martz.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert Folders(tmp_path).nearest("martx.jpg") == ""


def test_no_name_outside_of_the_folder_is_given_away(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "Secret.jpg").write_bytes(b"x")
    (folder / "link").symlink_to(elsewhere)
    assert Folders(folder).nearest("link/secret.jpg") == ""


def test_a_folder_is_listed_once_and_searches_for_a_wrong_letter_end(folder, monkeypatch):
    listed = []
    real = os.scandir
    monkeypatch.setattr(nearest_files.os, "scandir", lambda path: listed.append(path) or real(path))
    monkeypatch.setattr(nearest_files, "_SEARCHES", 3)
    folders = Folders(folder)
    assert [folders.nearest(f"People/marta{n}x.jpg") for n in "abc"] == ["", "", ""]
    assert folders.nearest("People/martha.jpg") == "", "enough was searched"
    assert folders.nearest("People/anna.jpg") == "People/Anna.jpg", "this needs no search"
    assert len(listed) == 2


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("T-Shirts", "upper"),
        ("Women > Jeans", "lower"),
        ("uppxr", "upper"),
        ("dreses", "dress"),
        ("Socks", ""),
        ("", ""),
    ],
)
def test_a_category_that_is_not_known_is_near_a_kind(tmp_path, category, kind):
    row = BadRow(number=1, line=2, column="Category", why="unknown", fields={"Category": category})
    assert Suggestions(tmp_path)(row) == kind


@pytest.mark.parametrize(
    ("column", "text", "near"),
    [
        ("person", "ana", "anna"),
        ("model", "Anna", "anna"),
        ("person", "https://cdn.example/ana.jpg", ""),
        ("garment", "red jaket", "red jacket"),
        ("garments", "blue jeans, red jaket", "red jacket"),
        ("colour", "ana", ""),
    ],
)
def test_a_person_or_garment_that_the_manifest_does_not_name_is_near_one_it_does(
    tmp_path, column, text, near
):
    row = BadRow(number=1, line=2, column=column, why="unknown", fields={column: text})
    assert Suggestions(tmp_path, ["anna", "ines"], ["red jacket", "blue jeans"])(row) == near
