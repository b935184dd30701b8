"""One list per record: what scripts read and write in a hash is what a record knows; what is stored stays as it was."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jobs
from jobs.ledger.codec import UNREADABLE, decode, decode_job, encode, job_fields, names_of
from jobs.ledger.records import BadCell, BatchRecord, GateState, Heard, RowRecord, ScriptFields
from jobs.records import Failure, FlagValues, Job, JobState, Latency, LocalFile, Owner, Pair, Picture, Url
from jobs.results.lines import read_line, written
from tests.driver import Driver

SCRIPTS = {
    path.relative_to(Path(jobs.__file__).parent).as_posix(): path.read_text(encoding="utf-8")
    for path in Path(jobs.__file__).parent.glob("*/lua/*.lua")
}
PRELUDE = SCRIPTS["ledger/lua/prelude.lua"]
#: Hash → the records that know its fields.
RECORDS = {"job": (Job, ScriptFields), "batch": (BatchRecord,), "gate": (GateState, Heard, Latency)}
#: How a script names a hash, when not by `key('job', …)`.
LOCALS = {"job": "job", "gate": "gate", "b": "batch"}
#: A step that begins anew leaves these: what is wanted, what stays spent and known, and what the next task writes over.
KEPT = {
    "state",
    "pair",
    "refs",
    "attempts",
    "polls",
    "source",
    "pictures",
    "past",
    "orders",
    "settled",
    "queued_ms",
    "v",
    "op",
    "batch",
}

CALL = re.compile(r"redis\.p?call\('(H\w+)', (?:key\('(\w+)'[^()]*(?:\([^()]*\))?\)|(\w+))(?=,)")


def known(kind: str) -> set[str]:
    found = {name for record in RECORDS[kind] for name in names_of(record)}
    return found - {"request_id", "counts"}


def used() -> Iterator[tuple[str, str, str]]:
    """Script, hash and field of each command that names a field."""
    for script, text in SCRIPTS.items():
        for call in CALL.finditer(text):
            command, kind, local = call.groups()
            hash_kind = kind or LOCALS.get(local, "")
            if hash_kind not in RECORDS:
                continue
            arguments = _arguments(text[call.end() :])
            step = 2 if command == "HSET" else 1
            only = 1 if command in {"HGET", "HSETNX", "HINCRBY", "HEXISTS"} else len(arguments)
            for argument in arguments[:only:step]:
                if word := re.fullmatch(r"'([\w:]+)'", argument.strip()):
                    yield script, hash_kind, word[1]


def _arguments(text: str) -> list[str]:
    """What stands between the commas up to the call's own bracket."""
    found, depth, quoted, start = [], 0, False, 1
    for at, letter in enumerate(text):
        quoted ^= letter == "'"
        depth += (letter in "({") - (letter in ")}") if not quoted else 0
        if depth < 0 or (letter == "," and not depth and not quoted and at):
            found.append(text[start:at])
            start = at + 1
        if depth < 0:
            break
    return found


def cleared() -> dict[str, set[str]]:
    """The prelude's list of what is cleared when."""
    (table,) = re.findall(r"local function cleared\(\)\n  return \{\n(.*?)\n  \}\nend", PRELUDE, re.DOTALL)
    lists = dict(re.findall(r"^    (\w+) = \{((?:[^{}]|\{[^{}]*\})*)\},$", table, re.MULTILINE))

    def fields(name: str) -> set[str]:
        own, _, parts = lists[name].partition("with =")
        words = re.findall(r"'(\w+)'", own)
        return set(words).union(*(fields(part) for part in re.findall(r"'(\w+)'", parts)))

    return {name: fields(name) for name in lists}


@pytest.mark.parametrize("kind", RECORDS)
def test_every_field_that_a_script_names_is_one_that_a_record_knows(kind: str) -> None:
    named = {(script, field) for script, of, field in used() if of == kind and not field.startswith("n:")}
    assert len(named) > 10, "the scripts are read"
    assert {(script, field) for script, field in named if field not in known(kind)} == set()


