"""Answers to a submit that say nothing, or the wrong thing, of what was bought."""

import time
from functools import partial
from pathlib import Path

from tests.faults.doubles import (
    Rule,
    against_double,
    double_of,
    ending,
    expect,
    gate_words,
    kinds,
    rule,
    struck,
    tasks_made,
)
from tests.faults.outcome import Outcome, scenario
from tests.faults.rig import Rig
from tests.faults.scene import Setup
from tests.faults.verdict import judge

AREA = "the vendor's answers to a submit"


def answered(
    folder: Path,
    rules: list[Rule],
    *,
    jobs: int = 150,
    unknown: int = 0,
    setup: Setup | None = None,
) -> Outcome:
    """One batch under rules; so many jobs must be `unknown`, all others succeed, and nothing is bought twice."""
    with Rig(folder, setup or against_double(in_flight=10)) as rig:
        double_of(rig).set_faults(rules)
        batch = rig.enqueue("batch", range(jobs))
        rig.finish(batch, within_s=240)
        reported = ending(rig, batch)
        wanted = {"succeeded": jobs - unknown} | ({"unknown": unknown} if unknown else {})
        broken = expect(rig, batch, **wanted)
        broken += tasks_made(rig, jobs)
        found = kinds(rig, batch)
        return Outcome(
            verdict=judge(rig, batch, unknown_at_most=unknown),
            faults=struck(rig),
            ending=reported,
            broken=broken,
            note=f"failures by kind: {found}" if found else "",
        )


def after(folder: Path, *, status: int, jobs: int = 150, body: str = "html") -> Outcome:
    """The task is made, then a gateway's own word comes instead of the answer."""
    ordinals = [jobs * part // 8 for part in (1, 3, 5, 7)]
    one = rule("submit", "status", status=status, after=True, body=body, when={"ordinals": ordinals})
    return answered(folder, [one], jobs=jobs, unknown=len(ordinals))


for _status in (502, 503, 504):
    scenario(AREA, f"{_status} after the task was made, 4 of 150")(partial(after, status=_status))
scenario(AREA, "HTML with 200 after the task was made")(partial(after, status=200))
scenario(AREA, "nothing with 200 after the task was made")(partial(after, status=200, body="empty"))
scenario(AREA, "an answer cut short after the task was made")(partial(after, status=200, body="truncated"))
scenario(AREA, "404 of a gateway after the task was made")(partial(after, status=404))


@scenario(AREA, "answers that are not 2xx and yet name the task: 400, 409, 429, 500, 502, 503")
def naming(folder: Path, *, jobs: int = 150) -> Outcome:
    """The id is the proof that it was bought: all are adopted."""
    statuses = (400, 409, 429, 500, 502, 503)
    rules = [
        rule(
            "submit",
            "status",
            status=status,
            after=True,
            body="task",
            when={"ordinals": [(n + 1) * jobs // 8]},
        )
        for n, status in enumerate(statuses)
    ]
    return answered(folder, rules, jobs=jobs)


@scenario(AREA, "503 before the task is made, from a vendor declared safe")
def _safe(folder: Path) -> Outcome:
    """With `hidream.safe_statuses` nothing is unknown, and all are sent again with the same id."""
    rules = [rule("submit", "status", status=503, when={"ordinals": [20, 60, 100, 140]})]
    return answered(folder, rules, setup=against_double(env={"VTON_HIDREAM__SAFE_STATUSES": "[503]"}))


@scenario(AREA, "a whole refusal behind each seventh answer, on the same connection")
def surplus(folder: Path, *, jobs: int = 80) -> Outcome:
    """What lies behind an answer is nobody's: it must not answer the next POST, or the next poll."""
    rules = [rule("submit", "surplus", when={"every": 7}), rule("poll", "surplus", when={"every": 9})]
    return answered(folder, rules, jobs=jobs)


@scenario(AREA, "half a character in a 2007")
def half_character(folder: Path, *, jobs: int = 60) -> Outcome:
    """The breaker opens all the same, and nothing refused is unknown."""
    with Rig(folder, against_double(in_flight=5)) as rig:
        double = double_of(rig)
        double.set_faults([rule("submit", "surrogate", when={"from": 10})])
        batch = rig.enqueue("batch", range(jobs))
        opened = rig.until(lambda: rig.ledger.gate().breaker, "the breaker opens", within_s=120)
        reported = gate_words(rig)
        unknown = rig.status(batch).counts.get("unknown", 0)
        further = struck(rig)
        double.set_faults([])
        since = time.time()
        rig.vton("resume")
        going = rig.going_again(since)
        rig.finish(batch)
        broken = expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs)
        broken += [f"{unknown} refused ones became unknown"] if unknown else []
        broken += [f"the gate says: {reported}"] if "credits" not in reported else []
        return Outcome(
            verdict=judge(rig, batch),
            faults=further,
            recovery_s=going,
            ending=reported,
            broken=broken,
            note=f"the breaker opened after {opened:.1f} s",
        )


@scenario(AREA, "the token is rotated, workers stay up")
def rotation(folder: Path, *, jobs: int = 100) -> Outcome:
    """The old token is refused; the file is written anew, `vton resume` said, and no worker is restarted."""
    # Not among the files that may hold no secret.
    file = folder / "vendor" / "token"
    setup = against_double(
        in_flight=5, env={"HIDREAM_TOKEN": "", "HIDREAM_TOKEN_FILE": str(file)}, started=False
    )
    with Rig(folder, setup) as rig:
        double = double_of(rig)
        file.write_text(rig.canaries["token"])
        rig.processes.start()
        rig.until(rig.ready, "the workers are ready")
        starts = [worker.starts for worker in rig.processes.workers]
        batch = rig.enqueue("batch", range(jobs))
        rig.until(lambda: rig.arrived(jobs // 4), "submits have begun", step_s=0.01)
        rig.canaries["rotated"] = f"rotated-canary-{rig.canaries['token'][-12:]}"
        double.set_account(tokens=[rig.canaries["rotated"]])
        rig.until(lambda: rig.ledger.gate().breaker, "the breaker opens", within_s=180)
        reported = gate_words(rig)
        file.write_text(rig.canaries["rotated"])
        since = time.time()
        rig.vton("resume")
        going = rig.going_again(since, within_s=180)
        rig.finish(batch)
        broken = expect(rig, batch, succeeded=jobs) + tasks_made(rig, jobs)
        if [worker.starts for worker in rig.processes.workers] != starts:
            broken.append("workers were restarted")
        return Outcome(
            verdict=judge(rig, batch),
            faults=double.totals()["refused"].get("token", 0),
            recovery_s=going,
            ending=reported,
            broken=broken,
        )
