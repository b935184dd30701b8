#!/usr/bin/env bash
# One would expect: signing a picture adds a few kilobytes; and load_settings(), which accepts {"builder": {"thumbnail":
#   {"enabled": False}}}, switches the thumbnail off.
# What happens: a thumbnail of 1,024 pixels is added even to a picture of 256, so the file grows to many times its size. What
#   load_settings() is given has no effect any more; only a DeprecationWarning says so, which Python hides outside __main__.
#   Settings have to be handed to each Builder in a Context.
# Why it matters here: marks of AI origin are duty for result pictures; a catalog's traffic would double unnoticed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check c2pa-python==0.38.1 pillow==13.0.0 cryptography==50.0.2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import datetime
import io
import json
import warnings

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")])
now = datetime.datetime.now(datetime.UTC)
usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - datetime.timedelta(days=1), now + datetime.timedelta(days=9))
for extension, critical in (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (usage, True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
    (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
):
    builder = builder.add_extension(extension, critical)
certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
made = {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]}}
manifest = {"claim_generator_info": [{"name": "test", "version": "1"}], "assertions": [made]}
no_thumbnail = {"builder": {"thumbnail": {"enabled": False}}}


def sign(data, *context):
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificate, secret, None))
    file = io.BytesIO()
    c2pa.Builder(manifest, *context).sign(signer, "image/jpeg", io.BytesIO(data), file)
    reader = json.loads(c2pa.Reader("image/jpeg", io.BytesIO(file.getvalue())).json())
    return len(file.getvalue()), "thumbnail" in reader["manifests"][reader["active_manifest"]]


file = io.BytesIO()
Image.frombytes("RGB", (256, 256), bytes(x * 7 % 256 ^ x // 768 for x in range(256 * 256 * 3))).save(file, "JPEG")
picture = file.getvalue()
plain = sign(picture)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    c2pa.load_settings(no_thumbnail)
loaded = sign(picture)
context = sign(picture, c2pa.Context(c2pa.Settings.from_dict(no_thumbnail)))
print("c2pa-python", c2pa.__version__, c2pa.sdk_version())
print(f"picture of 256x256: {len(picture)} bytes")
print(f"signed:                     {plain[0]} bytes, thumbnail: {plain[1]}")
print(f"signed after load_settings: {loaded[0]} bytes, thumbnail: {loaded[1]} ({', '.join(w.category.__name__ for w in told)})")
print(f"signed with a Context:      {context[0]} bytes, thumbnail: {context[1]}")
assert (plain[1], loaded[1], context[1]) == (True, True, False)
assert plain[0] > 3 * len(picture) and loaded[0] > 3 * len(picture) and context[0] < len(picture) + 6000
assert [w.category for w in told] == [DeprecationWarning]
EOF
