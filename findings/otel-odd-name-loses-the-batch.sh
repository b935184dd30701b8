#!/usr/bin/env bash
# One would expect: a file name with a byte that is no UTF-8 (Python holds it as half a character) spoils the span that has it,
#   at most: as a span's attribute it does, that one attribute is missing.
# What happens: as a span's name, or in the text of its status, it spoils the whole batch: up to 512 spans of all that happened
#   in those five seconds are thrown away by one error of encoding. The same name as an attribute, in a recorded exception, or
#   a number from 2**63 on, costs just that attribute.
# Why it matters here: pictures come from archives that were packed on Windows, with names in cp1252 or GBK. One of them in
#   the line costs the traces of 500 others, and none says which.
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
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.version import __version__
from opentelemetry.trace import StatusCode

logging.disable()
taken = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        taken.extend(span for each in asked.resource_spans for scope in each.scope_spans for span in scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def named(tracer):
    tracer.start_span(NAME).end()


def with_attribute(tracer):
    tracer.start_span("picture", attributes={"file": NAME}).end()


def with_status(tracer):
    span = tracer.start_span("picture")
    span.set_status(StatusCode.ERROR, f"{NAME}: no such file")
    span.end()


def with_error(tracer):
    span = tracer.start_span("picture")
    span.record_exception(FileNotFoundError(2, "No such file", NAME))
    span.end()


def with_number(tracer):
    tracer.start_span("picture", attributes={"task": 2**63}).end()


NAME = b"m\xe4ntel.jpg".decode("utf-8", "surrogateescape")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("opentelemetry-sdk", __version__)
found = {}
for odd in (with_attribute, with_number, with_error, with_status, named):
    taken.clear()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}")))
    tracer = provider.get_tracer("test")
    for number in range(100):
        tracer.start_span(f"picture {number}").end()
    odd(tracer)
    provider.shutdown()
    found[odd.__name__] = len(taken)
    print(f"100 spans and one {odd.__name__.replace('_', ' ')}: {len(taken)} arrive")
assert found == {"with_attribute": 101, "with_number": 101, "with_error": 101, "with_status": 0, "named": 0}, found
EOF
