"""Spans as a real receiver gets them: one trace a job, whichever processes say it; a receiver in trouble hurts nobody."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import structlog

from jobs.config.load import secrets_of
from jobs.config.settings import Credentials, RedisSettings, Settings, TracingSettings
from jobs.errors import ConfigError
from jobs.ledger import Ledger
from jobs.producing.queue import Queue
from jobs.records import (
    BatchId,
    Job,
    JobState,
    Owner,
    Pair,
    RequestId,
    ResultLine,
    RowError,
    TaskId,
    Timings,
    Url,
)
from jobs.tracing import UNTRACED, LedgerClock, Traces, traces_of
from jobs.units import iso
from tests.ports import free_port
from tests.tracing.receiver import Receiver

QUEUED_MS = 1_790_000_000_000
INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_") or name == "TRACEPARENT"]:
        monkeypatch.delenv(name)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def traced(end_s: float = 600) -> Traces:
    """As one process has it; its last spans get through however busy the machine is."""
    return traces_of(TracingSettings(enabled=True, end_s=end_s))


def job(name: str = "r-1", queued_ms: int = QUEUED_MS) -> Job:
    pair = Pair(person=Url(url="https://shop.example/p.jpg"))
    return Job(
        request_id=RequestId(name), state=JobState.QUEUED, pair=pair, refs={"b": (1,)}, queued_ms=queued_ms
    )


def line(name: str = "r-1", *, row: int = 1, **fields: object) -> ResultLine:
    timings = Timings(queued_at=iso(QUEUED_MS), finished_at=iso(QUEUED_MS + 9_000))
    return ResultLine(
        **{
            "batch": "b",
            "row": row,
            "sku": "S",
            "request_id": name,
            "status": "succeeded",
            "timings": timings,
        }
        | fields
    )


def test_what_two_processes_say_of_a_job_is_one_trace_under_its_root(receiver: Receiver) -> None:
    submit, collect = traced(), traced()
    submit.span(
        job(), "submit", QUEUED_MS + 10.5, QUEUED_MS + 20, outcome="accepted", http_status=200, task_id=None
    )
    submit.close()
    collect.span(job(), "task", QUEUED_MS + 20, QUEUED_MS + 5_000, failed=True, outcome="failed")
    collect.exported([line()], QUEUED_MS - 50)
    collect.close()
    (spans,) = receiver.traces().values()
    named = {span.name: span for span in spans.values()}
    assert named.keys() == {"job", "submit", "task", "export"}
    assert named["job"].parent == ""
    assert {span.parent for name, span in named.items() if name != "job"} == {named["job"].span_id}
    assert {span.attributes["vton.request_id"] for span in named.values()} == {"r-1"}
    posted = named["submit"]
    assert (posted.begun_ns, posted.ended_ns) == (
        (QUEUED_MS * 1000 + 10_500) * 1000,
        (QUEUED_MS + 20) * 1_000_000,
    )
    assert posted.attributes == {
        "vton.request_id": "r-1",
        "vton.outcome": "accepted",
        "http.response.status_code": 200,
    }
    assert [name for name, span in named.items() if span.failed] == ["task"]
    assert named["job"].begun_ns == QUEUED_MS * 1_000_000
    assert named["export"].begun_ns == (QUEUED_MS + 9_000) * 1_000_000


def test_the_same_pair_queued_at_another_time_is_another_trace(receiver: Receiver) -> None:
    traces = traced()
    for queued_ms in (QUEUED_MS, QUEUED_MS + 1):
        traces.span(job(queued_ms=queued_ms), "submit", QUEUED_MS + 10, QUEUED_MS + 20)
    traces.close()
    assert len(receiver.traces()) == 2


def test_a_span_that_is_said_twice_is_the_same_span(receiver: Receiver) -> None:
    for _ in range(2):
        traces = traced()
        traces.span(job(), "submit", QUEUED_MS + 10, QUEUED_MS + 20)
        traces.exported([line(row=1), line(row=2)], QUEUED_MS)
        traces.close()
    assert len(receiver.spans) == 10
    (spans,) = receiver.traces().values()
    assert sorted(span.name for span in spans.values()) == ["export", "export", "job", "submit"]


def test_a_row_that_has_no_picture_says_why_and_whose_it_is(receiver: Receiver) -> None:
    why = RowError(
        kind="moderated", message="refused: https://x.example/?sig=1", retryable=False, owner=Owner.MERCH
    )
    traces = traced()
    traces.exported([line(status="rejected", error=why, task_id=TaskId("t-1"), attempts=1)], QUEUED_MS)
    traces.close()
    root = next(span for span in receiver.spans if span.name == "job")
    assert root.failed
    assert root.attributes == {
        "vton.request_id": "r-1",
        "vton.task_id": "t-1",
        "vton.outcome": "rejected",
        "vton.attempts": 1,
        "vton.error_class": "moderated",
        "vton.error_owner": "merch",
    }
    assert b"x.example" not in b"".join(receiver.raw)


def test_bad_rows_and_those_whose_job_had_ended_before_their_batch_have_no_span(receiver: Receiver) -> None:
    traces = traced()
    traces.exported([line(source="reused"), line(status="failed")], QUEUED_MS + 9_000)
    traces.exported([line(status="invalid", request_id=None, timings=Timings())], QUEUED_MS)
    traces.close()
    assert receiver.spans == []


def test_a_jobs_trace_leads_to_its_batch_and_that_to_whoever_started_the_producer(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", INCOMING)
    producer, worker = traced(), traced()
    producer.fed(BatchId("b"), QUEUED_MS - 50, QUEUED_MS / 1000, {"rows": 1, "queued": 1})
    producer.close()
    worker.exported([line()], QUEUED_MS - 50)
    worker.close()
    named = {span.name: span for span in receiver.spans}
    batch = named["batch"]
    assert batch.attributes == {"vton.batch": "b", "vton.rows": 1, "vton.queued": 1}
    assert named["job"].links == [(batch.trace_id, batch.span_id)]
    assert batch.links == [tuple(INCOMING.split("-")[1:3])]


@pytest.mark.parametrize("parent", ["", "of no form", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_a_traceparent_that_is_none_is_no_link(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    monkeypatch.setenv("TRACEPARENT", parent)
    traces = traced()
    traces.fed(BatchId("b"), QUEUED_MS, QUEUED_MS / 1000, {})
    traces.close()
    assert [span.links for span in receiver.spans] == [[]]


@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio"])
def test_every_process_samples_the_same_jobs_and_these_whole(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    submit, export = traced(), traced()
    for number in range(200):
        submit.span(job(f"r-{number}"), "submit", QUEUED_MS, QUEUED_MS + 20)
    export.exported([line(f"r-{number}") for number in range(200)], QUEUED_MS)
    submit.close()
    export.close()
    found = [sorted(span.name for span in spans.values()) for spans in receiver.traces().values()]
    # Digests of fixed names: the same ones each time.
    assert 30 <= len(found) <= 70
    assert all(names == ["export", "job", "submit"] for names in found)


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_SDK_DISABLED", "true")]
)
def test_the_librarys_own_switches_are_heard(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    traces = traced()
    traces.span(job(), "submit", QUEUED_MS, QUEUED_MS + 20)
    traces.exported([line()], QUEUED_MS)
    traces.close()
    assert receiver.raw == []


def test_each_process_is_named_and_the_environments_names_win(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attributes in ("", "service.name=shop,deployment.environment.name=staging"):
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
        traces = traced()
        traces.span(job(), "submit", QUEUED_MS, QUEUED_MS + 20)
        traces.close()
    plain, named = (span.resource for span in receiver.spans)
    assert plain["service.name"] == "vton"
    assert plain["process.pid"] == os.getpid()
    assert plain["telemetry.sdk.language"] == "python"
    assert named["service.name"] == "shop"
    assert named["deployment.environment.name"] == "staging"


def test_a_receiver_that_answers_with_an_error_is_logged_once_until_it_takes_some(receiver: Receiver) -> None:
    receiver.status = 500
    with structlog.testing.capture_logs() as logged:
        traces = traced()
        for number in range(2):
            traces.span(job(f"r-{number}"), "submit", QUEUED_MS, QUEUED_MS + 20)
            traces._provider.force_flush()  # type: ignore[attr-defined]
        receiver.status = 200
        traces.span(job("r-2"), "submit", QUEUED_MS, QUEUED_MS + 20)
        traces.close()
    assert [each["event"] for each in logged] == ["traces.unsent", "traces.sent"]
    assert logged[-1]["lost"] == 2
    assert [span.attributes["vton.request_id"] for span in receiver.spans] == ["r-2"]


def test_a_receiver_that_hangs_or_is_not_there_does_not_hold_up_the_end(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for the library's own time-out would wait for an hour.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    receiver.hangs = True
    hanging = traced(end_s=0.2)
    hanging.span(job(), "submit", QUEUED_MS, QUEUED_MS + 20)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    absent = traced(end_s=0.2)
    absent.span(job(), "submit", QUEUED_MS, QUEUED_MS + 20)
    with structlog.testing.capture_logs() as logged:
        hanging.close()
        absent.close()
    assert {each["event"] for each in logged} == {"traces.unsent"}
    assert receiver.spans == []


def test_what_opens_the_receiver_is_a_secret_of_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=canary%2Fkey,tenant=a-shop")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Basic%20Y2FuYXJ5")
    found = secrets_of(Settings(tracing=TracingSettings(enabled=True)), Credentials())
    assert found == ["canary%2Fkey", "canary/key", "a-shop", "a-shop", "Basic%20Y2FuYXJ5", "Basic Y2FuYXJ5"]
    assert secrets_of(Settings(), Credentials()) == []


def test_off_it_is_nothing() -> None:
    assert traces_of(TracingSettings()) is UNTRACED
    UNTRACED.span(job(), "submit", 0, 1)
    UNTRACED.exported([line()], 0)
    UNTRACED.fed(BatchId("b"), 0, 0, {})
    UNTRACED.close()


def test_who_wants_traces_without_the_library_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "jobs.tracing.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"pip install 'vton-batch\[otel\]'"):
        traced()


def test_a_clock_goes_on_from_what_the_ledger_told() -> None:
    clock = LedgerClock(told_ms=QUEUED_MS)
    first, second = clock.ms(), clock.ms()
    assert QUEUED_MS <= first <= second


@pytest.mark.parametrize("queue", ["submit", "collect"])
def test_off_a_worker_loads_nothing_of_opentelemetry(quiet: dict[str, str], queue: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "worker", queue, "1"], env=quiet, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr
        said = []
        for each in worker.stderr:
            said.append(each)
            if "worker.started" in each:
                break
        worker.terminate()
        said += worker.stderr
    assert worker.returncode == 0
    assert _of_traces(said) == ["jobs.tracing"]


def test_off_a_producer_loads_nothing_of_opentelemetry(quiet: dict[str, str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("sku,person,dress\nS,https://shop.example/p.jpg,https://shop.example/d.jpg\n")
    command = [Path(sys.executable).with_name("vton"), "enqueue", manifest]
    ended = subprocess.run(command, env=quiet, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert _of_traces(ended.stderr.splitlines()) == ["jobs.tracing"]


@pytest.fixture
def quiet(ledger: Ledger, queue: Queue, redis_settings: RedisSettings, tmp_path: Path) -> dict[str, str]:
    """An environment in which Python says what it loads, and how traces would be sent were they on."""
    del ledger, queue  # which remove the keys
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VTON_", "OTEL_"))}
    return env | {
        "PYTHONPROFILEIMPORTTIME": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "HIDREAM_TOKEN": "sk-of-a-test",
        "VTON_REDIS__URL": redis_settings.url.get_secret_value(),
        "VTON_REDIS__PREFIX": redis_settings.prefix,
        "VTON_DATA_DIR": str(tmp_path / "data"),
    }


def _of_traces(said: Iterable[str]) -> list[str]:
    """The modules that were loaded of what traces need; `opentelemetry.metrics` stands there when it was left out, too."""
    loaded = [each.rpartition("|")[2].strip() for each in said if each.startswith("import time:")]
    assert "redis" in loaded
    needed = ("opentelemetry.context", "opentelemetry.trace", "google", "requests", "jobs.tracing")
    return [name for name in loaded if name.startswith(needed)]
