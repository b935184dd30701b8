#!/usr/bin/env bash
# One would expect: a receiver of traces that answers 308, as every ingress does that sends http to https, is followed, or its
#   answer is a failure that is logged.
# What happens: the exporter of OTLP over HTTP does not follow it and takes any status below 400 for success. It returns
#   SUCCESS, nothing is logged, the spans are gone; the receiver has never had a byte of them.
# Why it matters here: the traces of a whole night are missing, and the only thing that is wrong is an "s" that is missing in
#   OTEL_EXPORTER_OTLP_ENDPOINT. Whoever counts spans that could not be sent counts none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import http.server
import logging
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.version import __version__

asked = []
said = []


class Ingress(http.server.BaseHTTPRequestHandler):
    status = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        asked.append(self.path)
        self.send_response(self.status)
        self.send_header("Location", "/secure" + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Said(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


logging.getLogger().addHandler(Said())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ingress)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("picture")
span.end()
print("opentelemetry-sdk", __version__)
found = {}
for status in (301, 302, 307, 308, 404):
    asked.clear()
    said.clear()
    Ingress.status = status
    found[status] = exporter.export([span]), list(asked), len(said)
    print(f"{status}: {found[status][0].name}, requests: {asked}, lines logged: {len(said)}")
failed = found.pop(404)
assert failed[0] is SpanExportResult.FAILURE and failed[2] == 1, failed
assert all(each == (SpanExportResult.SUCCESS, ["/v1/traces"], 0) for each in found.values()), found
EOF
