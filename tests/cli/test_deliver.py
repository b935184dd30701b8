"""`vton deliver` and `vton results --xlsx --links`, as people call them."""

import csv

from tests.cli.conftest import Elsewhere
from tests.driver import rid


def ended_batch(shop, elsewhere: Elsewhere, driver) -> str:
    """A batch of one row whose picture lies in the store."""
    import hashlib

    from jobs.ledger import steps
    from jobs.records import Picture
    from tests.delivery.conftest import drawn

    driver.admit("b", ["x"], seal=True)
    driver.submitted(task="t")
    content = drawn("one")
    digest = hashlib.sha256(content).hexdigest()
    target = shop.folder / ".vton" / "pictures" / digest[:2] / f"{digest}.jpg"
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    picture = Picture(
        name=target.name, url="https://cdn.example/1", sha256=digest, width=64, height=96, bytes=len(content)
    )
    assert driver.ledger.run(steps.ended(rid("x"), "t", ["https://cdn.example/1"], "poll", 100.0))
    assert driver.ledger.run(steps.succeed(rid("x"), [picture], None))
    return "b"


def test_without_an_approval_nothing_is_delivered_and_that_is_said(shop, elsewhere, driver):
    batch = ended_batch(shop, elsewhere, driver)
    ended = shop.vton("deliver", batch, "--to", "shelf", **elsewhere.env())
    assert (ended.code, ended.out) == (6, "")
    assert "nothing is approved" in ended.err
    assert not (shop.folder / "shelf").exists()


def test_all_pictures_are_delivered_and_the_table_is_printed(shop, elsewhere, driver):
    batch = ended_batch(shop, elsewhere, driver)
    for words in ("1 delivered", "1 there already"):
        ended = shop.vton("deliver", batch, "--to", "shelf", "--all", **elsewhere.env())
        assert (ended.code, ended.err.strip().splitlines()[-1]) == (0, words)
    with (shop.folder / ended.out.strip()).open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert cells["marks"] == "iptc:trainedAlgorithmicMedia"
    assert [path.suffix for path in sorted((shop.folder / "shelf").rglob("*.*"))] == [".jpg", ".json"]


def test_only_what_is_approved_is_delivered(shop, elsewhere, driver):
    from jobs.ledger.verdicts import add_verdicts, verdicts_of
    from jobs.records import Verdict

    batch = ended_batch(shop, elsewhere, driver)
    (picture,) = driver.job(rid("x")).pictures
    for at, verdict, code in (
        ("1", "reject", 6),
        ("2", "approve", 0),
        ("3", "clear", 6),
        ("4", "approve", 0),
    ):
        one = Verdict(row=1, picture_sha256=picture.sha256, verdict=verdict, reviewer="ada", at=at)
        add_verdicts(driver.ledger, batch, [one])
        assert len(verdicts_of(driver.ledger, batch)) == int(at)
        ended = shop.vton("deliver", batch, "--to", "shelf", "--approved", **elsewhere.env())
        assert ended.code == code, ended.err


def test_words_that_are_wrong_end_with_their_codes(shop, elsewhere, driver):
    batch = ended_batch(shop, elsewhere, driver)
    for words, code, said in (
        (("b", "--to", "x", "--all", "--approved"), 2, "--all or --approved"),
        (("b", "--to", "ftp://x", "--all"), 2, "a folder, s3://"),
        (("b", "--to", "x", "--all", "--profile", "ebay"), 7, "none of akeneo, amazon"),
        (("b", "--to", "x", "--all", "--name", "{who}.{ext}"), 7, "{who} is none of"),
        (("nobody", "--to", "x", "--all"), 4, "nobody"),
    ):
        ended = shop.vton("deliver", *words, **elsewhere.env())
        assert (ended.code, said in ended.err) == (code, True), ended.err
    assert batch


def test_results_for_people(shop, elsewhere, driver):
    batch = ended_batch(shop, elsewhere, driver)
    ended = shop.vton("results", batch, "--xlsx", "--links", **elsewhere.env())
    assert ended.code == 0
    folder = shop.folder / ended.out.strip()
    assert (folder / "results.xlsx").stat().st_size > 5000
    assert "=HYPERLINK" in (folder / "results.csv").read_text()


def test_a_workbook_without_its_library_is_refused_before_anything_is_written(shop, elsewhere, driver):
    batch = ended_batch(shop, elsewhere, driver)
    folder = shop.folder / shop.vton("results", batch, **elsewhere.env()).out.strip()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (shop.folder / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'xlsxwriter' else found(name, *more)\n"
        "sys.modules['xlsxwriter'] = None\n"
    )
    ended = shop.vton("results", batch, "--xlsx", "--links", **elsewhere.env(), PYTHONPATH=str(shop.folder))
    assert (ended.code, ended.out) == (7, "")
    assert "pip install 'vton-batch[xlsx]'; nothing was written" in ended.err
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
