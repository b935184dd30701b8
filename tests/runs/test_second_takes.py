"""The whole way with the simulator: look, judge, a second take, compare, approve, deliver."""

import csv
import re
import shlex

LIMITS = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_LIMITS__IMAGES_PER_MINUTE": "600"}
HEAD = "row,sku,request_id,picture_sha256,verdict,reasons,note,reviewer,at\n"


def judged(line, word, at, *, version=0):
    of = line["versions"][version - 1] if version else line
    sha256 = of["images"][0]["sha256"]
    return (
        f"{line['row']},{line['sku']},{of['request_id']},{sha256},{word},,,Ana,2026-11-28T10:00:{at:02d}Z\n"
    )


def test_a_rejected_picture_is_made_again_approved_and_delivered(shop):
    manifest = shop.urls(2)
    assert shop.vton("run", manifest, "--again", "spring", "--simulate", **LIMITS).code == 0
    batch = shop.only_batch()
    name = batch.folder.name
    first, second = batch.lines
    shop.write("review.csv", HEAD + judged(first, "reject", 1) + judged(second, "approve", 2))
    assert shop.vton("review", "apply", "review.csv", "--simulate").code == 0

    asked = shop.vton("retake", name, "--simulate")
    assert (asked.code, "to be bought: 1 picture" in asked.err) == (2, True)
    printed = []
    for count in (1, 0):
        ended = shop.vton("retake", name, "--simulate", "--yes")
        assert ended.out.startswith(f"{name}: {count} second take")
        printed += re.findall(r"or by: vton (run .*)", ended.out)
    assert printed == ["run batch.csv --again spring --simulate"]
    ended = shop.vton(*shlex.split(printed[0]), **LIMITS)
    assert ended.code == 0, ended.err
    assert "second takes: 1 succeeded" in ended.out
    assert batch.summary["ordered"] == 3
    assert shop.vton(*shlex.split(printed[0]), **LIMITS).code == 0
    assert batch.summary["ordered"] == 3, "the same run again buys nothing"

    taken, other = batch.lines
    assert (taken["version"], len(taken["versions"]), other["version"]) == (2, 2, 1)
    assert taken["versions"][0]["images"] == first["images"]
    assert taken["images"][0]["path"].rpartition(".")[0].endswith("__v2")
    assert all((batch.folder / each["images"][0]["path"]).is_file() for each in taken["versions"])
    rows = "".join(path.read_text() for path in (batch.folder / "report" / "rows").glob("*.js"))
    assert all(each["images"][0]["sha256"] in rows for each in taken["versions"])

    shop.write("review.csv", HEAD + judged(taken, "approve", 3, version=2))
    applied = shop.vton("review", "apply", "review.csv", "--simulate")
    assert applied.out.startswith(f"{name}: 1 verdict applied")
    ended = shop.vton("deliver", name, "--to", "shelf", "--simulate")
    assert ended.code == 0, ended.err
    with (shop.folder / ended.out.strip()).open(newline="") as file:
        delivered = {row["picture_sha256"]: row["address"] for row in csv.DictReader(file)}
    assert set(delivered) == {taken["images"][0]["sha256"], other["images"][0]["sha256"]}
    assert "__v2." in delivered[taken["images"][0]["sha256"]]
