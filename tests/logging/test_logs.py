"""What a log line looks like, and what it must never hold."""

import ast
import io
import json
import logging
import re
import signal
import threading
import warnings
from pathlib import Path

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import LogSettings
from jobs.logging.redaction import REDACTED, scrub
from jobs.logging.setup import configure, redact

ROOT = Path(__file__).parents[2]
CANARY = "canary-4711-never-show"
BASE64 = "iVBORw0KGgoAAAANSUhEUgAA" * 20


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture
def out():
    stream = io.StringIO()
    configure(LogSettings(level="debug", format="json"), stream=stream)
    return stream


def lines(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_time_level_and_event_first(out):
    structlog.get_logger().info("submit.accepted", task_id="7", seconds=0.5)
    (line,) = lines(out)
    assert list(line)[:3] == ["ts", "level", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert line["level"] == "info"
    assert line["task_id"] == "7"
    assert line["seconds"] == 0.5


def test_ids_bound_to_the_context_stand_in_every_line(out):
    with structlog.contextvars.bound_contextvars(batch="b", request_id="r"):
        structlog.get_logger().info("task.succeeded")
        logging.getLogger("dramatiq").info("from a library")
    ours, theirs = lines(out)
    assert (ours["batch"], ours["request_id"]) == ("b", "r")
    assert (theirs["batch"], theirs["logger"], theirs["event"]) == ("b", "dramatiq", "from a library")


def test_the_level_holds_for_our_events_and_for_libraries():
    stream = io.StringIO()
    configure(LogSettings(level="warning", format="json"), stream=stream)
    structlog.get_logger().info("submit.accepted")
    logging.getLogger("x").info("quiet")
    structlog.get_logger().warning("gate.throttled")
    assert [line["event"] for line in lines(stream)] == ["gate.throttled"]


def test_auto_is_json_where_there_is_no_terminal_and_a_console_where_there_is_one():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    plain, terminal = io.StringIO(), Terminal()
    configure(LogSettings(), stream=plain)
    structlog.get_logger().info("worker.started")
    configure(LogSettings(), stream=terminal)
    structlog.get_logger().info("worker.started", token=CANARY, sku="\x1b[2Jx")
    assert plain.getvalue().startswith("{")
    assert "worker.started" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert CANARY not in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()


def test_configuring_twice_writes_each_record_once(out):
    again = io.StringIO()
    configure(LogSettings(format="json"), stream=again)
    logging.getLogger("uvicorn.error").warning("once")
    assert out.getvalue() == ""
    assert len(lines(again)) == 1


def test_httpx_does_not_log_addresses_at_info(out):
    logging.getLogger("httpx").info("HTTP Request: GET http://h/x?sig=1")
    logging.getLogger("httpcore.connection").debug("connect")
    assert out.getvalue() == ""


def test_python_warnings_become_lines(out):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("odd", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "UserWarning: odd" in lines(out)[0]["event"]


def test_a_traceback_is_one_line_without_the_values_of_variables(out):
    hidden = "local" + "-value"
    try:
        int(f"x{len(hidden)}")
    except ValueError:
        structlog.get_logger().exception("actor.failed")
        logging.getLogger("dramatiq").exception("failed")
    assert len(out.getvalue().splitlines()) == 2
    for line in lines(out):
        assert line["level"] == "error"
        assert "ValueError: invalid literal" in line["exception"]
        assert "local-value" not in line["exception"]


def fail_twice():
    try:
        int(CANARY)
    except ValueError as error:
        raise RuntimeError(f"after {CANARY}") from error


def test_a_registered_secret_appears_nowhere(out, monkeypatch):
    # pytest's own handlers raise on the misfit below.
    ours = [
        handler
        for handler in logging.getLogger().handlers
        if type(handler).__module__ == "jobs.logging.setup"
    ]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)
    redact(CANARY)
    redact("")
    log = structlog.get_logger()
    log.info(CANARY, row=1)
    log.info("positional %s %d", CANARY, 3)
    log.info("nested", inside={"deep": [{CANARY: (CANARY, {CANARY})}]}, error=RuntimeError(CANARY))
    log.info("bytes", body=CANARY.encode(), path=Path("/x") / CANARY)
    logging.getLogger("lib").warning("said %s and %r", CANARY, {"a": CANARY})
    logging.getLogger("lib").warning("misfit %d", CANARY)
    try:
        fail_twice()
    except RuntimeError:
        log.exception("actor.failed")
        logging.getLogger("lib").exception("said")
    assert len(lines(out)) == 8
    assert CANARY not in out.getvalue()
    assert "positional [redacted] 3" in out.getvalue()


def test_a_secret_inside_another_secret_leaves_nothing_of_the_longer_one(out):
    redact("inner-part-99")
    redact("outer-inner-part-99-outer")
    structlog.get_logger().info("x", text="see outer-inner-part-99-outer here")
    assert lines(out)[0]["text"] == f"see {REDACTED} here"


@pytest.mark.parametrize(
    "key",
    ["token", "Authorization", "api_key", "Api-Key", "secret", "password", "redis_password", "hidream-token"],
)
def test_the_value_of_a_key_named_like_a_secret_is_not_shown(out, key):
    structlog.get_logger().info(
        "x", **{key: "unheard-of-value"}, inside={key: "unheard-of-value"}, task_id="7"
    )
    assert "unheard-of-value" not in out.getvalue()
    assert lines(out)[0]["task_id"] == "7"


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        ("redis://user:hunter2@cache:6379/0", "hunter2", "cache:6379"),
        ("redis://:p@ss@cache/0", "p@ss", "cache/0"),
        ("GET https://cdn.example/a.jpg?Signature=abc#frag ok", "abc", "cdn.example/a.jpg"),
        ("https://h/cb#access=abc", "access", "h/cb"),
        ('127.0.0.1 - "POST /x/y?key=abc HTTP/1.1" 404', "abc", "404"),
        ("https://shop/hooks/callbacks/job-1/1764000000/0123456789abcdef", "0123456789abcdef", "job-1"),
        ("Authorization: Bearer abc.def", "abc.def", "Authorization"),
        ("{'authorization': 'Bearer abc.def'}", "abc.def", "authorization"),
        ("[(b'Authorization', b'Bearer abc.def')]", "abc.def", "Authorization"),
        ("Api-Key: abcdef", "abcdef", "Api-Key"),
        ('{"token": "abcdef", "n": 1}', "abcdef", '"n": 1'),
        ("access_token=abcdef&n=1", "abcdef", "n=1"),
        ("it was sk-0123456789abcdef then", "0123456789", "then"),
        ("bearer abcdefgh12345", "abcdefgh", "bearer"),
        (f'"person": "{BASE64}", "n": 1', "iVBORw0KGgo", '"n": 1'),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_its_surroundings_stay(out, text, hidden, kept):
    structlog.get_logger().info("x", text=text)
    logging.getLogger("lib").warning("%s", text)
    logging.getLogger("lib").warning("x", exc_info=(ValueError, ValueError(text), None))
    assert hidden not in out.getvalue()
    assert all(kept in str(line) for line in lines(out))


def test_wrapped_base64_is_hidden():
    wrapped = "\n".join(BASE64[i : i + 76] for i in range(0, 456, 76))
    assert "iVBORw" not in scrub(f"body:\n{wrapped}")


@pytest.mark.parametrize(
    "text", ["row 3/4 #5?", "a token was renewed", "images/AW26-1.jpg", "sku AB-1: what? no"]
)
def test_ordinary_text_passes_unchanged(text):
    assert scrub(text) == text


def test_an_httpx_error_does_not_carry_its_address_into_the_log(out):
    with httpx.Client(transport=httpx.HTTPTransport(), trust_env=False) as client:
        try:
            client.get("http://user:hunter2@127.0.0.1:1/x?sig=abc")
        except httpx.ConnectError as error:
            structlog.get_logger().exception("poll.failed", error=error, request=str(error.request.url))
    assert "hunter2" not in out.getvalue()
    assert "sig=abc" not in out.getvalue()


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.lists(st.text()) | st.none()))
def test_any_event_is_exactly_one_line_of_json(content):
    content.pop("event", None)
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    structlog.get_logger().info("x", **content)
    (line,) = lines(stream)
    assert stream.getvalue().endswith("}\n")
    assert line["event"] == "x"


