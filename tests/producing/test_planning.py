"""Planning: a row becomes the job it asks for, or says why it cannot."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobs.identity import request_id
from jobs.ledger.codec import decode_pair
from jobs.pictures.check import PictureError
from jobs.pictures.verdict import Remark
from jobs.producing.planning import Planned, Planner, admission, question
from jobs.records import BadRow, LocalFile, Pair, Row, Source, Url

PERSON, DRESS = "https://shop.example/anna.jpg", "https://shop.example/d1.jpg"


def source(text: str) -> Source:
    """Addresses are addresses, `*.jpg` is a file of that content, of `*.heic` a JPEG is made, all else is missing."""
    if text.startswith("https://"):
        return Url(url=text)
    if text.endswith(".heic"):
        return LocalFile(path=f"/shop/{text}", sha256=text[0] * 64, jpeg="80x120")
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
        number=7,
        line=8,
        column="dress",
        why="gone.gif: there is no such file",
        sku="s1",
        fields=asked.fields,
        value="gone.gif",
        inputs=asked.inputs,
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


def test_a_pair_of_which_a_jpeg_is_made_is_known_by_the_id_it_had_before() -> None:
    made = Planner(source).plan(row(person="a.heic", dress="b.jpg"))
    as_it_was = Planner(source).plan(row(person="a.jpg", dress="b.jpg"))
    assert isinstance(made, Planned)
    assert isinstance(as_it_was, Planned)
    assert made.request_id != as_it_was.request_id
    assert made.former_ids == (as_it_was.request_id,)
    assert decode_pair(admission(made).pair) == made.pair
    assert json.loads(admission(as_it_was).pair) == {
        "person": ["/shop/a.jpg", "a" * 64],
        "dress": ["/shop/b.jpg", "b" * 64],
    }
    assert json.loads(admission(made).pair)["person"] == ["/shop/a.heic", "a" * 64, "80x120"]


def test_what_is_odd_about_pictures_is_remarked_by_slot() -> None:
    blank, moving = Remark("blank", "all of it has one colour"), Remark("moving", "3 frames")
    odd = {"a.jpg": (blank, moving), "b.jpg": (moving,)}
    planner = Planner(source, remarks=lambda text: odd.get(text, ()))
    planned = planner.plan(row(person="a.jpg", dress="b.jpg"))
    assert isinstance(planned, Planned)
    assert planned.remarks == (("person", blank), ("person", moving), ("dress", moving))


def test_a_person_that_is_its_own_garment_is_remarked() -> None:
    for same in ("a.jpg", DRESS):
        planned = Planner(source).plan(row(person=same, upper_clothes=same, lower_clothes="b.jpg"))
        assert isinstance(planned, Planned)
        [(slot, remark)] = planned.remarks
        assert (slot, remark.kind) == ("upper_clothes", "person_is_garment")


def test_rows_are_planned_in_their_order_while_the_next_are_begun() -> None:
    begun = []

    def ahead(rows):
        for each in (waiting := list(rows)):
            begun.append(each.number)
        yield from waiting

    planned = Planner(source, ahead=ahead).plans(
        [row(number, person=PERSON, dress=DRESS) for number in (1, 2)]
    )
    assert [each.row.number for each in planned] == begun == [1, 2]


PICTURES = st.sampled_from(
    [PERSON, DRESS, f"{DRESS}?w=1", f"{DRESS}?Expires=1", "a.jpg", "b.heic", "none.png"]
)
SLOTS = st.permutations(["person", "upper_clothes", "lower_clothes", "dress"])


@given(SLOTS, st.lists(PICTURES, min_size=2, max_size=4), st.sampled_from(["", "again"]))
def test_addresses_that_need_no_look_become_the_same_job_as_if_they_were_looked_up(slots, pictures, epoch):
    asked = row(**dict(zip(slots, pictures, strict=False)) | {"person": pictures[0]})
    quick = Planner(source, epoch, plain=lambda text: text.startswith("https://") and "?" not in text)
    one, other = quick.plan(asked), Planner(source, epoch).plan(asked)
    if isinstance(one, Planned) and isinstance(other, Planned):
        assert (one.pair, list(one.addresses())) == (other.pair, list(other.addresses()))
    assert (admission(one), question(one)) == (admission(other), question(other))
