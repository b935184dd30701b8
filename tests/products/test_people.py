"""The people's file, YAML or CSV: who may be dressed, in what, and until when."""

from datetime import date, datetime
from pathlib import Path

import pytest

from jobs.errors import ManifestError, NotFoundError
from jobs.products.people import People, read_people
from jobs.products.records import GARMENT_SLOTS
from jobs.records import Slot


@pytest.fixture
def people(tmp_path):
    def _people(text: str | bytes, name: str = "people.yaml") -> People:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_people(path)

    return _people


def test_a_person_has_a_name_pictures_what_is_worn_consent_and_attributes(people):
    found = people(
        "people:\n"
        "  - {name: anna, picture: people/anna.jpg, kind: synthetic, wears: [upper_clothes, dress]}\n"
        "  - name: 12\n"
        "    pictures: [a.jpg, 'https://cdn.example/b.jpg']\n"
        "    kind: real\n"
        "    consent_until: 2027-03-31\n"
        "    attributes: {Size: [M, L]}\n"
        "    gender: no\n"
    )
    anna, twelve = found.people
    assert (anna.name, anna.pictures, anna.kind) == ("anna", ("people/anna.jpg",), "synthetic")
    assert anna.wears == {Slot.UPPER_CLOTHES, Slot.DRESS}
    assert anna.place.endswith("people.yaml:2")
    assert (twelve.name, twelve.pictures) == ("12", ("a.jpg", "https://cdn.example/b.jpg"))
    assert (twelve.wears, twelve.consent_until) == (frozenset(GARMENT_SLOTS), date(2027, 3, 31))
    assert dict(twelve.attributes) == {"Size": {"m", "l"}, "gender": {"no"}}


def test_a_table_of_people_has_the_same_columns(people):
    yaml = people(
        "- {name: anna, pictures: [a.jpg, b.jpg], wears: [upper, dress], kind: real, size: [M, L]}\n"
        "- {name: bo, picture: c.jpg}"
    )
    table = people(
        "name;pictures;wears;kind;consent until;size\nanna;a.jpg | b.jpg;upper|dress;real;;M|L\nbo;c.jpg\n".encode(
            "utf-16"
        ),
        "people.csv",
    )
    assert [(each.name, each.pictures, each.wears, each.kind, each.attributes) for each in table.people] == [
        (each.name, each.pictures, each.wears, each.kind, each.attributes) for each in yaml.people
    ]


def test_consent_holds_to_the_end_of_its_last_day(people):
    (anna,) = people("- {name: anna, picture: a.jpg, consent_until: 2026-11-27}").people
    assert anna.consents(datetime(2026, 11, 27, 23, 59).astimezone())
    assert not anna.consents(datetime(2026, 11, 28, 0, 0).astimezone())


@pytest.mark.parametrize("key", ["consent-until", "consentUntil", "Consent until", "Consent_Until*"])
def test_a_key_counts_however_it_is_spelt(people, key):
    (yaml,) = people(f"- {{name: anna, picture: a.jpg, {key}: 2020-01-01, Wears: dress}}").people
    (table,) = people(f"Name,Picture,{key},WEARS\nanna,a.jpg,2020-01-01,dress\n", "people.csv").people
    for anna in (yaml, table):
        assert (anna.consent_until, anna.wears) == (date(2020, 1, 1), {Slot.DRESS})
        assert not anna.attributes


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ("consent_untill: 2020-01-01", "consent_until"), ("consent: no", "consent_until"),
        ("until: 2020-01-01", "consent_until"),
        ("expires: 2020-01-01", "consent_until"), ("attributes: {consent_until: 2020-01-01}", "consent_until"),
        ("wear: [dress]", "wears"), ("attributes: {wears: [dress]}", "wears"), ("picture 2: b.jpg", "picture"),
    ],
)  # fmt: skip
def test_a_key_that_says_who_may_be_dressed_is_never_taken_for_an_attribute(people, keys, meant):
    with pytest.raises(
        ManifestError, match=rf"people.yaml:2: .* is no attribute .*; write {meant}: beside name:"
    ):
        people(f"- name: anna\n  {keys}\n  picture: a.jpg\n")


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("- {name: a, picture: a.jpg, consent_until: 2020-01-01, consent-until: 2030-01-01}", "people.yaml",
         "consent_until is there twice"),
        ("name,picture,consent until,consent_until\na,a.jpg,2020-01-01,2030-01-01\n", "people.csv",
         "column consent_until is there twice"),
        ("name,picture,wears\na,a.jpg,dress,upper\n", "people.csv", "people.csv:2: the line has more cells"),
    ],
)  # fmt: skip
def test_what_a_table_or_an_entry_says_twice_or_beside_its_columns_is_refused(people, text, name, why):
    with pytest.raises(ManifestError, match=why):
        people(text, name)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("people: []", "has 0 people"),
        ("people: anna", "people: must be a list"),
        ("- anna", r":1: a person must be a mapping"),
        ("- {picture: a.jpg}", r":1: a person needs a name and a picture"),
        ("- {name: anna}", "needs a name and a picture"),
        ("- {name: anna, picture: {a: b}}", "picture must be one text"),
        ("- {name: anna, picture: a}\n- {name: anna, picture: b}", r":2: “anna” is there twice, at .*:1 too"),
        ("- {name: anna, picture: a, name: bo}", r":1: a key must be one text, and stand once"),
        ("- {name: anna, picture: a, kind: robot}", r"kind is “robot”; write real or synthetic"),
        ("- {name: anna, picture: a, wears: hat}", "wears: “hat” is not known"),
        ("- {name: anna, picture: a, consent_until: soon}", "consent_until is “soon”; write a day like"),
        ("who: []\npeople: []", "“who” is not known here"),
        (BOMB, "anchors and aliases are not read"),
        ("[" * 100_000, "nested too deeply"),
        ("- {name: anna", r":\d: is not YAML"),
        (b"- {name: \xff}", "is not UTF-8 text"),
        ("#" * 2_000_001, "is larger than"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
    ],
)
def test_what_is_no_list_of_people_is_refused_with_its_line(people, text, why):
    with pytest.raises(ManifestError, match=why):
        people(text)


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no such file"):
        read_people(tmp_path / "nobody.yaml")
