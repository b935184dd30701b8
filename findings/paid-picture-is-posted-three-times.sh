#!/usr/bin/env bash
# One would expect: a call that makes a picture for money is sent once unless it is asked to try again; above all when it is only slow.
# What happens: the clients of OpenAI (`images.edit`) and of Amazon Bedrock (`invoke_model`) send it three times when no answer comes
#   in time, without a setting that asks for it and without an idempotency key by which the server could know the second one. Those of Google (google-genai) and of Hugging Face (`image_to_image`) send it once.
# Why it matters here: a model that takes longer than the time-out (60 s at Bedrock) is bought three times, and no picture arrives.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check openai==3.57.0 boto3==1.44.8 google-genai==3.6.1 huggingface_hub==2.4.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import socket
import threading
from importlib.metadata import version

import boto3
import openai
from botocore.config import Config
from google import genai
from huggingface_hub import InferenceClient

heard = []
held = []


def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=take, args=(connection,), daemon=True).start()


def take(connection):
    """Reads one order and says nothing: the client sees a server that is slow."""
    sent = connection.makefile("rb")
    head = {}
    request = sent.readline().decode().split()
    while (line := sent.readline().strip()):
        name, _, value = line.decode().partition(":")
        head[name.lower()] = value.strip()
    if head.get("transfer-encoding") == "chunked":
        while size := int(sent.readline(), 16):
            sent.read(size + 2)
    else:
        sent.read(int(head.get("content-length", 0)))
    heard.append((request[0], any("idempot" in name for name in head)))
    held.append(connection)


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
base = f"http://127.0.0.1:{listener.getsockname()[1]}"
picture = b"\x89PNG\r\n\x1a\n"


# A second in place of the minutes that they wait by default; every other setting is as it comes.
def by_openai():
    openai.OpenAI(api_key="x", base_url=f"{base}/v1", timeout=1).images.edit(
        model="gpt-image-1", image=("a.png", picture), prompt="wears it"
    )


def by_bedrock():
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("bedrock-runtime", endpoint_url=base, config=Config(read_timeout=1), **keys)
    client.invoke_model(modelId="amazon.nova-canvas-v1:0", body=b"{}")


def by_google():
    client = genai.Client(api_key="x", http_options={"base_url": base, "timeout": 1000})
    client.models.generate_content(model="gemini-2.5-flash-image", contents="wears it")


def by_hugging_face():
    InferenceClient(base, token="x", timeout=1).image_to_image(picture, prompt="wears it")


for name, order, wanted in (
    ("openai", by_openai, 3),
    ("boto3", by_bedrock, 3),
    ("google-genai", by_google, 1),
    ("huggingface_hub", by_hugging_face, 1),
):
    heard.clear()
    try:
        order()
        raise SystemExit("an answer came")
    except Exception as error:
        print(name, version(name), "sent it", len(heard), "times:", type(error).__name__)
    assert heard == [("POST", False)] * wanted, heard
EOF
