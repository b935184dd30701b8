"""Several manifests as one batch, through the commands."""

import csv
import json

from PIL import Image

CDN = "https://cdn.example.com"


def catalogs(folder):
    """Two tables of different columns, the second one's pictures beside it; each has a bad row."""
    (folder / "tables").mkdir()
    (folder / "a.csv").write_text(f"sku,person,dress\nA,{CDN}/p.jpg,{CDN}/d.jpg\nB,,x.jpg\n")
    (folder / "tables" / "b.csv").write_text(
        "sku;model;top;season\nÄ;p.jpg;t.jpg;SS26\nC;none.jpg;t.jpg;SS26\n", encoding="cp1252"
    )
    for name, colour in (("p", "white"), ("t", "red")):
        Image.new("RGB", (400, 600), colour).save(folder / "tables" / f"{name}.jpg")


def test_a_plan_of_several_manifests_names_the_file_of_each_bad_row(shop):
    catalogs(shop.folder)
    told = shop.vton("plan", "a.csv", "tables/*.csv").out
    assert "a.csv:3: person: the person's picture is missing" in told
    assert "tables/b.csv:3: model: tables/none.jpg: there is no such file" in told
    assert "tables/b.csv: read as cp1252" in told
    assert json.loads(shop.vton("plan", "a.csv", "tables/b.csv", "--json").out)["new"] == 2
    missing = shop.vton("plan", "a.csv", "none/*.csv")
    assert (missing.code, "no file fits none/*.csv" in missing.err) == (4, True)


def test_several_manifests_are_one_batch_with_one_folder_and_again_the_same(shop):
    catalogs(shop.folder)
    first, again = (shop.vton("enqueue", "a.csv", "tables/*.csv").out for _ in range(2))
    assert "4 rows, 2 to submit, 0 reused, 0 duplicate, 2 invalid" in first
    assert "(resumed)" in again
    batch = first.partition(":")[0]
    assert again.partition(":")[0] == batch
    shop.vton("results", batch)
    folder = shop.folder / "out" / batch
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted((line["row"], line["sku"]) for line in lines if line["status"] == "invalid") == [
        (2, "B"),
        (4, "C"),
    ]
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sku"] for row in rows] == ["A", "B", "Ä", "C"]
    assert [row["upper_clothes"] for row in rows][2] == "tables/t.jpg"
    assert [row["season"] for row in rows] == ["", "", "SS26", "SS26"]
    assert [row["vton_file"] for row in rows] == ["a.csv", "a.csv", "tables/b.csv", "tables/b.csv"]
    assert [
        (line["row"], line["file"], line["line"]) for line in sorted(lines, key=lambda line: line["row"])
    ] == [
        (1, "a.csv", 2),
        (2, "a.csv", 3),
        (3, "tables/b.csv", 2),
        (4, "tables/b.csv", 3),
    ]


def test_failed_rows_of_several_manifests_are_a_manifest_of_their_own(shop):
    catalogs(shop.folder)
    batch = shop.vton("enqueue", "a.csv", "tables/b.csv").out.partition(":")[0]
    shop.vton("results", batch)
    Image.new("RGB", (400, 600), "white").save(shop.folder / "tables" / "none.jpg")
    again = json.loads(shop.vton("plan", f"out/{batch}/failed.csv", "--json").out)
    assert (again["rows"], again["waiting"], again["duplicate"], again["invalid"]) == (4, 2, 1, 1)
    shop.write("new.csv", f"sku,person,dress\nN,{CDN}/p.jpg,tables/t.jpg\n")
    both = json.loads(shop.vton("plan", "new.csv", f"out/{batch}/failed.csv", "--json").out)
    assert (both["rows"], both["new"], both["waiting"], both["duplicate"]) == (5, 1, 2, 1)
    assert [group["count"] for group in both["problems"] if group["severity"] == "error"] == [1]
