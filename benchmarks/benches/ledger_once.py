"""Jobs through all steps by a build's own scripts: `REDIS_URL JOBS`; what a finished one takes in Redis, as JSON on stdout.

Runs by its path with any build since 0.1 on PYTHONPATH, so that both are measured alike.
"""

import importlib
import json
import sys
from collections import Counter
from hashlib import sha256
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

import redis

from jobs import records
from jobs.ledger import Ledger, steps
from jobs.ledger.script import Call, script

#: Since the gate has a package of its own in `jobs`.
_NEW = find_spec("jobs.gate") is not None
_GATE = "jobs.gate" if _NEW else "worker.gate"
_Picture: Any = records.Picture if _NEW else records.SavedPicture  # type: ignore[attr-defined]
_BATCH = "autumn-catalogue-1a2b3c4d"
_COLUMNS = ("sku", "person", "upper_clothes")
_FAR_MS = 10**15


def _admissions(jobs: int) -> list[Any]:
    planning: Any = importlib.import_module("jobs.producing.planning" if _NEW else "jobs.planning")
    planner = planning.Planner(lambda text: records.Url(url=text))
    rows = []
    for at in range(jobs):
        person = f"https://cdn.example.com/people/model-{at % 12:02d}.jpg"
        cells = (f"SKU-{at:06d}", person, f"https://cdn.example.com/garments/sku-{at:06d}/front.jpg")
        fields = dict(zip(_COLUMNS, cells, strict=True))
        inputs = {name: fields[name] for name in _COLUMNS[1:]}
        row = records.Row(number=at + 1, line=at + 2, sku=cells[0], inputs=inputs, fields=fields)
        rows.append(planning.admission(planner.plan(row)))
    return rows


def _succeed(ledger: Ledger, ledger_id: str) -> None:
    """The next job, polled twice before its task is over."""
    token, task, sub = (uuid4().hex for _ in range(3))
    day, seen = ([], [0]) if _NEW else (["2026-11-28"], [])
    args = (token, "", 1000, "1.000", 0, 0, *day, 120_000, _FAR_MS, 60_000, 20_000, *seen)
    granted = ledger.run(Call(script(_GATE, "permit"), args, list))
    name = granted[1]
    begun = (name, token, 80_000, ledger_id, _FAR_MS, 1, 60_000)
    assert ledger.run(Call(script(_GATE, "begin"), begun, list))[0] == 1
    ledger.run(steps.accept(name, token, records.TaskId(task), [sub], first_poll_ms=60_000))
    for _ in range(2):
        ledger.run(steps.defer(name, 1000, task_id=records.TaskId(task)))
    url = f"http://127.0.0.1:8790/image/{sub}.jpg"
    assert ledger.run(steps.ended(name, records.TaskId(task), [url], "poll", 12_000.0))
    digest = sha256(sub.encode()).hexdigest()
    picture = _Picture(name=f"{digest}.jpg", url=url, sha256=digest, width=768, height=1024, bytes=93_123)
    assert ledger.run(steps.succeed(name, [picture], None))


def main(url: str, jobs: int) -> None:
    """Empties the database, finishes the jobs, and adds up what is left of them."""
    client = redis.Redis.from_url(url, decode_responses=True)
    client.flushdb()
    ledger = Ledger(client, "vton")
    charged = {"charged": "0"} if _NEW else {}
    columns = json.dumps(_COLUMNS)
    batch_id = records.BatchId(_BATCH)
    ledger.open_batch(
        batch_id, manifest="autumn-catalogue.csv", content="ab" * 32, columns=columns, **charged
    )
    rows = _admissions(jobs)
    for first in range(0, jobs, 500):
        ledger.admit(batch_id, rows[first : first + 500])
    ledger.seal(batch_id)
    ledger_id = str(client.hget("vton:meta", "id"))
    for _ in range(jobs):
        _succeed(ledger, ledger_id)
    taken: Counter[str] = Counter()
    for key in client.scan_iter(count=1000):
        # What was answered expires, and is no job's.
        if client.ttl(key) < 0:
            taken[key.split(":")[1]] += int(client.memory_usage(key, samples=0) or 0)
    numbers = {kind: taken[kind] / jobs for kind in ("job", "rows", "tasks", "out")}
    print(json.dumps(numbers | {"all": taken.total() / jobs}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
