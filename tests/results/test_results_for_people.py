"""Files that people work with: rights, links, a workbook with thumbnails, marks that pictures bring."""

import csv
import os
import re
import stat
import zipfile

import pyexiv2
import pytest
from python_calamine import CalamineWorkbook

from jobs.records import Dialect
from jobs.results.exporter import Exporter
from jobs.results.for_people import link_table, write_workbook

ROWS = "sku,person,upper,note\na,https://a.example/p,https://a.example/1,=1+1\n00123,https://a.example/p,https://a.example/2,-\n"


def exported(books, **options):
    batch = books.feed(ROWS + "x,,,\n")
    books.finish()
    exporter = Exporter(books.ledger, output_dir=books.out, picture_store=books.store, **options)
    exporter.export(batch)
    return batch


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o600, 0o700), (0o640, 0o750), (0o664, 0o775)])
def test_files_have_the_rights_that_are_set_whatever_the_umask(books, mode, folder_mode):
    before = os.umask(0o077)
    try:
        batch = exported(books, output_mode=mode)
    finally:
        os.umask(before)
    folder = books.out / batch
    found = {path: rights(path) for path in [folder, *folder.rglob("*")]}
    assert {
        path.name for path, had in found.items() if had != (folder_mode if path.is_dir() else mode)
    } == set()
    assert rights(books.out) in {folder_mode, 0o755, 0o700}
    assert {rights(path) for path in books.store.rglob("*.jpg")} == {0o600}, "the store is not touched"


def test_what_lies_there_gets_new_rights_with_the_next_export(books):
    batch = exported(books)
    Exporter(books.ledger, output_dir=books.out, picture_store=books.store, output_mode=0o640).export(
        batch, tables=True
    )
    folder = books.out / batch
    assert {rights(path) for path in folder.rglob("*") if path.is_file()} == {0o640}


def test_a_folder_that_a_person_has_opened_lets_its_new_files_be_read(books):
    batch = exported(books)
    folder = books.out / batch
    folder.chmod(0o755)
    books.exporter.export(batch, tables=True)
    assert rights(folder) == 0o755
    assert rights(folder / "results.csv") == rights(folder / "results.jsonl") == 0o644
    assert rights(folder / "images" / "a_0001.jpg") == 0o600


def test_links_open_the_pictures_and_nothing_else_becomes_a_formula(books):
    batch = exported(books)
    link_table(books.out / batch, Dialect())
    head, first, second, bad = books.table(batch)
    at = head.index("vton_image")
    assert first[at] == '=HYPERLINK("images/a_0001.jpg")'
    assert second[at] == '=HYPERLINK("images/00123_0002.jpg")'
    assert bad[at] == ""
    cells = [cell for row in (first, second, bad) for cell in (*row[:at], *row[at + 1 :])]
    assert not [cell for cell in cells if cell.startswith("=")]


def test_a_workbook_has_every_row_as_text_with_thumbnails_and_links(books):
    batch = exported(books)
    path = write_workbook(books.out / batch, Dialect())
    table = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    with (books.out / batch / "results.csv").open(newline="") as file:
        wanted = list(csv.reader(file))
    assert table[0] == ["picture", *wanted[0]]
    assert [row[1] for row in table[1:]] == ["a", "00123", "x"]
    assert table[1][4] == "=1+1"
    at = table[0].index("vton_image")
    assert table[1][at] == "images/a_0001.jpg"
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        anchors = archive.read("xl/drawings/drawing1.xml").decode()
    assert re.findall(r"<f>(.*?)</f>", sheet) == [
        'HYPERLINK("images/a_0001.jpg")',
        'HYPERLINK("images/00123_0002.jpg")',
    ]
    # In the first column of the second and the third row, moving and sized with their cells.
    assert re.findall(r"<xdr:from><xdr:col>(\d+)</xdr:col>.*?<xdr:row>(\d+)</xdr:row>", anchors) == [
        ("0", "1"),
        ("0", "2"),
    ]
    assert "editAs" not in anchors
    assert not [each for each in path.parent.iterdir() if each.name.endswith(".tmp")]


def test_more_addresses_than_a_sheet_may_have_links_cost_no_cell(books):
    folder = books.out / "b"
    folder.mkdir(parents=True)
    with (folder / "results.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "person", "vton_image", "vton_task_id"])
        table.writerows(
            [f"s{n}", f"https://a.example/{n}", f"images/{n}.jpg", f"t{n}"] for n in range(65_600)
        )
    path = write_workbook(folder, Dialect())
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<hyperlink " not in xml
    assert xml.count("<f>HYPERLINK") == 65_600
    assert xml.count("<row ") == 65_601
    assert ">t65599<" in xml


def test_a_mark_that_a_picture_brings_is_told_and_the_file_is_as_it_came(books):
    batch = books.feed("sku,person,upper\na,https://a.example/p,https://a.example/1\n")
    saved = books.saved

    def marked(text):
        picture = saved(text)
        content = (books.store / picture.name[:2] / picture.name).read_bytes()
        pyexiv2.registerNs("http://www.tc260.org.cn/ns/AIGC/1.0/", "TC260")
        with pyexiv2.ImageData(content) as image:
            image.modify_xmp({"Xmp.TC260.AIGC": '{"Label":"1"}'})
            content = bytes(image.get_bytes())
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        target = books.store / digest[:2] / f"{digest}.jpg"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        from msgspec.structs import replace

        return replace(picture, name=target.name, sha256=digest, bytes=len(content))

    books.saved = marked
    books.finish()
    books.exporter.export(batch)
    (image,) = books.lines(batch)[0]["images"]
    assert image["marks"] == ["tc260"]
    stored = books.store / image["sha256"][:2] / f"{image['sha256']}.jpg"
    assert (books.out / batch / image["path"]).read_bytes() == stored.read_bytes()
