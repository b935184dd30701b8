"""A receiver of OTLP over HTTP, as a collector is one: what it is sent is decoded by OpenTelemetry's own protobuf."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One span as it came."""

    trace_id: str
    span_id: str
    parent: str
    name: str
    begun_ns: int
    ended_ns: int
    failed: bool
    attributes: dict[str, Any]
    #: Trace and span of each link.
    links: list[tuple[str, str]]
    resource: dict[str, Any]


@dataclass
class Receiver:
    """Answers each request with `status`; `hangs`: with nothing, until it is closed."""

    status: int = 200
    hangs: bool = False
    raw: list[bytes] = field(default_factory=list)
    spans: list[Heard] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver = self
        self._closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.hangs:
                    receiver._closing.wait()
                    return
                receiver.take(self.path, body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        self.raw.append(body)
        if self.status != 200:
            return
        assert path == "/v1/traces"
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(each.resource.attributes)
            self.spans += [_heard(span, resource) for scope in each.scope_spans for span in scope.spans]

    def traces(self) -> dict[str, dict[str, Heard]]:
        """Trace → its spans by id; one that came twice is one."""
        found: dict[str, dict[str, Heard]] = defaultdict(dict)
        for span in self.spans:
            found[span.trace_id][span.span_id] = span
        return found


def _heard(span: Any, resource: dict[str, Any]) -> Heard:
    return Heard(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        begun_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