def test_what_is_cleared_are_fields_of_a_job_and_what_begins_anew_leaves_only_what_is_listed() -> None:
    lists = cleared()
    assert set().union(*lists.values()) <= known("job")
    assert known("job") - lists["renewed"] == KEPT
    assert lists["answered"] < lists["asked"] < lists["renewed"]
    assert lists["queued"] < lists["renewed"]
    named = {
        name
        for text in SCRIPTS.values()
        for name in re.findall(r"(?:clear|forget_task)\(rid, '(\w+)'\)", text)
    }
    assert lists.keys() - named == {"turned_away", "trouble"}, "parts of others"


def test_what_was_learnt_is_answered_in_the_order_of_its_record() -> None:
    (learnt,) = re.findall(
        r"local function learnt\(\)\n  return redis.call\('HMGET', key\('gate'\), ([^)]*)\)", PRELUDE
    )
    assert tuple(re.findall(r"\w+", learnt)) == names_of(Latency)
    (heard,) = re.findall(
        r"learnt\(\), redis.call\('HMGET', key\('gate'\), ([^)]*)\)", SCRIPTS["ledger/lua/take_due.lua"]
    )
    assert tuple(re.findall(r"\w+", heard)) == names_of(Heard)


#: A job as version 0.1 wrote it.
STORED = {
    "state": "succeeded",
    "v": "5",
    "pair": '{"person":["/shop/a.jpg","ab"],"dress":"https://shop.example/d.jpg"}',
    "refs": "monday=1,3;tuesday=2",
    "task_id": "t",
    "subs": '["s1","s2"]',
    "urls": "",
    "past": "t0 t1",
    "begun_ms": "1790000000000",
    "pictures": '[{"name":"ab.jpg","url":"https://x/a","sha256":"ab","width":8,"height":9,"bytes":10,"newer":1}]',
    "failure": '{"kind":"no_result","message":"why","retryable":true,"owner":"vendor"}',
    "hinted": "1",
    "unheard_of": "x",
}  # fmt: skip


def test_a_job_that_an_earlier_version_wrote_is_read() -> None:
    picture = Picture(name="ab.jpg", url="https://x/a", sha256="ab", width=8, height=9, bytes=10)
    assert decode_job("id", STORED) == Job(
        request_id="id",
        state=JobState.SUCCEEDED,
        pair=Pair(
            person=LocalFile(path="/shop/a.jpg", sha256="ab"), dress=Url(url="https://shop.example/d.jpg")
        ),
        refs={"monday": (1, 3), "tuesday": (2,)},
        version=5,
        task_id="t",
        sub_task_ids=("s1", "s2"),
        past_task_ids=("t0", "t1"),
        posted_ms=1_790_000_000_000,
        pictures=(picture,),
        failure=Failure(kind="no_result", message="why", retryable=True, owner=Owner.VENDOR),
        hinted=True,
    )


def test_a_job_that_is_nobodys_is_read_and_one_that_does_not_know_whose_it_is_is_not() -> None:
    assert decode_job("id", STORED | {"refs": ""}).refs == {}
    failure = decode_job("id", {name: text for name, text in STORED.items() if name != "refs"}).failure
    assert failure is not None
    assert failure.kind == UNREADABLE


def test_what_is_stored_of_a_job_stays_byte_for_byte() -> None:
    picture = Picture(name="ab.jpg", url="https://x/衣", sha256="ab", width=8, height=9, bytes=10)
    failure = Failure(kind="k", message='"why"', retryable=True, owner=Owner.OPS)
    stored = job_fields(
        pictures=(picture,),
        failure=failure,
        picture_urls=(),
        past_task_ids=("a", "b"),
        refused_ms=None,
        errors=0,
    )
    assert stored == {
        "pictures": '[{"name":"ab.jpg","url":"https://x/衣","sha256":"ab","width":8,"height":9,"bytes":10}]',
        "failure": '{"kind":"k","code":null,"message":"\\"why\\"","retryable":true,"owner":"ops"}',
        "urls": "",
        "past": "a b",
        "refused_ms": "",
        "errors": "0",
    }


