#!/usr/bin/env bash
# One would expect: force_flush(500) of a TracerProvider returns after half a second at the latest, with False when the spans were
#   not through by then, as its documentation has it.
# What happens: the batch processor ignores the time and waits for as long as the exporter tries; then it is True, whatever came
#   of it: an error 500, or an export that was given up after several seconds.
# Why it matters here: a worker that is told to end has seconds; it flushes, gets True and believes that the traces of its last
#   pictures are safe. Whoever needs a bound has to flush in a thread of their own, and look at the exporter's own results.
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
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.version import __version__

logging.disable()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503 if self.path == "/busy" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("opentelemetry-sdk", __version__)
found = {}
for path, what in (("/broken", "answers 500"), ("/busy", "answers 503")):
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}{path}", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("test").start_span("picture").end()
    begun = time.monotonic()
    said = provider.force_flush(500)
    found[path] = said, time.monotonic() - begun
    print(f"{what}: force_flush(500) is {said} after {found[path][1]:.1f} s, and no span was taken")
assert found["/broken"][0] is True and found["/busy"][0] is True and found["/busy"][1] > 2, found
EOF
