"""A plan says what is wrong with a manifest, in one pass, grouped, whole in plan.csv, and by its exit code."""

import csv
import io
import json
import shutil
from collections import Counter

import pytest
from PIL import Image

from tests.raw_server import RawServer

HEAD = "sku,person,upper_clothes\n"
CDN = "https://cdn.example"


def photograph():
    """A JPEG in which nothing is odd."""
    made = io.BytesIO()
    Image.effect_noise((400, 600), 90).convert("RGB").save(made, "JPEG")
    return made.getvalue()


def listed(shop, path):
    with (shop.folder / path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def mixed(shop):
    """300 rows of one fault, one of another, one good row."""
    (shop.folder / "people").mkdir()
    shop.write("people/Anna.jpg", photograph())
    rows = [f"A{n},people/anna.jpg,{CDN}/{n}.jpg?sig=canary" for n in range(300)]
    rows += [f"B,,{CDN}/b.jpg", f"C,people/Anna.jpg,{CDN}/c.mp4?sig=canary"]
    shop.write("night.csv", HEAD + "\n".join(rows) + "\n")


def test_rows_of_one_fault_are_one_line_with_examples_and_a_suggestion_and_all_stand_in_the_list(shop):
    mixed(shop)
    plan = shop.vton("plan", "night.csv")
    assert plan.code == 0
    lines = plan.out.splitlines()
    here = lines.index("  300 rows: person: there is no such file")
    assert lines[here + 1 : here + 4] == [
        f"      e.g. night.csv:{n + 2}  A{n}  people/anna.jpg; did you mean people/Anna.jpg?"
        for n in range(3)
    ]
    assert "  night.csv:302: person: the person's picture is missing" in lines
    assert len(lines) < 20
    (path,) = [line.rpartition(": ")[2] for line in lines if line.startswith("all of them")]
    found = listed(shop, path)
    assert [int(row["row"]) for row in found] == [*range(1, 303)]
    assert found[0] == {
        "file": "night.csv",
        "row": "1",
        "place": "2",
        "sku": "A0",
        "column": "person",
        "severity": "error",
        "kind": "row_invalid",
        "problem": "there is no such file",
        "value": "people/anna.jpg",
        "suggestion": "people/Anna.jpg",
        "owner": "merch",
    }
    assert (found[-1]["severity"], found[-1]["kind"], found[-1]["value"]) == (
        "warning",
        "other_kind",
        f"{CDN}/c.mp4?[redacted]",
    )
    assert "canary" not in plan.out + plan.err + (shop.folder / path).read_text()


def test_programs_get_the_groups_too(shop):
    mixed(shop)
    plan = json.loads(shop.vton("plan", "night.csv", "--json", "-o", "mend.csv").out)
    first = plan["problems"][0]
    assert (first["count"], first["column"], first["words"]) == (300, "person", "there is no such file")
    assert [each["place"] for each in first["examples"]] == ["night.csv:2", "night.csv:3", "night.csv:4"]
    assert first["examples"][0]["suggestion"] == "people/Anna.jpg"
    assert plan["problem_list"] == "mend.csv"
    assert len(listed(shop, "mend.csv")) == 302
    assert not (shop.folder / "out").exists()


def test_enqueue_says_the_same_of_bad_rows(shop):
    mixed(shop)
    fed = shop.vton("enqueue", "night.csv")
    assert fed.out.count("\n") == 1
    assert "  300 rows: person: there is no such file" in fed.err.splitlines()
    assert [event["row"] for event in fed.events if event["event"] == "row.invalid"] == [1, 2, 3, 301]
    strict = shop.vton("enqueue", "night.csv", "--strict", "--batch", "s")
    assert strict.code == 2
    assert "  300 rows: person: there is no such file" in strict.err.splitlines()


def test_whoever_has_misspelt_a_column_learns_why_no_row_is_valid(shop):
    shop.write(
        "odd.csv", "sku,person,uper_clothes,dress\nA,https://cdn.example/p.jpg,https://cdn.example/t.jpg,\n"
    )
    why = "the column “uper_clothes” is not read; did you mean upper_clothes?"
    planned = shop.vton("plan", "odd.csv")
    assert (planned.code, why in planned.out, "at the account's limits" in planned.out) == (2, True, False)
    for words in (("enqueue", "odd.csv"), ("enqueue", "odd.csv", "--strict")):
        ended = shop.vton(*words)
        assert (ended.code, why in ended.err) == (2, True), ended.err


def test_a_list_is_written_anew_and_is_gone_when_nothing_is_wrong(shop):
    shop.write("night.csv", HEAD + f"A,{CDN}/p.jpg,{CDN}/1.jpg\nB,nowhere.jpg,{CDN}/2.jpg\n")
    words = ("plan", "night.csv", "--batch", "b")
    assert "all of them" in shop.vton(*words).out
    shop.write("nowhere.jpg", photograph())
    assert "all of them" not in shop.vton(*words).out
    assert list((shop.folder / "out/_plans/b").iterdir()) == []
    assert shop.vton(*words, "-o", "empty.csv").code == 0
    assert listed(shop, "empty.csv") == []


def test_a_list_cannot_be_the_manifest_and_an_output_that_cannot_be_written_only_loses_the_list(shop):
    manifest = HEAD + f"A,{CDN}/p.jpg,{CDN}/1.jpg\nB,,{CDN}/2.jpg\n"
    shop.write("night.csv", manifest)
    (shop.folder / "out/b").mkdir(parents=True)
    shop.write("out/b/results.jsonl", "")
    for name in ("night.csv", "mend.txt", "no/such", "out/b/results.csv"):
        assert shop.vton("plan", "night.csv", "-o", name).code == 2
    assert (shop.folder / "night.csv").read_text() == manifest
    assert [path.name for path in (shop.folder / "out/b").iterdir()] == ["results.jsonl"]
    shutil.rmtree(shop.folder / "out")
    shop.write("out", "a file where the folder should be")
    plan = shop.vton("plan", "night.csv")
    assert (plan.code, "the list of problems cannot be written" in plan.out) == (0, True)
    assert shop.vton("plan", "night.csv", "-o", "out/mend.csv").code == 2


def test_the_exit_code_tells_whether_anything_is_left_to_buy(shop):
    good, bad = f"A,{CDN}/p.jpg,{CDN}/1.jpg\n", f"B,,{CDN}/2.jpg\n"
    shop.write("none.csv", HEAD + bad)
    assert shop.vton("plan", "none.csv").code == 2
    assert shop.vton("plan", "none.csv", "--json").code == 2
    shop.write("some.csv", HEAD + good + bad)
    assert shop.vton("plan", "some.csv").code == 0
    shop.write("good.csv", HEAD + good)
    assert shop.vton("plan", "good.csv").code == 0


@pytest.fixture
def cdn():
    def answer(wire, heard):
        if "gone" in heard.target:
            wire.answer(404)
        else:
            wire.say(b"HTTP/1.1 200 X\r\nContent-Type: image/jpeg\r\nContent-Length: 400\r\n\r\n")

    with RawServer(answer) as server:
        yield server


def test_addresses_are_asked_for_once_and_rows_with_a_bad_one_are_named(shop, cdn):
    rows = [
        f"A{n},{cdn.url}/p.jpg?sig=canary,{cdn.url}/{name}.jpg?sig=canary"
        for n, name in enumerate(["1", "gone"])
    ]
    shop.write("night.csv", HEAD + "\n".join(rows) + "\n")
    plan = shop.vton("plan", "night.csv", "--check-urls")
    assert plan.code == 0
    assert "addresses: 3 asked" in plan.out
    address = f"{cdn.url}/gone.jpg?[redacted]"
    assert f"night.csv:3: upper_clothes: {address}: there is nothing at the address (HTTP 404)" in plan.out
    assert "1 row would be sent though a picture of theirs is not there" in plan.out
    asked = len(cdn.heard)
    assert sorted(each.method for each in cdn.heard) == ["GET", "HEAD", "HEAD", "HEAD"]
    again = json.loads(shop.vton("plan", "night.csv", "--check-urls", "--json").out)
    assert again["addresses"] == {"addresses": 3, "asked": 0, "bad_rows": 1}
    assert again["problems"][0]["kind"] == "not_found"
    assert len(cdn.heard) == asked
    anew = json.loads(shop.vton("plan", "night.csv", "--check-urls", "--ask-again", "--json").out)
    assert anew["addresses"]["asked"] == 1
    assert "canary" not in plan.out + plan.err
    assert b"canary" not in (shop.folder / ".vton/addresses.sqlite3").read_bytes()


def test_a_plan_whose_every_picture_is_gone_ends_with_a_code_of_its_own(shop, cdn):
    shop.write("night.csv", HEAD + f"A,{cdn.url}/p.jpg,{cdn.url}/gone.jpg\n")
    assert shop.vton("plan", "night.csv").code == 0
    assert shop.vton("plan", "night.csv", "--check-urls").code == 6


def test_ask_again_alone_is_no_wish(shop):
    assert shop.vton("plan", shop.urls(1), "--ask-again").code == 2


def test_addresses_of_bad_rows_are_not_asked_for(shop, cdn):
    shop.write("night.csv", HEAD + f"A,{cdn.url}/p.jpg,{cdn.url}/1.jpg\nB,,{cdn.url}/2.jpg\n")
    plan = json.loads(shop.vton("plan", "night.csv", "--check-urls", "--json").out)
    assert plan["addresses"]["addresses"] == 2


def test_what_is_odd_about_local_pictures_is_grouped_and_listed_too(shop):
    for number in range(5):
        sideways = Image.effect_noise((800, 600 + number), 90).convert("RGB")
        exif = Image.Exif()
        exif[0x0112] = 6
        sideways.save(shop.folder / f"{number}.jpg", exif=exif)
    rows = [f"A{n},{CDN}/p.jpg,{n}.jpg" for n in range(5)] + ["B,0.jpg,0.jpg"]
    shop.write("night.csv", HEAD + "\n".join(rows) + "\n")
    plan = shop.vton("plan", "night.csv")
    assert plan.code == 0
    turned = "7 cells: upper_clothes, person: turned upright: sent as a JPEG of … x 800"
    assert turned in plan.out
    assert "night.csv:7: upper_clothes: 0.jpg: the same picture as the person's" in plan.out
    (path,) = [line.rpartition(": ")[2] for line in plan.out.splitlines() if line.startswith("all of them")]
    kinds = Counter(row["kind"] for row in listed(shop, path))
    assert kinds == {"converted": 7, "person_is_garment": 1}


def test_what_is_odd_is_said_by_enqueue_too_and_again_as_long_as_it_waits(shop):
    moving = io.BytesIO()
    frames = [Image.effect_noise((400, 600), 50 + n).convert("RGB") for n in range(2)]
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:])
    shop.write("moving.webp", moving.getvalue())
    rows = [f"A{n},{CDN}/p.jpg,{CDN}/{n}.gif" for n in range(4)] + [f"B,{CDN}/p.jpg,moving.webp"]
    shop.write("night.csv", HEAD + "\n".join(rows) + "\n")
    planned = shop.vton("plan", "night.csv").out
    said = [line for line in planned.splitlines() if "upper_clothes: " in line or "e.g." in line]
    assert len(said) == 5
    for _ in range(2):
        fed = shop.vton("enqueue", "night.csv")
        assert [line for line in fed.err.splitlines() if line.startswith("  ") and line in said] == said
        assert "  to look at, sent all the same:\n" in fed.err


