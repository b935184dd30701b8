"""Text in other encodings than UTF-8 and GB18030."""

import gzip
import hashlib

import pytest

from jobs.errors import ManifestError
from jobs.manifest import Reading, open_manifest

TABLE = "货号,模特,上衣\n一,模特/一.jpg,衣.jpg\nB,https://x.example/p.jpg,grün.jpg\n"
PLAIN = "sku,person,dress\nA,p.jpg,grün.jpg\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf16_is_read_with_and_without_a_mark(opened, encoding, *, packed):
    text = PLAIN.encode(encoding)
    manifest = opened(gzip.compress(text) if packed else text, "night.csv.gz" if packed else "night.csv")
    [row] = manifest.rows()
    assert (row.line, row.inputs) == (2, {"person": "p.jpg", "dress": "grün.jpg"})


def test_utf16_with_chinese_names_is_read_by_its_mark(opened):
    first, second = opened(TABLE.encode("utf-16")).rows()
    assert first.inputs == {"person": "模特/一.jpg", "upper_clothes": "衣.jpg"}
    assert (second.line, second.inputs["upper_clothes"]) == (3, "grün.jpg")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("night.yaml", "- {person: p.jpg, dress: grün.jpg}\n"),
        ("night.jsonl", '{"person": "p.jpg", "dress": "grün.jpg"}\n'),
    ],
)
def test_utf16_of_yaml_and_jsonl_is_read(opened, name, text):
    assert [row.inputs["dress"] for row in opened(text.encode("utf-16"), name).rows()] == ["grün.jpg"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", PLAIN), ("shift_jis", PLAIN.replace("grün", "ビル")), ("utf-16-le", PLAIN)],
)
def test_an_encoding_that_is_named_is_taken_and_makes_another_list(write, encoding, text):
    manifest = open_manifest(str(write(text.encode(encoding))), Reading(encoding=encoding))
    assert [row.inputs["dress"] for row in manifest.rows()] == [text.split(",")[-1].strip()]
    assert manifest.digest != hashlib.sha256(text.encode(encoding)).hexdigest()


def test_text_that_is_not_of_its_encoding_is_refused(write):
    path = str(write(PLAIN.encode("cp1252")))
    with pytest.raises(ManifestError, match=r"catalog\.csv: is no ascii text"):
        open_manifest(path, Reading(encoding="ascii"))
