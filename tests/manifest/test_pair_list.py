"""Lists of pairs as VITON-HD and DressCode have them."""

import pytest

from jobs.errors import ManifestError
from jobs.manifest import Reading, open_manifest
from jobs.records import BadRow

PAIRS = "000957_0.jpg 000445_1.jpg\n000958_0.jpg 000446_1.jpg\n"


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)


@pytest.mark.parametrize("part", ["", "test/"])
def test_a_list_beside_image_and_cloth_is_viton_hd(write, tmp_path, part):
    folders(tmp_path, f"{part}image", f"{part}cloth")
    first, second = open_manifest(str(write(PAIRS, "test_pairs.txt"))).rows()
    assert first.inputs == {
        "person": f"{part}image/000957_0.jpg",
        "upper_clothes": f"{part}cloth/000445_1.jpg",
    }
    assert (second.sku, second.line, second.number) == ("000446_1", 2, 2)


def test_a_list_in_a_folder_of_dresscode_has_its_kind(write, tmp_path):
    folders(tmp_path, "data/dresses/images")
    path = str(write("013563_0.jpg\t013563_1.jpg\n", "pairs.txt"))
    manifest = open_manifest(path, Reading(root=tmp_path / "data" / "dresses"))
    [row] = manifest.rows()
    assert row.inputs == {"person": "images/013563_0.jpg", "dress": "images/013563_1.jpg"}
    assert manifest.folder == tmp_path / "data" / "dresses"


def test_a_list_of_all_of_dresscode_has_the_kind_in_its_third_column(write, tmp_path):
    folders(tmp_path, "upper_body/images", "lower_body/images")
    text = "1_0.jpg\t2_1.jpg\t0\n3_0.jpg\t4_1.jpg\t1\n\n5_0.jpg\t6_1.jpg\t2\n7_0.jpg 8_1.jpg\nx\n"
    *good, short, odd = open_manifest(str(write(text, "test_pairs_unpaired.txt"))).rows()
    assert [row.inputs for row in good] == [
        {"person": "upper_body/images/1_0.jpg", "upper_clothes": "upper_body/images/2_1.jpg"},
        {"person": "lower_body/images/3_0.jpg", "lower_clothes": "lower_body/images/4_1.jpg"},
        {"person": "dresses/images/5_0.jpg", "dress": "dresses/images/6_1.jpg"},
    ]
    assert (type(short), short.line, "three columns" in short.why) == (BadRow, 5, True)
    assert "names of two pictures" in odd.why


@pytest.mark.parametrize("text", [PAIRS, "1_0.jpg\t2_1.jpg\t0\n"])
def test_what_kind_a_list_has_is_never_guessed(write, text):
    with pytest.raises(ManifestError, match="--root FOLDER names where the data set lies"):
        open_manifest(str(write(text, "pairs.txt")))


def test_a_table_called_txt_stays_a_table(write):
    [row] = open_manifest(str(write("sku,person,dress\nA,p.jpg,d.jpg\n", "catalog.txt"))).rows()
    assert row.inputs == {"person": "p.jpg", "dress": "d.jpg"}