def test_a_row_is_stored_as_it_was_and_its_job_stands_first() -> None:
    row = RowRecord(job="id", line=2, sku="A", fields={"sku": "A", "目": "衣"})
    assert encode(row) == '{"job":"id","line":2,"sku":"A","fields":{"sku":"A","目":"衣"}}'
    bad = RowRecord(line=2, sku="", fields={}, bad=BadCell(column="", why="empty"))
    assert encode(bad) == '{"line":2,"sku":"","fields":{},"bad":{"column":"","why":"empty"}}'
    older = '{"line":2,"sku":"A","fields":{},"inputs":{"dress":"d.jpg"},"job":"id"}'
    assert decode(older, RowRecord) == RowRecord(
        job="id", line=2, sku="A", fields={}, inputs={"dress": "d.jpg"}
    )


@given(text=st.text(st.characters(categories=None)))
def test_any_text_is_stored_as_before_and_comes_back(text: str) -> None:
    before = json.dumps({"column": "", "why": text}, separators=(",", ":"), ensure_ascii=False)
    stored = encode(BadCell(column="", why=text))
    assert stored == re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", before)
    assert decode(stored.encode().decode(), BadCell).why == text


#: Lines of results.jsonl as version 0.1 wrote them.
LINES = [
    (
        '{"batch": "monday", "row": 1, "line": 2, "sku": "A", "request_id": "id", "status": "succeeded", "tas'
        'k_id": "t", "sub_task_ids": ["s1"], "past_task_ids": [], "attempts": 1, "images": [{"path": "images/'
        'A_0001.jpg", "url": "https://x/ä", "sha256": "ab", "width": 8, "height": 9, "bytes": 10}], "error": '
        'null, "timings": {"queued_at": "2026-11-27T01:00:00.000Z", "posted_at": null, "submitted_at": null, '
        '"finished_at": null, "task_s": 12.3}, "source": "poll", "inputs": {"person": "https://x/p", "upper_c'
        'lothes": null, "lower_clothes": null, "dress": "/d"}, "extra": {"a": "1,\\"2", "n": null}}'
    ),
    (
        '{"batch": "monday", "row": 2, "line": 3, "sku": "", "request_id": null, "status": "invalid", "task_i'
        'd": null, "sub_task_ids": [], "past_task_ids": [], "attempts": 0, "images": [], "error": {"class": "'
        'row_invalid", "code": null, "message": "empty", "retryable": false, "owner": "merch"}, "timings": {"'
        'queued_at": null, "posted_at": null, "submitted_at": null, "finished_at": null, "task_s": null}, "so'
        'urce": null, "inputs": {"person": null, "upper_clothes": null, "lower_clothes": null, "dress": null}'
        ', "extra": {}}'
    ),
]


@pytest.mark.parametrize("text", LINES)
def test_a_result_line_is_written_byte_for_byte_as_it_was_read(text: str) -> None:
    line = read_line(text.encode())
    assert line is not None
    # The keys that were added since stand behind it, and behind those of each picture.
    then = text.replace('"bytes": 10}', '"bytes": 10, "marks": []}')
    measures = ", ".join(f'"{name}": null' for name in FlagValues.__struct_fields__)
    last = f'"measures": {{{measures}}}, "settled": [], "version": 1, "versions": [], "file": ""'
    assert written(line) == f'{then[:-1]}, "review": [], "flags": [], {last}}}'


def test_the_checkpoint_behind_the_lines_of_an_earlier_version_is_no_line() -> None:
    assert read_line(b'{"checkpoint": "1-0", "check": 7, "ledger": "x"}\n') is None


def test_a_batch_that_an_earlier_version_opened_is_read(driver: Driver) -> None:
    driver.ledger.client.hset(
        driver.ledger.key("batch", "old"),
        mapping={
            "created_ms": "5",
            "rows": "3",
            "open": "1",
            "n:queued": "1",
            "n:unknown": "2",
            "spent": "3",
            "bom": "",
        },
    )
    status = driver.ledger.status("old")
    assert (status.counts, status.sealed, status.completed_ms) == ({"queued": 1, "unknown": 2}, False, None)
    assert (status.ordered, status.charged_for_sure, status.perhaps_charged) == (3, 1, 2)


def test_a_pause_without_a_word_is_a_pause(driver: Driver) -> None:
    driver.gate(paused="", closed_until="1790000000000", breaker_asked=1)
    gate = driver.ledger.gate()
    assert (gate.paused, gate.closed_until, gate.breaker_asked, gate.breaker) == (
        "",
        1_790_000_000_000,
        True,
        None,
    )