def test_lone_surrogates_and_line_separators_are_escaped_and_chinese_is_not(out):
    structlog.get_logger().info("x", name="a\udcffb\u2028c")
    structlog.get_logger().info("x", name="连衣裙")
    escaped, readable = out.getvalue().splitlines()
    assert escaped.isascii()
    assert "连衣裙" in readable


def test_an_endless_value_is_cut(out):
    structlog.get_logger().info("x", text="ab " * 100_000)
    assert len(out.getvalue()) < 20_000


def test_threads_write_whole_lines():
    class Torn(io.StringIO):
        """A stream that would let other threads in between the halves of a line."""

        def write(self, text):
            half = len(text) // 2
            super().write(text[:half])
            threading.Event().wait(0)
            return super().write(text[half:])

    barrier = threading.Barrier(8)
    stream = Torn()
    configure(LogSettings(format="json"), stream=stream)

    def work(number):
        barrier.wait()
        for index in range(100):
            structlog.get_logger().info("task.succeeded", number=number, index=index)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(line["number"], line["index"]) for line in lines(stream)}) == 800


@pytest.mark.parametrize("log", [structlog.get_logger(), logging.getLogger("lib")], ids=["ours", "theirs"])
def test_a_signal_in_the_middle_of_a_line_whose_handler_logs_hangs_nothing(log):
    class Interrupted(io.StringIO):
        """A stream in whose write the process gets a signal."""

        signalled = False

        def write(self, text):
            if not self.signalled:
                self.signalled = True
                signal.raise_signal(signal.SIGUSR1)
            return super().write(text)

    stream = Interrupted()
    configure(LogSettings(format="json"), stream=stream)
    before = signal.signal(signal.SIGUSR1, lambda *_: log.warning("Stopping worker process..."))
    try:
        log.warning("submit.busy")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [line["event"] for line in lines(stream)] == ["submit.busy", "Stopping worker process..."]


