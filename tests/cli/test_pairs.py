"""`vton pairs`: a shop's products and people become a manifest that `vton plan` takes as it is."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.cli.commands import load
from jobs.config.settings import PictureSettings
from jobs.errors import ManifestError, VtonError
from jobs.manifest import open_manifest
from jobs.pictures.check import LocalPictures
from jobs.producing.planning import Planner
from jobs.records import BadRow
from tests.runs.vendor import picture

CDN = "https://cdn.shop.example"
PEOPLE = """people:
  - {name: anna, picture: people/anna.jpg, kind: synthetic, wears: [upper_clothes, dress], gender: [women, female]}
  - {name: ben, picture: https://cdn.shop.example/ben.jpg, kind: synthetic, gender: [men, male]}
"""
SHOPIFY = (
    "Handle,Title,Type,Tags,Variant SKU,Image Src,Image Position\n"
    f'shirt,Shirt,Shirts,"men, summer",SH-S,{CDN}/shirt.jpg?v=1,1\n'
    f"shirt,,,,SH-M,{CDN}/back.jpg?v=1,2\n"
    f"gown,Gown,Dresses,women,G-1,{CDN}/gown.jpg,1\n"
    f"boots,Boots,Shoes,men,B-1,{CDN}/boots.jpg,1\n"
    f"boots2,Boots,Shoes,men,B-2,{CDN}/boots.jpg,1\n"
    "cap,Cap,Shirts,,C-1,,\n"
)


@dataclass
class Folder:
    """A shop's folder in which the command runs, in this process: neither Redis nor a vendor is needed."""

    path: Path
    out: pytest.CaptureFixture[str]

    def write(self, name: str, content: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def pairs(self, *words: str) -> str:
        """What the command says."""
        people = () if "--people" in words else ("--people", "people.yaml")
        load("pairs").main([*words, *people], standalone_mode=False)
        return self.out.readouterr().out

    def rows(self, name: str = "tonight.csv") -> list[dict[str, str]]:
        with (self.path / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    made = Folder(tmp_path, capsys)
    made.write("people/anna.jpg", picture("anna"))
    made.write("people.yaml", PEOPLE)
    made.write("shop.csv", SHOPIFY)
    monkeypatch.chdir(tmp_path)
    return made


def planned(path: Path, root: Path) -> list[object]:
    """The rows of a manifest as a run would plan them, pictures looked at."""
    manifest = open_manifest(str(path))
    planner = Planner(LocalPictures(PictureSettings(roots=(root,)), manifest.folder).source)
    return [planner.plan(row) for row in manifest.rows()]


SAID = (
    "shop.csv: Shopify\n"
    "tonight.csv: 4 pairs of 2 products (1 upper_clothes, 1 dress) and 2 people\n"
    "left out: 3\n"
    "        2 its category is not mapped: shop.csv:5 B-1, shop.csv:6 B-2\n"
    "        1 it has no picture: shop.csv:7 C-1\n"
    "categories of unknown kind; write them under categories: in a file for --map, see docs/products.md\n"
    "        2 Shoes\n"
    "without a row of their own: 1\n"
    "        1 a variant without a picture of its own: it has its product's: shop.csv:3 SH-M\n"
    "next: vton plan tonight.csv\n"
)


def test_an_export_and_people_become_a_manifest_that_is_planned_as_it_is(shop):
    (shop.folder / "people").mkdir()
    shop.write("people/anna.jpg", picture("anna"))
    shop.write("people.yaml", PEOPLE)
    shop.write("shop.csv", SHOPIFY)
    ended = shop.vton(
        "pairs", "shop.csv", "--people", "people.yaml", "-o", "tonight.csv", "--per-garment", "2"
    )
    assert (ended.code, ended.out, ended.err) == (0, SAID, "")
    plan = json.loads(shop.vton("plan", "tonight.csv", "--json").out)
    assert (plan["rows"], plan["new"], plan["invalid"], plan["suspected_typos"]) == (4, 4, 0, [])


def test_every_garment_is_put_on_as_many_people_as_are_asked_for(folder):
    assert folder.pairs("shop.csv", "-o", "tonight.csv", "--per-garment", "2") == SAID
    said = ("sku", "person", "upper_clothes", "dress", "source_line", "Title")
    assert {tuple(row[name] for name in said) for row in folder.rows()} == {
        ("SH-S", "people/anna.jpg", f"{CDN}/shirt.jpg?v=1", "", "2", "Shirt"),
        ("SH-S", f"{CDN}/ben.jpg", f"{CDN}/shirt.jpg?v=1", "", "2", "Shirt"),
        ("G-1", "people/anna.jpg", "", f"{CDN}/gown.jpg", "4", "Gown"),
        ("G-1", f"{CDN}/ben.jpg", "", f"{CDN}/gown.jpg", "4", "Gown"),
    }


def test_a_map_a_rule_and_a_kind_of_garment_narrow_who_wears_what(folder):
    folder.write("map.yaml", "categories: {lower: [Shoes]}\n")
    words = ("--map", "map.yaml", "--where", "gender=tags", "--picture", "last", "--json")
    said = json.loads(folder.pairs("shop.csv", "-o", "tonight.csv", "--per-garment", "2", *words))
    assert (said["pairs"], said["garments"]) == (4, {"dress": 1, "lower_clothes": 2, "upper_clothes": 1})
    assert said["left_out"] == {"it has no picture": {"count": 1, "examples": ["shop.csv:7 C-1"]}}
    assert [(row["sku"], row["person"][-8:]) for row in folder.rows()] == [
        ("SH-S", "/ben.jpg"), ("G-1", "anna.jpg"), ("B-1", "/ben.jpg"), ("B-2", "/ben.jpg"),
    ]  # fmt: skip
    assert folder.rows()[0]["upper_clothes"] == f"{CDN}/back.jpg?v=1"


def test_whoever_joins_takes_some_garments_and_every_other_row_stays_as_it_was(folder):
    lines = [f"S-{n},{CDN}/{n}.jpg,top" for n in range(200)]
    folder.write("plain.csv", "sku,image,category\n" + "\n".join(lines) + "\n")
    folder.pairs("plain.csv", "-o", "tonight.csv")
    before = folder.rows()
    folder.write("people.yaml", PEOPLE + f"  - {{name: chris, picture: {CDN}/chris.jpg}}\n")
    folder.pairs("plain.csv", "-o", "tonight.csv")
    joined = [row for row in folder.rows() if row not in before]
    assert {row["person"] for row in joined} == {f"{CDN}/chris.jpg"}
    assert 40 < len(joined) < 90


def test_a_person_whose_consent_ends_before_the_deadline_is_in_no_pair(folder):
    folder.write(
        "people.yaml", PEOPLE + "  - {name: old, picture: o.jpg, kind: real, consent_until: 2020-01-31}\n"
    )
    said = folder.pairs("shop.csv", "-o", "tonight.csv", "--per-garment", "9")
    assert "people.yaml:4: old: consent ends with 2020-01-31, before the deadline (" in said
    assert {row["person"] for row in folder.rows()} == {"people/anna.jpg", f"{CDN}/ben.jpg"}
    folder.write("people.yaml", "- {name: old, picture: o.jpg, consent_until: 2020-01-31}\n")
    with pytest.raises(ManifestError, match=r"old: consent ends with 2020-01-31.*; nobody is left"):
        folder.pairs("shop.csv", "-o", "tonight.csv")


def test_a_real_person_without_a_last_day_is_named(folder):
    folder.write("people.yaml", PEOPLE.replace("kind: synthetic, gender", "kind: real, gender"))
    assert "note: 1 real person without consent_until: ben\n" in folder.pairs("shop.csv", "-o", "tonight.csv")


def test_a_folder_of_pictures_and_a_table_go_into_one_manifest_that_finds_them(folder):
    folder.write("new/tops/T-1_front.jpg", picture("t"))
    folder.write("plain.csv", f"sku,image,category\nP-1,{CDN}/p.jpg,dress\n")
    (folder.path / "out").mkdir()
    names = ("--names", "{sku}_{view}", "--root", CDN)
    said = folder.pairs("new", "plain.csv", "-o", "out/tonight.csv", *names)
    assert "note: pictures of 1 product lie outside of the manifest's folder" in said
    assert [
        (row["sku"], row["upper_clothes"], row["source_line"]) for row in folder.rows("out/tonight.csv")
    ] == [
        ("T-1", "../new/tops/T-1_front.jpg", "new:tops/T-1_front.jpg"),
        ("P-1", "", "plain.csv:2"),
    ]
    found = planned(folder.path / "out/tonight.csv", folder.path)
    assert not [row for row in found if isinstance(row, BadRow)], found


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("none.csv", "-o", "t.csv"), 4, "no such file: none.csv"),
        (("shop.csv", "-o", "t.csv", "--people", "nobody.yaml"), 4, "no such file: nobody.yaml"),
        (("shop.csv", "-o", "t.csv", "--map", "none.yaml"), 4, "no such file: none.yaml"),
        (("shop.csv", "-o", "t.xlsx"), 2, "name it ….csv"),
        (("shop.csv", "-o", "shop.csv"), 2, "is one of the files that are read"),
        (("shop.csv", "-o", "t.csv", "--picture", "0"), 2, "--picture"),
        (
            ("shop.csv", "-o", "t.csv", "--picture", "Back"),
            2,
            "there is no column “Back”; it has Handle, Title",
        ),
        (("shop.csv", "-o", "t.csv", "--where", "gender"), 2, "attribute=column"),
        (
            ("shop.csv", "-o", "t.csv", "--where", "gender=Tgas"),
            2,
            "no product has the column that a rule names: Tgas",
        ),
        (("shop.csv", "-o", "t.csv", "--deadline", "soon"), 2, "--deadline"),
        (("shop.csv", "-o", "t.csv", "--strict"), 2, "some products have a fault (--strict)"),
        (("people.yaml", "-o", "t.csv"), 2, "is JSON or YAML, not a table; export it as CSV"),
        (("shop.csv", "-o", "none/t.csv"), 7, "No such file or directory"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_nothing_is_written(folder, words, code, why):
    with pytest.raises((VtonError, OSError)) as refused:
        folder.pairs(*words)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert getattr(refused.value, "exit_code", 7) == code
    assert sorted(path.name for path in folder.path.iterdir()) == ["people", "people.yaml", "shop.csv"]
    assert (folder.path / "shop.csv").read_text() == SHOPIFY


def test_without_any_pair_the_reasons_are_said_and_the_old_manifest_stays(folder):
    folder.write("shoes.csv", f"sku,image,category\nB-1,{CDN}/b.jpg,Shoes\n")
    folder.write("tonight.csv", "before")
    with pytest.raises(ManifestError, match=r"tonight.csv: not written, there is no pair to write"):
        folder.pairs("shoes.csv", "-o", "tonight.csv")
    said = folder.out.readouterr().out
    assert "1 Shoes" in said
    assert "next:" not in said
    assert (folder.path / "tonight.csv").read_text() == "before"


def test_products_without_a_category_are_said_with_what_gives_them_one(folder):
    folder.write("plain.csv", f"sku,image\nB-1,{CDN}/b.jpg\n")
    with pytest.raises(ManifestError, match="no pair to write"):
        folder.pairs("plain.csv", "-o", "tonight.csv")
    assert "        1 (none); --category tops gives all of these one\n" in folder.out.readouterr().out


def test_a_category_may_be_said_for_products_that_have_none(folder):
    folder.write("amazon.txt", f"TemplateType=x\titem\nitem_sku\tmain_image_url\nAZ-1\t{CDN}/1.jpg\n")
    folder.pairs("amazon.txt", "-o", "tonight.csv", "--category", "top")
    assert [(row["sku"], row["upper_clothes"]) for row in folder.rows()] == [("AZ-1", f"{CDN}/1.jpg")]


def test_a_person_whose_picture_is_not_there_is_said_before_others_get_the_garments(folder):
    folder.write("people.yaml", PEOPLE + "  - {name: chris, picture: people/chris.jpg}\n")
    with pytest.raises(ManifestError, match=r"people.yaml:4: chris: people/chris.jpg: there is no such file"):
        folder.pairs("shop.csv", "-o", "tonight.csv")
