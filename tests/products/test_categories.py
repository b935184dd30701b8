"""The kind comes from the shop's own words: known ones, numbers where they are numbers, and a map; never a guess."""

import pytest

from jobs.manifest.aliases import CATEGORIES
from jobs.products.categories import Categories, Unknown
from jobs.records import Slot

UPPER, LOWER, DRESS = Slot.UPPER_CLOTHES, Slot.LOWER_CLOTHES, Slot.DRESS


def slot(text: str, own: dict[str, str] | None = None) -> Slot | str:
    found = Categories(own).slot(((text,),))
    return found if isinstance(found, Slot) else found.why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upper_body", UPPER), ("lower_body", LOWER), ("dresses", DRESS), ("Upper-body", UPPER), ("overall", DRESS),
        ("full_body", DRESS), ("jumpsuit", DRESS), ("T恤", UPPER), ("外套", UPPER), ("shirt", UPPER), ("Jeans", LOWER),
        ("tops", UPPER), ("bottoms", LOWER), ("one-pieces", DRESS), ("Clothing > Tshirts", UPPER), ("女装/半身裙", LOWER),
        ("Apparel & Accessories > Clothing > Shirts & Tops", UPPER), ("Apparel & Accessories > Clothing > Skirts", LOWER),
        ("Women | Coats & Jackets", UPPER), ("google:2271", DRESS), ("google:1581", LOWER), ("taobao:162104", UPPER),
    ],
)  # fmt: skip
def test_usual_words_and_numbers_are_known(text, expected):
    assert slot(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "auto",
        "Shoes",
        "2271",
        "google:187",
        "Dresses > Belts",
        "Women",
        "Tops > Spring",
        "x" * 100_000,
        ">",
        "///",
    ],
)
def test_what_is_not_known_is_not_guessed(text):
    assert slot(text) in {"its category is not mapped", "it has no category"}


def test_every_word_of_a_manifests_category_is_known_here():
    for expected, words in CATEGORIES.items():
        assert [slot(word) for word in words] == [expected] * len(words)


def test_a_map_goes_first_by_whole_path_by_what_stands_below_and_by_the_last_level():
    own = {
        "Hemden": "upper_clothes",
        "Women > Dresses > *": "dress",
        "Sale > Shirt": "none",
        "187": "none",
        "5322": "lower_clothes",
    }
    assert slot("Herren > Hemden", own) == UPPER
    assert slot("women>dresses>Maxi > Long", own) == DRESS
    assert slot("Sale / Shirt", own) == "the map says not to dress it"
    assert slot("Men / Shirt", own) == UPPER
    assert slot("google:5322", own) == LOWER
    assert slot("google:187", own) == "the map says not to dress it"


def test_of_several_categories_those_that_say_something_must_say_the_same():
    assert Categories().slot((("Women: Dresses",),)) == Unknown(
        text="Women: Dresses", why="its category is not mapped"
    )
    found = Categories()
    assert found.slot((("Sale", "Clothing > Skirts"),)) == LOWER
    assert found.slot((("New",), ("Shirts",))) == UPPER
    assert found.slot((("Shirts", "Skirts"),)) == Unknown(
        text="Shirts, Skirts", why="its categories mean several kinds of garment"
    )
    assert found.slot(()) == Unknown(text="", why="it has no category")
    assert Categories(default="tops").slot(()) == UPPER
    assert isinstance(Categories(default="tops").slot((("Shoes",),)), Unknown), "what it has counts"


@pytest.mark.parametrize(
    "text",
    [
        "Tops/Dresses",
        "Skirts | Tops",
        "Women > Tops, Women > Dresses",
        "Sale > Tops, Women > Summer > Dresses",
    ],
)
def test_what_names_several_kinds_beside_each_other_is_listed_and_not_guessed(text):
    assert slot(text) == "its categories mean several kinds of garment"
    assert slot(text, {text: UPPER}) == UPPER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Women > Tops, Women > Shirts", UPPER), ("Women > Dresses, Women > Sale", DRESS), ("Shirts/Tops", UPPER),
        ("Default Category/Women/Bottoms/Jumpsuits", DRESS), ("Bottoms > Jumpsuits", DRESS),
    ],
)  # fmt: skip
def test_several_categories_of_one_kind_and_levels_above_a_kind_mean_it(text, expected):
    assert slot(text) == expected