@pytest.mark.parametrize("log", [structlog.get_logger(), logging.getLogger("lib")], ids=["ours", "theirs"])
def test_a_signal_while_another_thread_writes_is_not_kept_waiting_and_its_line_is_written(log):
    writing, go_on = threading.Event(), threading.Event()

    class Slow(io.StringIO):
        def write(self, text):
            writing.set()
            assert go_on.wait(10)
            return super().write(text)

    stream = Slow()
    configure(LogSettings(format="json"), stream=stream)
    other = threading.Thread(target=log.warning, args=("submit.accepted",))
    other.start()
    assert writing.wait(10)
    log.warning("worker.stopped")
    go_on.set()
    other.join(10)
    assert [line["event"] for line in lines(stream)] == ["submit.accepted", "worker.stopped"]


def test_a_stream_that_has_only_ascii_gets_json_all_the_same():
    class Ascii(io.StringIO):
        encoding = "ascii"

    stream = Ascii()
    configure(LogSettings(format="json"), stream=stream)
    structlog.get_logger().info("row.invalid", sku="Käse 连衣裙 👗")
    assert stream.getvalue().isascii()
    assert lines(stream)[0]["sku"] == "Käse 连衣裙 👗"


def test_a_full_disk_under_the_log_does_not_stop_the_work():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    configure(LogSettings(format="json"), stream=Full())
    structlog.get_logger().info("worker.started")
    logging.getLogger("lib").warning("x")


#: Event, its levels and meaning of each line of the catalogue.
CATALOGUE = re.findall(
    r"^\| `([a-z_]+\.[a-z_]+)` \| ([\w, ]+) \| (.+) \|$",
    (ROOT / "docs" / "logs.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
EVENTS = {name for name, _, _ in CATALOGUE}
LEVELS_OF = {(name, level) for name, levels, _ in CATALOGUE for level in levels.split(", ")}


def test_the_catalogue_has_each_event_once_with_its_level_and_what_it_means():
    assert len(EVENTS) == len(CATALOGUE) > 60
    assert {level for _, level in LEVELS_OF} == {"debug", "info", "warning", "error"}


LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def texts(node):
    return [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def logged_in(function):
    """Every text that may be the event of a log call in a function, with its level; its own functions left out."""
    assigned, names = {}, set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                assigned.setdefault(name, []).extend(texts(value))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=level),
                args=[event, *_],
            ) if level in LEVELS and name.rstrip("_").endswith(("log", "logger")):
                names.add((event.id, level)) if isinstance(event, ast.Name) else None
                yield from ((text, level) for text in texts(event))
            case ast.Call(
                func=ast.Attribute(value=ast.Call(), attr=level), args=[ast.Constant(value=str(event)), *_]
            ):
                # structlog.get_logger().exception("…")
                if level in LEVELS:
                    yield event, level
    for name, level in names:
        yield from ((text, level) for text in assigned.get(name, []))


def logged_events():
    """Where, which event, at which level, as the catalogue writes it."""
    for path in sorted([*ROOT.glob("jobs/**/*.py"), *ROOT.glob("worker/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for event, level in logged_in(node):
                    if re.fullmatch(r"[a-z_]+\.[a-z_]+", event):
                        where = f"{path.relative_to(ROOT)}:{node.name}"
                        yield where, event, level.replace("exception", "error")


def test_every_event_that_the_code_logs_is_catalogued_with_its_level():
    assert [one for one in logged_events() if one[1:] not in LEVELS_OF] == []


def test_every_event_of_the_catalogue_is_logged_somewhere_at_each_of_its_levels():
    assert LEVELS_OF - {one[1:] for one in logged_events()} == set()
