#!/usr/bin/env bash
# One would expect: a client without a retry setting sends a request once; a server that hangs up without an answer is an error.
# What happens: aiohttp sends GET, HEAD, OPTIONS, PUT and DELETE a second time, with their body, even when the connection was a new
#   one, and only then raises ServerDisconnectedError; POST is sent once. No public setting switches it off.
# Why it matters here: a poll counts twice against a limit of polls, and an upload by PUT whose answer was lost arrives twice.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check aiohttp==3.14.5
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import asyncio

import aiohttp

heard = []


async def hang_up(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")), 0)
    heard.append((head.split()[0], (await reader.readexactly(length)).decode()))
    writer.close()


async def main():
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for method, body in (("GET", None), ("PUT", "a picture"), ("POST", "an order")):
        heard.clear()
        async with aiohttp.ClientSession() as session:
            try:
                await session.request(method, address, data=body)
                raise SystemExit("an answer came")
            except aiohttp.ServerDisconnectedError:
                print(method, "was sent", len(heard), "times:", heard)
        wanted = 1 if method == "POST" else 2
        assert heard == [(method, body or "")] * wanted, heard
    server.close()


print("aiohttp", aiohttp.__version__)
asyncio.run(main())
EOF
