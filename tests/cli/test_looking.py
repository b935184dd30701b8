"""How far a command is with local pictures is said while it takes long, and only then."""

from pathlib import Path

from PIL import Image
from structlog.testing import capture_logs

from jobs.cli.looking import Looking
from jobs.config.settings import PictureSettings
from jobs.manifest import open_manifest
from jobs.pictures.check import LocalPictures


def looked(folder: Path, manifest: str, seconds: float) -> list[dict[str, object]]:
    """What is said while each row takes so long."""
    (folder / "m.csv").write_text(manifest)
    opened = open_manifest(str(folder / "m.csv"))
    now = [0.0]
    pictures = LocalPictures(PictureSettings(), folder)
    looking = Looking(opened.rows, pictures, lambda: now[0])
    with capture_logs() as said:
        for row in looking.ahead(opened.rows()):
            pictures.source(row.inputs["person"])  # type: ignore[union-attr]
            now[0] += seconds
    return [dict(each) for each in said]


def rows(person: str, count: int) -> str:
    return "\n".join(
        ["sku,person,dress", *(f"{n},{person},https://shop.example/{n}.jpg" for n in range(count)), ""]
    )


def test_rows_with_local_pictures_are_counted_down(tmp_path: Path) -> None:
    Image.effect_noise((80, 80), 50).save(tmp_path / "p.jpg")
    said = looked(tmp_path, rows("p.jpg", 10), 3)
    assert said[0] == {
        "event": "pictures.checking", "log_level": "info", "rows": 2, "of": 10, "read": 1, "left": "24 s"
    }  # fmt: skip
    assert [each["rows"] for each in said] == [2, 4, 6, 8, 10]
    assert said[-1]["left"] == "0 s"


def test_what_is_quick_or_has_addresses_only_says_nothing(tmp_path: Path) -> None:
    Image.effect_noise((80, 80), 50).save(tmp_path / "p.jpg")
    assert looked(tmp_path, rows("p.jpg", 10), 0.1) == []
    assert looked(tmp_path, rows("https://shop.example/p.jpg", 10), 30) == []
