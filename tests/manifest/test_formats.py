"""A format is a source: what CONTRIBUTING.md says of adding one, tried with two that nobody has."""

import pytest
import xlsxwriter

from jobs.errors import ManifestError
from jobs.manifest import Reading, formats, open_manifest
from jobs.manifest.mappings import Entry, Names
from jobs.records import BadRow, Dialect, Row

MAGIC = b"SHEETS!\0"


class Sheets:
    """Records below two lines of title, split at bars; the file is no text."""

    dialect = Dialect(delimiter=";")

    def __init__(self, content):
        self.name = f"{content.name}:Sheet 1"
        self._lines = content.stream().read().removeprefix(MAGIC).decode().splitlines()

    def records(self):
        for line, text in enumerate(self._lines, start=1):
            if line > 2:
                yield line, text.split("|"), "cell B5 is an error" if "#N/A" in text else ""


class Couples:
    """Entries of two words."""

    names = Names(people={"anna": "people/anna.jpg"})

    def __init__(self, content):
        self._stream = content.stream()

    def entries(self):
        for line, text in enumerate(self._stream, start=1):
            person, _, dress = text.decode().strip().partition(" ")
            yield line, Entry(person=person, dress=dress) if dress else "two words are needed"


@pytest.fixture(autouse=True)
def two_more(monkeypatch):
    monkeypatch.setitem(formats._BINARY, MAGIC, Sheets)
    monkeypatch.setitem(formats._SUFFIXES, ".couples", Couples)


def test_a_binary_format_of_records_is_known_by_its_first_bytes(opened):
    manifest = opened(
        MAGIC + b"Spring\n\nsku|person|dress\nA|p.jpg|d.jpg\nB|#N/A|d.jpg\nC|p.jpg\n", "spring.csv"
    )
    assert (manifest.columns, manifest.dialect.delimiter) == (("sku", "person", "dress"), ";")
    good, bad, short = manifest.rows()
    assert (type(good), good.number, good.line, good.sku) == (Row, 1, 4, "A")
    assert (type(bad), bad.line, bad.why) == (BadRow, 5, "cell B5 is an error")
    assert short.why == "the row has no garment"


def test_a_source_of_records_is_refused_by_its_own_name_and_line(opened):
    with pytest.raises(ManifestError, match=r"spring\.csv:Sheet 1:3: line 3 names no known column"):
        opened(MAGIC + b"\n\nx|y\n", "spring.csv")


def test_a_format_of_entries_brings_names_and_keys_of_its_own(opened):
    manifest = opened("anna d.jpg\nanna\n", "pairs.couples")
    assert manifest.columns == ()
    good, bad = manifest.rows()
    assert good.inputs == {"person": "people/anna.jpg", "dress": "d.jpg"}
    assert (bad.number, bad.line, bad.why) == (2, 2, "two words are needed")


def test_options_that_say_nothing_about_a_file_are_named(write, tmp_path):
    table = str(write("sku,person,dress\nA,p.jpg,d.jpg\n"))
    how = Reading(sheet="Looks", visible_only=True, encoding="cp1252")
    assert open_manifest(table, how).remarks == (
        "--sheet says nothing here: it is no workbook",
        "--visible-only says nothing here: it is no workbook",
    )
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("Looks").write_row("A1", ["sku", "person", "dress"])
    assert open_manifest(str(tmp_path / "a.xlsx"), how).remarks == (
        "--encoding says nothing here: its text has one encoding only",
    )
