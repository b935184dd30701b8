"""A folder of pictures is a list of products; the names say which."""

import pytest

from jobs.errors import UsageError
from jobs.products.folder import Folder, Names
from jobs.products.records import Product
from tests.products.conftest import seen


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_every_picture_is_a_product_of_its_folders_kind(tmp_path):
    make(
        tmp_path,
        "tops/T-1.jpg",
        "tops/T-2.PNG",
        "dresses/D-1.webp",
        "dresses/notes.txt",
        "dresses/.hidden.jpg",
        "X.jpeg",
    )
    found = list(Folder(tmp_path, "{sku}").products())
    assert seen(found) == [
        ("X.jpeg", "X", "X.jpeg"),
        ("dresses/notes.txt", "", "its name is not that of a JPEG, PNG or WEBP picture"),
        ("dresses/D-1.webp", "D-1", "dresses/D-1.webp"),
        ("tops/T-1.jpg", "T-1", "tops/T-1.jpg"),
        ("tops/T-2.PNG", "T-2", "tops/T-2.PNG"),
    ]
    assert [each.categories for each in found if isinstance(each, Product)] == [
        (), (("dresses",),), (("tops",),), (("tops",),),
    ]  # fmt: skip


def test_a_pattern_says_where_the_sku_stands_and_views_follow_each_other_as_people_count(tmp_path):
    make(tmp_path, "A_1_10.jpg", "A_1_2.jpg", "A_1_1.jpg", "B_2_1.jpg", "odd.jpg")
    assert seen(list(Folder(tmp_path, "{sku}_{view}").products())) == [
        ("odd.jpg", "", "its name does not fit the pattern (--names)"),
        ("A_1_1.jpg", "A_1", "A_1_1.jpg", "A_1_2.jpg", "A_1_10.jpg"),
        ("B_2_1.jpg", "B_2", "B_2_1.jpg"),
    ]


@pytest.mark.parametrize(
    ("pattern", "stem", "read"),
    [
        ("{sku}", "A_1", {"sku": "A_1"}),
        ("{sku}-{view}", "A-front", {"sku": "A", "view": "front"}),
        ("{category}.{sku} (*)", "tops.A.1 (2)", {"category": "tops", "sku": "A.1"}),
        ("[{sku}] *", "[A+] front", {"sku": "A+"}),
        ("{sku}_{view}", "A", None),
    ],
)
def test_a_pattern_is_literal_but_for_its_fields(pattern, stem, read):
    assert Names(pattern).read(stem) == read


@pytest.mark.parametrize("pattern", ["", "{view}", "{sku}{view}", "{sku}_{sku}", "{sku}**", "(?P<sku>.*)"])
def test_a_pattern_without_a_sku_or_with_two_is_refused(pattern):
    with pytest.raises(UsageError, match=r"needs \{sku\}"):
        Names(pattern)


def test_a_name_of_many_separators_is_read_at_once():
    assert Names("{sku}_{view}_{category}_*!").read("_" * 250) is None


def test_links_to_folders_are_not_followed(tmp_path):
    make(tmp_path, "tops/T-1.jpg")
    (tmp_path / "tops" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [each.sku for each in Folder(tmp_path, "{sku}").products()] == ["T-1"]
