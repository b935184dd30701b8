"""Names of delivered pictures: safe everywhere, each picture its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.delivery import NAME
from jobs.delivery.names import check_collisions, check_template, name_of, person_of, safe_value
from jobs.delivery.profiles import BUILT_IN
from jobs.errors import ConfigError, UsageError

VALUES = {
    "sku": "S 1/2",
    "person": "Inès",
    "version": 1,
    "index": 1,
    "number": 3,
    "ext": "jpg",
    "row": 7,
    "batch": "b",
    "profile": "p",
    "sha8": "0" * 8,
    "request_id": "r",
}


def test_only_the_template_makes_folders():
    assert name_of(NAME, VALUES) == "S_1_2/S_1_2__Ines__v1.jpg"
    assert name_of("{sku}.PT{number:02d}.{ext}", VALUES) == "S_1_2.PT03.jpg"
    assert name_of(NAME, VALUES | {"index": 2}) == "S_1_2/S_1_2__Ines__v1-2.jpg"
    assert name_of("{colour}/{index}.{ext}", VALUES | {"colour": "../..", "index": 2}).endswith("/2.jpg")


@given(st.text())
def test_a_value_is_safe_whatever_it_is(text):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", safe_value(text))
    assert len(safe_value(text)) < 100


@given(
    st.text(st.characters(categories=["Lo"]), min_size=1),
    st.text(st.characters(categories=["Lo"]), min_size=1),
)
def test_values_in_other_scripts_are_kept_apart(one, other):
    assert (safe_value(one) == safe_value(other)) == (one == other)


@pytest.mark.parametrize("sku", ["CON", "nul.x", "COM1"])
def test_names_of_devices_are_none(sku):
    assert name_of(NAME, VALUES | {"sku": sku}).startswith("_")


@pytest.mark.parametrize(
    ("source", "person"),
    [
        ("people/ines.jpg", "ines"),
        ("https://cdn.example/a/M%C3%BCller.png?sig=1", "Müller"),
        (None, "nobody"),
        ("", "nobody"),
        ("https://cdn.example", "nobody"),
    ],
)
def test_a_person_is_called_as_its_picture(source, person):
    assert person_of(source) == person


@pytest.mark.parametrize(
    "template",
    ["{sku}", "{sku}.jpg", "{nobody}.{ext}", "/{sku}.{ext}", "../{sku}.{ext}", "{sku!r}.{ext}", "{sku.x}.{ext}", "{.{ext}",
     "{sku:>9999999}.{ext}", "a:{sku}.{ext}"],
)  # fmt: skip
def test_a_template_that_leads_elsewhere_or_names_nothing_is_refused(template):
    with pytest.raises(ConfigError, match=r"delivery\.name"):
        check_template(template)


def test_a_manifests_own_column_may_be_named():
    check_template("{colour}/{sku}.{ext}", ["colour"])


@pytest.mark.parametrize("name", [profile.name for profile in BUILT_IN.values() if profile.name] + [NAME])
def test_built_in_names_are_good(name):
    check_template(name)
    assert name_of(name, VALUES).isascii()


def test_capitals_alone_keep_no_two_names_apart():
    check_collisions([("a.jpg", "1", 1), ("A.jpg", "1", 2), ("b.jpg", "2", 3)])
    with pytest.raises(UsageError, match=r"a\.jpg: rows 1, 2"):
        check_collisions([("a.jpg", "1", 1), ("A.jpg", "2", 2)])
