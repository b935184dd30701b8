"""Planning: a row becomes the job it asks for, or says why it cannot."""

import json
from pathlib import Path

from jobs.identity import request_id
from jobs.ledger.codec import decode_pair
from jobs.pictures.check import PictureError
from jobs.producing.planning import Planned, Planner, admission
from jobs.records import BadRow, LocalFile, Pair, Row, Source, Url

PERSON, DRESS = "https://shop.example/anna.jpg", "https://shop.example/d1.jpg"


def source(text: str) -> Source:
    """Addresses are addresses, `*.jpg` is a file of that content, all else is missing."""
    if text.startswith("https://"):
        return Url(url=text)
    if text.endswith(".jpg"):
        return LocalFile(path=f"/shop/{text}", sha256=text[0] * 64)
    raise PictureError("there is no such file")


def row(number: int = 1, sku: str = "s1", **inputs: str) -> Row:
    fields = {"sku": sku, **inputs, "colour": "navy"}
    return Row(number=number, line=number + 1, sku=sku, inputs=inputs, fields=fields)


def test_a_row_becomes_the_pair_it_names() -> None:
    planned = Planner(source).plan(row(person=PERSON, upper_clothes="a.jpg", lower_clothes="b.jpg"))
    assert isinstance(planned, Planned)
    assert planned.pair == Pair(
        person=Url(url=PERSON),
        upper_clothes=LocalFile(path="/shop/a.jpg", sha256="a" * 64),
        lower_clothes=LocalFile(path="/shop/b.jpg", sha256="b" * 64),
    )
    assert planned.request_id == request_id(planned.pair)


def test_two_rows_of_one_pair_are_one_job_whatever_else_they_say() -> None:
    planner = Planner(source)
    one, two = (planner.plan(row(n, f"sku-{n}", person=PERSON, dress=DRESS)) for n in (1, 2))
    assert isinstance(one, Planned)
    assert isinstance(two, Planned)
    assert one.request_id == two.request_id


def test_an_epoch_makes_every_job_a_new_one() -> None:
    asked = row(person=PERSON, dress=DRESS)
    found = {Planner(source, epoch).plan(asked).request_id for epoch in ("", "1", "2")}  # type: ignore[union-attr]
    assert len(found) == 3


def test_a_picture_that_cannot_be_used_makes_the_row_a_bad_one() -> None:
    asked = row(7, person=PERSON, dress="gone.gif")
    assert Planner(source).plan(asked) == BadRow(
        number=7, line=8, column="dress", why="gone.gif: there is no such file", sku="s1", fields=asked.fields
    )


def test_a_bad_picture_is_told_by_the_manifests_own_name_of_its_column() -> None:
    planner = Planner(source)
    chinese = Row(
        number=1,
        line=2,
        sku="",
        inputs={"person": "gone", "dress": PERSON},
        fields={"模特图": "gone", "连衣裙": PERSON},
    )
    by_category = Row(
        number=1,
        line=2,
        sku="",
        inputs={"person": PERSON, "dress": "gone"},
        fields={"Garment": "gone", "Model": PERSON, "Category": "dress"},
    )
    found = [planner.plan(asked) for asked in (chinese, by_category)]
    assert [bad.column for bad in found if isinstance(bad, BadRow)] == ["模特图", "Garment"]


def test_a_bad_row_stays_as_it_is() -> None:
    bad = BadRow(number=3, line=4, column="person", why="empty")
    assert Planner(source).plan(bad) is bad


def test_a_planned_row_is_admitted_with_its_fields_and_its_job() -> None:
    planned = Planner(source).plan(row(4, person=PERSON, dress="a.jpg"))
    assert isinstance(planned, Planned)
    entry = admission(planned)
    assert (entry.number, entry.request_id) == (4, planned.request_id)
    assert decode_pair(entry.pair) == planned.pair
    told = json.loads(entry.row)
    assert told["job"] == planned.request_id
    assert (told["line"], told["sku"], told["fields"]) == (5, "s1", dict(planned.row.fields))
    assert "inputs" not in told, "its fields are the pictures"


def test_a_row_that_only_names_its_pictures_keeps_them_beside() -> None:
    asked = Row(
        number=1, line=2, sku="s1", inputs={"person": PERSON, "dress": DRESS}, fields={"person": "anna"}
    )
    told = json.loads(admission(Planner(source).plan(asked)).row)
    assert told["inputs"] == {"person": PERSON, "dress": DRESS}


def test_a_bad_row_is_admitted_with_its_reason_and_no_job() -> None:
    entry = admission(
        BadRow(number=2, line=3, column="dress", why="模特 missing", sku="s", fields={"sku": "s"})
    )
    assert (entry.request_id, entry.pair) == ("", "")
    told = json.loads(entry.row)
    assert told["bad"] == {"column": "dress", "why": "模特 missing"}
    assert "job" not in told


def test_the_folder_and_the_epoch_are_kept_for_the_batch() -> None:
    planner = Planner(source, "2", folder=Path("/shop"))
    assert (planner.folder, planner.epoch) == (Path("/shop"), "2")
