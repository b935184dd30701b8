"""Which picture is the garment's, and how it is written so that it is found from the manifest's folder."""

import pytest

from jobs.errors import UsageError
from jobs.products.pictures import Paths, PictureRule, read_rule
from jobs.products.records import Product

CDN = "https://cdn.shop.example"


def product(*pictures, **fields):
    return Product(place="2", sku="A", group="A", pictures=pictures, categories=(), fields=fields)


@pytest.mark.parametrize(
    ("rule", "found"),
    [("first", "1"), ("last", "3"), ("1", "1"), ("2", "2"), ("3", "3"), ("4", ""), ("back_view", "b")],
)
def test_the_rule_picks_one_of_several(rule, found):
    assert read_rule(rule).picture(product("1", "2", "3", **{"Back View": " b "})) == found


@pytest.mark.parametrize("rule", ["first", "last", "2", "Back"])
def test_a_product_without_that_picture_is_said(rule):
    assert read_rule(rule).picture(product()) == ""
    assert read_rule(rule).why_none(product()).startswith("it has no picture")


def test_why_there_is_none_names_the_picture_that_was_asked_for():
    assert read_rule("3").why_none(product("1")) == "it has no picture 3"
    assert read_rule("Back").why_none(product("1")) == "it has no picture in the column “Back”"


@pytest.mark.parametrize("rule", ["0", "1001", "99999999999999999999", "", " "])
def test_a_number_that_is_none_of_a_picture_is_refused(rule):
    with pytest.raises(UsageError, match="--picture"):
        read_rule(rule)


def test_a_digit_of_another_script_is_a_columns_name():
    assert read_rule("\uff13") == PictureRule(place=None, column="\uff13")


@pytest.fixture
def shop(tmp_path):
    for name in ("shop/pics/a.jpg", "shop/=b.jpg", "media/c d.jpg", "tonight/x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_paths_are_written_as_seen_from_the_manifest(shop):
    beside = Paths(shop / "shop", shop / "shop")
    assert beside.written("pics/a.jpg") == ("pics/a.jpg", "")
    assert beside.written("./pics/../pics/a.jpg") == ("pics/a.jpg", "")
    assert beside.written("=b.jpg") == ("./=b.jpg", "")
    assert Paths(shop / "shop", shop).written("pics/a.jpg") == ("shop/pics/a.jpg", "")
    assert Paths(shop / "shop", shop / "tonight").written("pics/a.jpg") == ("../shop/pics/a.jpg", "")
    assert Paths(shop / "shop", shop / "tonight").written(str(shop / "tonight/x.jpg")) == ("x.jpg", "")


def test_a_root_stands_before_relative_pictures_folder_or_address(shop):
    assert Paths(shop / "shop", shop, str(shop / "media")).written("/c d.jpg") == ("media/c d.jpg", "")
    address = Paths(shop, shop, f"{CDN}/media/catalog/product/")
    assert address.written("/w/s/ws 1.jpg") == (f"{CDN}/media/catalog/product/w/s/ws%201.jpg", "")
    assert address.written(f"{CDN}/x.jpg?v=1&s=%2C") == (f"{CDN}/x.jpg?v=1&s=%2C", ""), (
        "an address stays as it is"
    )


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ("pics/none.jpg", "there is no such file"),
        ("pics", "there is no such file"),
        ("/w/s/ws-1.jpg", "say with --root"),
        (f"{CDN}/a b.jpg", "a space"),
        (f"{CDN}/a.jpg,{CDN}/b.jpg", "two addresses"),
        ("//cdn.shop.example/a.jpg", "begins with //"),
        ("data:image/png;base64,AAAA", "data:"),
        ("ftp://cdn.shop.example/a.jpg", "ftp://"),
        ("a\0.jpg", "invisible"),
        ("x" * 5_000, "characters long"),
        ("x" * 4_000, "there is no such file"),
    ],
)
def test_what_cannot_be_a_picture_is_left_out_in_words(shop, picture, why):
    written, said = Paths(shop / "shop", shop).written(picture)
    assert written == ""
    assert why in said
