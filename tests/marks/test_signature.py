"""C2PA: signed last, with one's own certificate, verified, no thumbnail; a manifest that is there stays inside."""

import io
import json

import c2pa
import pytest

from jobs.config.delivery import MarksSettings
from jobs.errors import ConfigError
from jobs.marks.found import marks_of
from jobs.marks.metadata import marked
from jobs.marks.signature import Signature
from tests.marks.conftest import picture, pixels

MEDIA = {"JPEG": ("jpg", "image/jpeg"), "PNG": ("png", "image/png"), "WEBP": ("webp", "image/webp")}


def read(content, media):
    return json.loads(c2pa.Reader(media, io.BytesIO(content)).json())


@pytest.mark.parametrize("kind", MEDIA)
def test_a_signed_picture_says_that_a_machine_made_it_and_keeps_its_pixels_and_marks(kind, certified):
    extension, media = MEDIA[kind]
    before = marked(picture(kind), certified, produce_id="r1")
    after = Signature(certified).signed(before, extension, before)
    assert pixels(after) == pixels(before)
    assert marks_of(after) == ("iptc:trainedAlgorithmicMedia", "c2pa")
    report = read(after, media)
    manifest = report["manifests"][report["active_manifest"]]
    assert "thumbnail" not in manifest
    assert len(after) - len(before) < 20_000
    actions = next(each for each in manifest["assertions"] if each["label"].startswith("c2pa.actions"))
    assert actions["data"]["actions"][0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert [each["code"] for each in report["validation_status"]] == ["signingCredential.untrusted"]


def test_a_manifest_that_the_picture_brings_is_kept_as_its_parents(certified):
    brought = Signature(certified).signed(picture("JPEG"), "jpg", picture("JPEG"))
    theirs = read(brought, "image/jpeg")["active_manifest"]
    ours = Signature(certified).signed(marked(picture("JPEG"), certified, produce_id="r1"), "jpg", brought)
    report = read(ours, "image/jpeg")
    assert report["active_manifest"] != theirs
    assert theirs in report["manifests"]
    (parent,) = report["manifests"][report["active_manifest"]]["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert "thumbnail" not in parent


def test_certificate_and_key_go_together_and_must_be_readable(certified, tmp_path):
    with pytest.raises(ValueError, match="go together"):
        MarksSettings(c2pa_certificate=tmp_path / "certificate.pem")
    with pytest.raises(ConfigError, match=r"gone\.pem"):
        Signature(certified.model_copy(update={"c2pa_key": tmp_path / "gone.pem"}))
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"marks\.c2pa"):
        Signature(certified)
