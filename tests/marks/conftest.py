"""Pictures, a second reader, and a certificate of the test's own."""

import datetime as dt
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from jobs.config.delivery import MarksSettings


def picture(kind: str, size: tuple[int, int] = (96, 128), **options: Any) -> bytes:
    out = io.BytesIO()
    gradient = Image.radial_gradient("L").resize(size)
    Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180))).save(out, kind, **options)
    return out.getvalue()


def pixels(content: bytes) -> tuple[str, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(content)) as opened:
        return opened.mode, opened.size, opened.tobytes()


@pytest.fixture
def exiftool(tmp_path: Path) -> Callable[[bytes], dict[str, Any]]:
    """What exiftool reads: another program in another language than the one that writes."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip(
            "exiftool is not here (apt-get install libimage-exiftool-perl): no second reader of the marks"
        )

    def read(content: bytes) -> dict[str, Any]:
        path = tmp_path / "read-by-exiftool"
        path.write_bytes(content)
        command = [program, "-j", "-G1", "-a", "-struct", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)[0]

    return read


@pytest.fixture
def certified(tmp_path: Path) -> MarksSettings:
    """Settings with a self-signed certificate of an end entity, which signs though nobody trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "shop"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "shop"),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    begin, end = now - dt.timedelta(days=1), now + dt.timedelta(days=9)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, end)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    certificate, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return MarksSettings(c2pa_certificate=certificate, c2pa_key=secret)