def test_enqueue_leaves_out_rows_whose_picture_is_not_there_until_it_is(shop, cdn):
    rows = [f"A{n},{cdn.url}/p.jpg,{cdn.url}/{name}.jpg" for n, name in enumerate(["1", "gone"])]
    shop.write("night.csv", HEAD + "\n".join(rows) + "\n")
    strict = shop.vton("enqueue", "night.csv", "--check-urls", "--strict")
    assert (strict.code, "there is nothing at the address" in strict.err) == (2, True)
    first = shop.vton("enqueue", "night.csv", "--check-urls")
    assert "2 rows, 1 to submit, 0 reused, 0 duplicate, 1 invalid" in first.out
    assert "1 row left out: a picture of theirs is not there" in first.err
    assert (
        f"  night.csv:3: upper_clothes: {cdn.url}/gone.jpg: there is nothing at the address" in first.err
        or "night.csv:3: upper_clothes: there is nothing at the address (HTTP 404)" in first.err
    )
    assert "1 to submit, 0 reused, 0 duplicate, 0 invalid" in shop.vton("enqueue", "night.csv").out
    waiting = shop.vton("enqueue", "night.csv", "--check-urls")
    assert "0 to submit, 0 reused, 0 duplicate, 1 invalid, 1 changed" in waiting.out


