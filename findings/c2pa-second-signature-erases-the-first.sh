#!/usr/bin/env bash
# One would expect: signing a picture that is signed already adds a manifest to those it has, so that its history is kept; or
#   fails.
# What happens: the new manifest takes the place of the old one, without an error or a warning. The picture is "Valid", was
#   "created" by whoever has signed it last, and nothing tells that another one had. Only who reads the picture before, and
#   hands it to add_ingredient() and to an action c2pa.opened himself, keeps what was there.
# Why it matters here: whoever makes pictures signs them as made by AI. A shop that signs what it publishes erases that, and with
#   it the proof that it was marked when it came.
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
source = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def sign(data, who, kind, ingredient=None):
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificate, secret, None))
    action = {"action": "c2pa.created", "digitalSourceType": source + kind}
    if ingredient is not None:
        action = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["before"]}}
    made = {"label": "c2pa.actions.v2", "data": {"actions": [action]}}
    settings = c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    builder = c2pa.Builder({"claim_generator_info": [{"name": who, "version": "1"}], "assertions": [made]}, c2pa.Context(settings))
    if ingredient is not None:
        parent = {"title": "before", "relationship": "parentOf", "label": "before"}
        builder.add_ingredient(json.dumps(parent), "image/jpeg", io.BytesIO(ingredient))
    file = io.BytesIO()
    builder.sign(signer, "image/jpeg", io.BytesIO(data), file)
    return file.getvalue()


def told(data):
    read = json.loads(c2pa.Reader("image/jpeg", io.BytesIO(data)).json())
    makers = {each["claim_generator_info"][0]["name"] for each in read["manifests"].values()}
    return makers, "trainedAlgorithmicMedia" in json.dumps(read), read["validation_state"]


file = io.BytesIO()
Image.frombytes("RGB", (256, 256), bytes(x * 7 % 256 ^ x // 768 for x in range(256 * 256 * 3))).save(file, "JPEG")
made = sign(file.getvalue(), "generator", "trainedAlgorithmicMedia")
again = sign(made, "shop", "digitalCapture")
kept = sign(made, "shop", "", made)
print("c2pa-python", c2pa.__version__, c2pa.sdk_version())
for name, data in {"signed by the generator": made, "signed again": again, "signed with the first as ingredient": kept}.items():
    makers, marked, state = told(data)
    print(f"{name:36} {state}, made by {', '.join(sorted(makers))}; marked as made by AI: {marked}")
assert told(made) == ({"generator"}, True, "Valid")
assert told(again) == ({"shop"}, False, "Valid")
assert told(kept) == ({"generator", "shop"}, True, "Valid")
EOF
