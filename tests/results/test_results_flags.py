"""Flags in the files of a batch: a column, two fields, a count; and the files are the same without them."""

from jobs.config.settings import FlagSettings
from jobs.results.exporter import Exporter
from tests.flags.drawn import Folder, dressed, person

MANIFEST = "sku,person,dress\nA,person.jpg,dress.png\nB,person.jpg,https://cdn.example/d.png\n"


def exporter(books, **limits):
    return Exporter(
        books.ledger,
        output_dir=books.out,
        picture_store=books.store,
        flags=FlagSettings(**limits),
        flags_s=1e9,
    )


def fed(books, image):
    folder = Folder(books.folder)
    books.saved = lambda _task: folder.stored(image)
    batch_id = books.feed(MANIFEST)
    books.finish()
    return batch_id


def column(books, batch_id):
    head, *rows = books.table(batch_id)
    return [row[head.index("vton_flags")] for row in rows]


def test_a_person_who_came_back_is_flagged_in_every_file(books):
    batch_id = fed(books, person())
    exporter(books).export(batch_id)
    first, second = books.lines(batch_id)
    assert "unchanged" in [flag["id"] for flag in first["flags"]]
    assert first["measures"]["colour"] is None
    assert second["measures"]["is_garment"] is None
    assert all(cell.split()[0] == "unchanged" for cell in column(books, batch_id))
    summary = books.summary(batch_id)
    assert summary["flags"]["unchanged"] == 2
    assert summary["flags_not_computed"]["is_garment"] == 1
    assert summary["status"] == {"succeeded": 2}


def test_limits_are_settings_and_flags_can_be_switched_off(books):
    batch_id = fed(books, person())
    exporter(books, enabled=False).export(batch_id, rest=False)
    assert column(books, batch_id) == ["", ""]
    assert {value for line in books.lines(batch_id) for value in line["measures"].values()} == {None}
    assert books.summary(batch_id)["flags"] == {}


def test_rows_are_written_when_their_pictures_cannot_be_measured(books):
    batch_id = fed(books, dressed())
    (books.folder / "measures").write_text("no folder")
    exporter(books).export(batch_id)
    assert [line["status"] for line in books.lines(batch_id)] == ["succeeded"] * 2
    assert column(books, batch_id) == ["", ""]