def test_plan_and_enqueue_say_in_how_many_valid_rows_a_misspelt_column_is_filled(shop):
    rows = [f"{sku},{CDN}/p.jpg,{top},{CDN}/{sku}.jpg\n" for sku, top in (("A", CDN), ("B", " "), ("C", CDN))]
    shop.write(
        "odd.csv", "sku,person,uper_clothes,lower_clothes\n" + "".join(rows) + f"D,,{CDN},{CDN}/4.jpg\n"
    )
    shop.write("jeans.csv", f"sku,person,uper_clothes,lower_clothes\nE,{CDN}/p.jpg,{CDN},{CDN}/E.jpg\n")
    why = "the column “uper_clothes” is not read; did you mean upper_clothes?"
    assert f"  odd.csv: {why} It is filled in 2 valid rows\n" in shop.vton("plan", "odd.csv").out
    fed = shop.vton("enqueue", "odd.csv")
    assert (fed.code, f"vton: odd.csv: {why} It is filled in 2 valid rows\n" in fed.err) == (0, True)
    both = shop.vton("enqueue", "odd.csv", "jeans.csv").err
    assert f": odd.csv: {why} It is filled in 2 valid rows\n" in both
    assert f": jeans.csv: {why} It is filled in 1 valid row\n" in both
    assert f"vton: jeans.csv: {why} It is filled in 1 valid row\n" in shop.vton("enqueue", "jeans.csv").err
    # The same once more is not read again.
    assert f"vton: jeans.csv: {why}\n" in shop.vton("enqueue", "jeans.csv").err
