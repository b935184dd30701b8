"""Traces of whole runs: every row's job from the queue to the file, over all processes, at a receiver of its own."""

import re
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.runs.shop import TOKEN
from tests.tracing.receiver import Receiver

LIMITS = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_LIMITS__IMAGES_PER_MINUTE": "600"}
INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PAGE = (Path(__file__).parents[2] / "docs/tracing.md").read_text(encoding="utf-8")
#: What the page says that every job with a picture goes through.
STEPS = sorted(re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|", PAGE, re.MULTILINE))


def traced(url: str, **more: str) -> dict[str, str]:
    return {"VTON_TRACING__ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": url} | LIMITS | more


def test_a_row_of_a_run_is_one_connected_trace_from_the_queue_to_its_file(shop):
    manifest = shop.urls(4)
    shop.write(
        "faults.yaml",
        "- {at: submit, do: 429, retry_after: 0.2, when: {ordinals: [2]}}\n"
        "- {at: task, do: failed, when: {ordinals: [1]}}\n",
    )
    with Receiver() as receiver:
        env = traced(
            receiver.url,
            VTON_TRACING__END_S="600",
            TRACEPARENT=INCOMING,
            OTEL_EXPORTER_OTLP_HEADERS="api-key=canary-key-1f9e",
        )
        batch = shop.run(manifest, "--simulate", "--faults", "faults.yaml", **env)
    found = receiver.traces()
    batches = [span for span in receiver.spans if span.name == "batch"]
    assert [(span.attributes["vton.batch"], span.links) for span in batches] == [
        (batch.folder.name, [tuple(INCOMING.split("-")[1:3])])
    ]
    assert len(found) == len(batch.lines) + 1
    for line in batch.lines:
        (spans,) = [
            each.values()
            for each in found.values()
            if any(span.attributes.get("vton.request_id") == line["request_id"] for span in each.values())
        ]
        (root,) = [span for span in spans if not span.parent]
        assert root.name == "job"
        assert {span.parent for span in spans} == {"", root.span_id}
        assert root.links == [(batches[0].trace_id, batches[0].span_id)]
        assert sorted({span.name for span in spans}) == STEPS
        assert all(root.begun_ns <= span.begun_ns <= span.ended_ns for span in spans)
        assert len({span.resource["process.pid"] for span in spans}) >= 2, "said by several processes"
        (kept,) = [
            span.attributes
            for span in spans
            if span.name == "submit" and span.attributes.get("vton.task_id") == line["task_id"]
        ]
        assert (kept["vton.outcome"], kept["http.response.status_code"]) == ("accepted", 200)
        assert [span.attributes["vton.row"] for span in spans if span.name == "export"] == [line["row"]]
    said = [span.attributes for span in receiver.spans]
    assert {name for each in said for name in each} <= set(re.findall(r"`([\w.]+)`", PAGE)) | {
        f"vton.{number}" for number in ("rows", "bad", "queued", "reused", "duplicate", "changed")
    }
    posts = [each for each in said if each.get("vton.outcome") == "busy"]
    assert [each["http.response.status_code"] for each in posts] == [429]
    assert [each["vton.outcome"] for each in said if "vton.polls" in each].count("retried") == 1
    everything = b"".join(receiver.raw)
    assert not [word for word in ("cdn.example", TOKEN, "canary-key", "p.jpg") if word.encode() in everything]


@pytest.mark.parametrize(
    "trouble", ["hangs", *(pytest.param(each, marks=pytest.mark.slow) for each in ("refuses", "answers 500"))]
)
def test_a_receiver_in_trouble_changes_nothing_of_a_run(shop, trouble):
    with Receiver(status=500, hangs=trouble == "hangs") as receiver:
        url = f"http://127.0.0.1:{free_port()}" if trouble == "refuses" else receiver.url
        # Whoever waited for it would not come to an end.
        batch = shop.run(shop.urls(3), "--simulate", **traced(url, OTEL_EXPORTER_OTLP_TIMEOUT="3600"))
    assert batch.summary["status"] == {"succeeded": 3}
    assert receiver.spans == []
