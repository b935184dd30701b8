"""File names whose letters can be written in two ways that look the same."""

import unicodedata

import pytest
from PIL import Image

from jobs.config.settings import PictureSettings
from jobs.pictures.check import LocalPictures


@pytest.mark.parametrize(
    ("on_disk", "written"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")]
)
@pytest.mark.parametrize("name", ["grüne Röcke/élégant.png", "가방/plain.png", "plain/ポーズ.png"])
def test_a_file_is_found_in_the_other_form_of_its_name(tmp_path, on_disk, written, name):
    path = tmp_path / unicodedata.normalize(on_disk, name)
    path.parent.mkdir()
    Image.new("RGB", (600, 800), "red").save(path)
    pictures = LocalPictures(PictureSettings(), tmp_path)
    for _ in range(2):
        assert pictures.source(unicodedata.normalize(written, name)).path == str(path)


def test_the_form_that_is_written_comes_first(tmp_path):
    for form, colour in (("NFC", "red"), ("NFD", "blue")):
        Image.new("RGB", (600, 800), colour).save(tmp_path / unicodedata.normalize(form, "é.png"))
    found = [
        LocalPictures(PictureSettings(), tmp_path).source(unicodedata.normalize(form, "é.png"))
        for form in ("NFC", "NFD")
    ]
    assert found[0].sha256 != found[1].sha256
