"""Batches in a real ledger, brought to their end without a worker: the files are made from what the ledger says."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.config.settings import LimitSettings, PictureSettings
from jobs.identity import batch_id as identify
from jobs.ledger import Ledger, steps
from jobs.manifest import open_manifest
from jobs.pictures.check import LocalPictures
from jobs.producing.planning import Planner
from jobs.producing.producer import Producer
from jobs.producing.queue import Queue
from jobs.records import BatchId, Failure, Job, JobState, Owner, Picture, TaskId
from jobs.results.claim import output_place
from jobs.results.exporter import Exporter
from tests.on_loop import gate_of

_LIMITS = LimitSettings(in_flight=10_000, images_per_minute=1e9)


@dataclass
class Books:
    """A ledger of its own, a picture store and an output folder."""

    folder: Path
    ledger: Ledger
    queue: Queue
    _tasks: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def store(self) -> Path:
        return self.folder / "pictures"

    @property
    def exporter(self) -> Exporter:
        return Exporter(self.ledger, output_dir=self.out, picture_store=self.store)

    def exporting(self, output: Path) -> Exporter:
        """An exporter of another process, into a folder of its own."""
        return Exporter(self.ledger, output_dir=output, picture_store=self.store)

    def feed(self, content: str | bytes, name: str = "night.csv", output: Path | None = None) -> BatchId:
        """`output`: the folder that a run was given for its results."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        manifest = open_manifest(str(path))
        planner = Planner(LocalPictures(PictureSettings(), manifest.folder).source)
        batch_id = identify(manifest.name, manifest.digest)
        place = output_place(output) if output else ""
        producer = Producer(self.ledger, self.queue, planner, file_name=name, output=place)
        producer.feed(manifest, batch_id)
        return batch_id

    def finish(
        self, outcome: Callable[[Job], JobState] = lambda _job: JobState.SUCCEEDED, *, most: int = 10**6
    ) -> int:
        """Brings waiting jobs to their end, at most so many; returns how many."""
        gate = gate_of(self.ledger, _LIMITS, submit_timeout_s=60)
        for done in range(most):
            permit = gate.acquire()
            if permit is None:
                return done
            assert gate.begin(permit) == "go"
            self._end(permit.job, permit.claim, outcome(permit.job))
        return most

    def _end(self, job: Job, claim: str, state: JobState) -> None:
        failure = Failure(kind="no_result", message="nothing came", retryable=True, owner=Owner.VENDOR)
        if state is JobState.UNKNOWN:
            assert self.ledger.run(steps.hold(job.request_id, claim, failure))
            return
        task = TaskId(f"t{next(self._tasks)}")
        self.ledger.run(steps.accept(job.request_id, claim, task, [f"{task}-0"], first_poll_ms=10))
        if state is JobState.SUCCEEDED:
            assert self.ledger.run(
                steps.ended(job.request_id, task, ["https://cdn.example/x.jpg"], "poll", 100.0)
            )
            assert self.ledger.run(steps.succeed(job.request_id, [self.saved(task)], None))
        elif state is JobState.REJECTED:
            moderated = Failure(kind="moderated", message="nudity", retryable=False, owner=Owner.MERCH)
            assert self.ledger.run(steps.fail(job.request_id, moderated, JobState.REJECTED))
        else:
            assert self.ledger.run(steps.fail(job.request_id, failure))

    def saved(self, text: str) -> Picture:
        """A picture in the store whose bytes no other text has."""
        out = io.BytesIO()
        Image.new("RGB", (64, 64), (200, 120, 40)).save(out, "JPEG", comment=text.encode())
        content = out.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        target = self.store / digest[:2] / f"{digest}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return Picture(
            name=target.name,
            url=f"https://cdn.example/{text}.jpg",
            sha256=digest,
            width=64,
            height=64,
            bytes=len(content),
        )

    def lines(self, batch_id: BatchId) -> list[dict[str, Any]]:
        """results.jsonl by row; every line is a row's."""
        found = [
            json.loads(line) for line in (self.out / batch_id / "results.jsonl").read_text().splitlines()
        ]
        assert all(isinstance(line["row"], int) and line["status"] for line in found)
        return sorted(found, key=lambda line: line["row"])

    def table(self, batch_id: BatchId, name: str = "results.csv") -> list[list[str]]:
        with (self.out / batch_id / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))

    def summary(self, batch_id: BatchId) -> dict[str, Any]:
        return json.loads((self.out / batch_id / "summary.json").read_text())


@pytest.fixture
def books(ledger: Ledger, queue: Queue, tmp_path: Path) -> Books:
    return Books(folder=tmp_path, ledger=ledger, queue=queue)
