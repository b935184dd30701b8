import csv
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from examples.drawing import __main__ as draw
from jobs.manifest import open_manifest
from jobs.records import BadRow

EXAMPLES = Path(__file__).parent.parent / "examples"
SLOTS = ("upper_clothes", "lower_clothes", "dress")


def _rows():
    with (EXAMPLES / "catalog.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _pictures():
    found = [*EXAMPLES.glob("people/*"), *EXAMPLES.glob("garments/*")]
    return {path.relative_to(EXAMPLES).as_posix() for path in found}


def test_the_csv_has_forty_rows_with_a_sku_each_and_uses_every_picture_there_is():
    rows = _rows()
    assert len({row["sku"] for row in rows}) == len(rows) == 40
    assert {row[slot] for row in rows for slot in ("person", *SLOTS) if row[slot]} == _pictures()


def test_the_csv_holds_every_kind_of_pair():
    kinds = {tuple(bool(row[slot]) for slot in SLOTS) for row in _rows()}
    assert kinds == {(True, False, False), (False, True, False), (True, True, False), (False, False, True)}


def test_exactly_two_rows_of_the_csv_share_a_pair():
    pairs = [tuple(row[slot] for slot in ("person", *SLOTS)) for row in _rows()]
    assert len(set(pairs)) == len(pairs) - 1


@pytest.mark.parametrize(("name", "count"), [("catalog.csv", 40), ("catalog.yaml", 33)])
def test_every_row_of_an_example_is_valid_and_its_pictures_exist(name, count):
    rows = list(open_manifest(str(EXAMPLES / name)).rows())
    assert [row for row in rows if isinstance(row, BadRow)] == []
    assert len(rows) == count
    assert {path for row in rows for path in row.inputs.values()} <= _pictures()


def test_the_yaml_uses_every_picture_there_is():
    rows = open_manifest(str(EXAMPLES / "catalog.yaml")).rows()
    assert {path for row in rows for path in row.inputs.values()} == _pictures()


def test_the_pictures_share_one_canvas_and_garments_are_cut_out():
    for path in _pictures():
        with Image.open(EXAMPLES / path) as picture:
            assert picture.size == (600, 800), path
            if path.startswith("garments/"):
                assert picture.getchannel("A").getextrema() == (0, 255), path


def test_the_examples_stay_small():
    assert (
        sum(path.stat().st_size for path in EXAMPLES.rglob("*") if "__pycache__" not in path.parts)
        < 1_500_000
    )


def test_every_picture_is_one_that_the_drawing_program_draws():
    people = {f"people/{person.name}.jpg" for person in draw.PEOPLE}
    garments = {f"garments/{name}.png" for name in {**draw.TOPS, **draw.BOTTOMS, **draw.DRESSES}}
    assert people | garments == _pictures()


def test_drawing_a_person_again_gives_the_same_picture():
    person = draw.PEOPLE[2]
    _assert_same(draw.draw_person(person), EXAMPLES / "people" / f"{person.name}.jpg", 1.5)


def test_drawing_a_garment_again_gives_the_same_picture():
    first, second = (draw.draw_garment(draw.TOPS["pocket-tee"]) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    _assert_same(first, EXAMPLES / "garments" / "pocket-tee.png", 0.05)


def _assert_same(drawn, path, tolerance):
    """Equal but for JPEG's loss and the last bit of another Pillow's filters, in grey levels on average."""
    with Image.open(path) as stored:
        difference = ImageChops.difference(drawn, stored.convert(drawn.mode))
    assert max(ImageStat.Stat(difference).mean) < tolerance
