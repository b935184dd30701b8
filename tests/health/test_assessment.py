"""Every trouble has its assessment and its one next action; what nobody knows is never fine. No ledger, no clock."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from jobs.config.exit_codes import ExitCode
from jobs.health.assessment import STALE_MS, Health, assess, unread
from jobs.health.facts import Ended, Facts
from jobs.health.liveness import silent_hosts
from jobs.health.rules import SILENT_MS, State
from jobs.ledger.records import GateState, Heartbeat
from jobs.records import BatchId, BatchStatus, JobState, Owner

NOW = 1_800_000_000_000
MINUTE = 60_000


def heard(role, ago_ms=1_000, **said):
    known = {"host": "h1", "pid": 7, "version": "0.1.0", "up_ms": 30 * MINUTE}
    return Heartbeat(role=role, at_ms=NOW - ago_ms, **(known | said))


def batch(**counts):
    numbers = {"succeeded": 40, "queued": 60} | counts
    return BatchStatus(
        batch_id=BatchId("evening"), sealed=True, rows=sum(numbers.values()), counts=numbers, reused=0, duplicate=0,
        created_ms=NOW - 20 * MINUTE, completed_ms=None,
    )  # fmt: skip


def ends(count, *, bad=0, kind="task_failed", owner=Owner.VENDOR, every_ms=3_000, first_ms=3_000):
    """The newest first; the newest of them are the bad ones."""
    made = []
    for n in range(count):
        at_ms = NOW - first_ms - n * every_ms
        made.append(
            Ended(at_ms=at_ms, state=JobState.FAILED, kind=kind, owner=owner)
            if n < bad
            else Ended(at_ms=at_ms, state=JobState.SUCCEEDED)
        )
    return tuple(made)


WORKERS = (heard("submit"), heard("collect", pid=8))
#: 20 a minute are allowed, and 20 a minute end.
FINE = Facts(
    read_ms=NOW, in_flight=5, per_minute=20, latency_s=12, processes=WORKERS, batches=(batch(),), queued=60, ahead=60,
    slots=4, tasks=4, gate=GateState(last_accept=NOW - 2_000, last_begun=NOW - 2_500), ends=ends(40),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Expected:
    judged: str
    state: State
    evidence: str
    action: str
    code: ExitCode = ExitCode.OK
    owner: Owner = Owner.OPS


def trouble(judged, state, evidence, action, code=ExitCode.OK, owner=Owner.OPS, **changed):  # noqa: PLR0917 a row
    return changed, Expected(
        judged=judged, state=state, evidence=evidence, action=action, code=code, owner=owner
    )


def gate(**fields):
    return GateState(last_accept=NOW - 2_000, last_begun=NOW - 2_500, **fields)


A = ExitCode.ATTENTION
TROUBLES: Mapping[str, tuple[dict[str, object], Expected]] = {
    "every worker dead": trouble(
        "liveness", State.WRONG,
        "no worker lives; nobody's: 60 jobs waiting, 4 tasks under way; collect h1:8 was last heard 20 s ago",
        "start the workers", A, processes=(heard("submit", 25_000), heard("collect", 20_000, pid=8)),
    ),
    "nobody was ever there": trouble(
        "liveness", State.WRONG, "no worker lives", "or vton run MANIFEST", A, processes=()
    ),
    "nobody to send": trouble(
        "liveness", State.WRONG, "no submit worker lives", "start it: dramatiq worker.app --queues submit", A,
        processes=(heard("collect"),),
    ),
    "nobody to send, seen from the rows": trouble(
        "flow", State.WRONG, "60 rows open; no submit worker lives", "--queues submit", A, processes=(heard("collect"),)
    ),
    "nobody to collect": trouble(
        "liveness", State.WRONG, "no collect worker lives", "--queues collect", A, processes=(heard("submit"),)
    ),
    "the token is gone": trouble(
        "liveness", State.WRONG, "2 workers without a token that HiDream takes: HTTP 401", "a new token (HIDREAM_TOKEN)",
        ExitCode.CONFIG, gate=gate(breaker="token", breaker_why="HTTP 401"),
    ),
    "the token is gone, seen from the rows": trouble(
        "flow", State.WRONG, "60 rows open; waiting, token: HTTP 401", "then vton resume", ExitCode.CONFIG,
        gate=gate(breaker="token", breaker_why="HTTP 401"),
    ),
    "credits are out": trouble(
        "flow", State.WRONG, "credits: code 2007", "buy credits, then vton resume", ExitCode.CONFIG,
        gate=gate(breaker="credits", breaker_why="code 2007"),
    ),
    "the account is paused": trouble(
        "flow", State.WRONG, "paused: stocktaking", "look at the reason, then vton resume", ExitCode.CONFIG,
        gate=gate(paused="stocktaking"),
    ),
    "the vendor answers badly": trouble(
        "flow", State.WRONG, "vendor: HTTP 503", "ask HiDream", A, Owner.VENDOR,
        gate=gate(breaker="vendor", breaker_why="HTTP 503"),
    ),
    "the vendor is not reached": trouble(
        "flow", State.WRONG, "not reached: ConnectError", "DNS, network and hidream.base_url", A,
        gate=GateState(closed_until=NOW + 5_000, closed_at=NOW - 1, closed_by="unsent", closed_why="ConnectError"),
    ),
    "throttled": trouble(
        "flow", State.WARNING, "HiDream said 429", "nothing: it ends in 30 s", gate=gate(closed_until=NOW + 30_000)
    ),
    "a budget is spent": trouble(
        "flow", State.WRONG, "the day's budget of 100", "raise it", ExitCode.BUDGET,
        budget="the day's budget of 100 is reached"
    ),
    "the ledger is lost": trouble(
        "flow", State.WRONG, "nothing is bought: the ledger in Redis is empty", "restore it", ExitCode.CONFIG,
        lost="the ledger in Redis is empty",
    ),
    "the deadline slips": trouble(
        "flow", State.WRONG, "60 rows open, 3 min 12 s to go at this pace; the deadline is in 2 min 0 s",
        "vton cancel evening", ExitCode.DEADLINE, deadline_ms=NOW + 2 * MINUTE,
    ),
    "the deadline is over": trouble(
        "flow", State.WRONG, "the deadline was 5 min 0 s ago", "move the deadline", ExitCode.DEADLINE,
        deadline_ms=NOW - 5 * MINUTE,
    ),
    "too few slots for the deadline": trouble(
        "flow", State.WRONG, "the deadline is in 2 min 0 s", "raise the account's parallel tasks", ExitCode.DEADLINE,
        deadline_ms=NOW + 2 * MINUTE, in_flight=1,
    ),
    "a worker that lives and sends nothing": trouble(
        "flow", State.WRONG, "60 jobs waiting, 0 of 5 slots in use, and nothing was sent for 4 min 0 s",
        "submit workers' log", A, slots=0, tasks=0,
        gate=GateState(last_accept=NOW - 4 * MINUTE, last_begun=NOW - 4 * MINUTE),
    ),
    "tasks that do not end": trouble(
        "flow", State.WRONG, "4 tasks under way and none has ended for 8 min 0 s; one takes 12 s", "newest task ids", A,
        Owner.VENDOR, slots=5, gate=GateState(last_accept=NOW - 8 * MINUTE), ends=ends(40, first_ms=8 * MINUTE),
    ),
    "slower than the account allows": trouble(
        "flow", State.WARNING, "rows end at 4.1 a minute, the account allows 20.0", "vton doctor", slots=1,
        ends=ends(40, every_ms=15_000),
    ),
    "failures of the vendor": trouble(
        "execution", State.WARNING, "2 of the last 40 ended without their picture: 2 task_failed (vendor)",
        "vton retry evening once it has passed", ExitCode.OK, Owner.VENDOR, ends=ends(40, bad=2),
    ),
    "bad pictures": trouble(
        "execution", State.WARNING, "2 moderated (merch)", "failed.csv", ExitCode.OK, Owner.MERCH,
        ends=ends(40, bad=2, kind="moderated", owner=Owner.MERCH),
    ),
    "bad rows": trouble(
        "execution", State.WARNING, "20 of 120 rows invalid", "failed.csv says of each row what is bad", ExitCode.OK,
        Owner.MERCH, batches=(batch(invalid=20),),
    ),
    "a poison pair": trouble(
        "execution", State.WARNING, "1 of the last 40 ended without their picture: 1 set_aside (ops)", "`set_aside`",
        ends=ends(40, bad=1, kind="set_aside", owner=Owner.OPS),
    ),
    "a pair that kills its workers": trouble(
        "liveness", State.WARNING, "3 submit processes of h1 were killed within an hour", "one picture that they die of",
        processes=(*WORKERS, *(heard("submit", n * MINUTE, pid=n) for n in (9, 10, 11))),
    ),
    "failures that grow": trouble(
        "execution", State.WARNING, "getting worse: 60% of the last 20 without their picture, 0% of the 20 before",
        "vton retry evening", ExitCode.OK, Owner.VENDOR, ends=ends(40, bad=12),
    ),
    "nothing works": trouble(
        "execution", State.WRONG, "20 of the last 20 ended without their picture", "ask HiDream", A, Owner.VENDOR,
        ends=ends(40, bad=30),
    ),
    "unknown rows are held": trouble(
        "execution", State.WARNING, "4 jobs may have been bought without a clear answer (unknown), the first 2 h 0 min ago",
        "vton settle evening", unknown=4, unknown_ms=NOW - 120 * MINUTE,
    ),
    "nothing has ended for long": trouble(
        "execution", State.UNKNOWN, "nothing has ended for 40 min 0 s", "see flow", A,
        batches=(dataclasses.replace(batch(), created_ms=NOW - 60 * MINUTE),), ends=ends(40, first_ms=40 * MINUTE),
    ),
    "a task that is nobody's": trouble(
        "liveness", State.WRONG, "a task has been due for 2 min 0 s and nobody asks", "collect workers' log", A,
        overdue_ms=2 * MINUTE,
    ),
    "a request that is nobody's": trouble(
        "liveness", State.WRONG, "a request has had no answer for 3 min 0 s", "collect workers' log", A,
        unanswered_ms=3 * MINUTE,
    ),
    "a manifest that was read in part": trouble(
        "liveness", State.WRONG, "100 rows of evening were read, and nobody reads the others", "vton enqueue MANIFEST", A,
        batches=(dataclasses.replace(batch(), sealed=False),), given_ms={"evening": NOW - MINUTE},
    ),
    "files that nobody can write": trouble(
        "liveness", State.WRONG, "every row of evening ended 20 min 0 s ago, and its files are not written",
        "vton results evening", A, queued=0, ahead=0, slots=0, tasks=0, unwritten={"evening": NOW - 15 * MINUTE},
        batches=(dataclasses.replace(batch(queued=0), completed_ms=NOW - 20 * MINUTE),),
    ),
    "a host that is cut off": trouble(
        "liveness", State.WARNING, "h2 was last heard 5 min 0 s ago (submit h2:9); submit h1:7, collect h1:8 live",
        "look whether it is up", processes=(*WORKERS, heard("submit", 5 * MINUTE, host="h2", pid=9)),
    ),
    "two versions": trouble(
        "liveness", State.WARNING, "versions 0.1.0 and 0.2.0", "start the older ones again",
        processes=(heard("submit"), heard("collect", version="0.2.0")),
    ),
    "nobody hears callbacks": trouble("liveness", State.WARNING, "nobody receives callbacks", "vton serve", callbacks=True),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "expected"), TROUBLES.values(), ids=TROUBLES)
def test_every_trouble_is_judged_with_its_evidence_and_one_action(changed, expected):
    health = assess(replace(FINE, **changed))
    found = getattr(health, expected.judged)
    assert (found.state, found.code, found.owner) == (expected.state, expected.code, expected.owner), found
    assert expected.evidence in found.evidence
    assert expected.action in found.action
    assert health.code != 0 or expected.code == 0


NIGHT = ("/shop/night.csv", "--again", "spring sale")
AT_WORK = {"batches": (dataclasses.replace(batch(), sealed=False),), "given_ms": {"evening": NOW - MINUTE}}


@pytest.mark.parametrize(
    ("changed", "action"),
    [
        (
            {"processes": (), "typed": {"evening": NIGHT}},
            "start the workers: your service of them, or vton run /shop/night.csv --again 'spring sale'",
        ),
        (
            {"processes": (), "typed": {"evening": NIGHT}, "simulated": True},
            "start the workers: vton run /shop/night.csv --again 'spring sale' --simulate",
        ),
        (
            {
                "processes": (),
                "batches": (batch(), dataclasses.replace(batch(), batch_id=BatchId("other"))),
                "typed": {"evening": NIGHT, "other": ("/shop/other.csv",)},
            },
            "start the workers: your service of them, or vton run MANIFEST",
        ),
        (
            AT_WORK | {"typed": {"evening": NIGHT}},
            "give the same manifest again: vton enqueue /shop/night.csv --again 'spring sale'; it goes on",
        ),
        (
            AT_WORK | {"typed": {"evening": ("/shop/night.csv", "--output", "/shop/out")}},
            "give the same manifest again: vton run /shop/night.csv --output /shop/out; it goes on",
        ),
    ],
)
def test_a_manifest_that_is_to_be_given_again_is_named_with_every_word_of_before(changed, action):
    """Without `--again` it would be another batch, and everything bought once more."""
    assert assess(replace(FINE, **changed)).liveness.action == action


@pytest.mark.parametrize("ended", [{}, {"ends": ()}, {"queued": 0, "ends": ()}])
def test_rows_that_are_bad_themselves_are_a_warning_though_no_end_tells_of_them(ended):
    bad = dataclasses.replace(batch(invalid=20), completed_ms=NOW - MINUTE)
    found = assess(replace(FINE, batches=(bad,), **ended)).execution
    assert (found.state, found.owner, found.code) == (State.WARNING, Owner.MERCH, ExitCode.OK)
    assert found.evidence == "20 of 120 rows invalid: nothing is sent for them"
    assert found.action == "failed.csv says of each row what is bad"
    assert found.figures["invalid"] == 20


def test_bad_rows_of_a_batch_that_ended_long_ago_are_no_warning_any_more():
    done = dataclasses.replace(batch(queued=0, invalid=20), completed_ms=NOW - 40 * MINUTE)
    old = replace(
        FINE, batches=(done,), queued=0, ahead=0, slots=0, tasks=0, ends=ends(40, first_ms=40 * MINUTE)
    )
    assert assess(old).execution.state is State.OK


def test_unknown_rows_are_settled_in_the_batch_that_has_them():
    def settled(*batches):
        return assess(replace(FINE, batches=batches, unknown=4)).execution.action.rpartition(": ")[2]

    other = dataclasses.replace(batch(unknown=4, queued=0), batch_id=BatchId("night"), completed_ms=NOW)
    assert settled(batch(), other) == "vton settle night"
    assert (
        settled(batch(), dataclasses.replace(batch(), batch_id=BatchId("noon")), other) == "vton settle night"
    )
    assert settled(batch(unknown=1), other) == "vton settle BATCH"


def test_of_a_missing_role_the_last_process_that_had_it_is_named():
    gone = (
        heard("submit", 40_000, pid=9),
        heard("worker", 60_000, pid=10),
        heard("receiver", 30_000, pid=11),
    )
    collect, missed = heard("collect", 3_000, pid=8), "60 jobs waiting, 4 tasks under way"
    said = assess(replace(FINE, processes=(collect, *gone))).liveness.evidence
    assert said == f"no submit worker lives; nobody's: {missed}; submit h1:9 was last heard 40 s ago"
    never = assess(replace(FINE, processes=(collect,))).liveness.evidence
    assert never == f"no submit worker lives; nobody's: {missed}"


def states(health: Health):
    return health.flow.state, health.execution.state, health.liveness.state


def test_what_goes_well_is_fine_and_needs_nothing():
    health = assess(FINE)
    assert states(health) == (State.OK,) * 3
    assert health.code is ExitCode.OK
    assert health.flow.evidence == "60 rows open, 3 min 12 s to go at 20.0 a minute"
    assert health.execution.evidence == "the last 40 ended well"
    assert health.liveness.evidence == "submit h1:7, collect h1:8 live"
    assert health.flow.action == health.execution.action == health.liveness.action == ""


def test_a_deadline_that_is_kept_says_by_how_much():
    assert assess(replace(FINE, deadline_ms=NOW + 10 * MINUTE)).flow.evidence.endswith(
        "6 min 48 s before the deadline"
    )


@pytest.mark.parametrize(
    "said",
    [
        {"given_ms": {"evening": NOW - 10_000}},
        {
            "processes": (
                *WORKERS,
                Heartbeat(
                    role="producer", host="h2", pid=3, version="0.1.0", up_ms=1, at_ms=NOW, batch="evening"
                ),
            )
        },
    ],
)
def test_a_manifest_that_is_being_read_is_no_trouble(said):
    """From its first moment, and as long as whoever reads it lives."""
    reading = dataclasses.replace(batch(), sealed=False)
    health = assess(replace(FINE, **({"batches": (reading,), "given_ms": {"evening": NOW - MINUTE}} | said)))
    assert states(health) == (State.OK,) * 3
    assert "not all are read yet" in health.flow.evidence


def test_files_that_are_being_written_are_no_trouble():
    """A batch whose files are written anew has ended long ago; what counts is since when there is something to write."""
    done = dataclasses.replace(batch(queued=0), completed_ms=NOW - 600 * MINUTE)
    idle = replace(
        FINE, batches=(done,), queued=0, ahead=0, slots=0, tasks=0, unwritten={"evening": NOW - MINUTE}
    )
    assert states(assess(idle)) == (State.OK,) * 3


def test_a_host_that_is_gone_is_no_trouble_when_nothing_is_to_be_done():
    done = dataclasses.replace(batch(queued=0), completed_ms=NOW)
    gone = (heard("worker", 20 * MINUTE),)
    health = assess(replace(FINE, batches=(done,), queued=0, ahead=0, slots=0, tasks=0, processes=gone))
    assert health.liveness.state is State.OK


def test_a_pod_that_was_replaced_is_no_silent_host_and_one_that_was_not_is():
    def pod(letters, ago_ms, up_ms, of="vton-submit-7c9d8bf6d4"):
        return heard("submit", ago_ms, host=f"{of}-{letters}", up_ms=up_ms)

    def silent(*processes):
        return set(silent_hosts(replace(FINE, processes=(*WORKERS, *processes))))

    old, older = pod("x2k4q", 20 * MINUTE, 60 * MINUTE), pod("zz9wl", 30 * MINUTE, 60 * MINUTE)
    new = pod("b7mvc", 1_000, 15 * MINUTE)
    assert silent(old) == {old.host}
    assert silent(old, new) == set()
    # One for one, whichever version the new one runs; who lived beside it, and another Deployment's, replace nobody.
    assert silent(old, older, new) == {older.host}
    assert silent(old, pod("b7mvc", 1_000, 15 * MINUTE, of="vton-submit-5b6f7d8c9b")) == set()
    assert silent(old, pod("b7mvc", 1_000, 40 * MINUTE)) == {old.host}
    assert silent(old, pod("b7mvc", 1_000, 15 * MINUTE, of="vton-submit-eu-5b6f7d8c9b")) == {old.host}
    # Machines have names that come back.
    assert silent(
        heard("submit", 20 * MINUTE, host="node-1"), heard("submit", host="node-2", up_ms=MINUTE)
    ) == {"node-1"}


@pytest.mark.parametrize(("minutes", "state"), [(2, State.WRONG), (30, State.OK)])
def test_each_batch_is_held_against_its_own_deadline(minutes, state):
    """A short one that goes first is not late because of a long one beside it, and a run's own deadline is enough."""
    short = dataclasses.replace(batch(succeeded=0, queued=5), batch_id=BatchId("short"))
    lines = {"evening": 600, "short": 5}
    deadlines = {"evening": NOW + 24 * 60 * MINUTE, "short": NOW + minutes * MINUTE // 3}
    both = replace(
        FINE, batches=(batch(queued=600), short), waiting=lines, queued=605, ahead=605, deadlines=deadlines
    )
    assert assess(both).flow.state is state


def test_a_batch_that_has_ended_needs_no_worker():
    done = dataclasses.replace(batch(queued=0), completed_ms=NOW)
    health = assess(replace(FINE, batches=(done,), queued=0, ahead=0, slots=0, tasks=0, processes=()))
    assert states(health) == (State.OK,) * 3


def test_a_run_that_has_just_begun_is_no_trouble():
    """Its workers start meanwhile, and nothing has ended yet."""
    young = dataclasses.replace(batch(succeeded=0), created_ms=NOW - 3_000)
    run = heard("run", up_ms=2_000)
    health = assess(
        replace(FINE, batches=(young,), processes=(run,), ends=(), gate=GateState(), slots=0, tasks=0)
    )
    assert states(health) == (State.OK,) * 3


def test_a_worker_that_comes_to_an_old_backlog_has_time_to_begin():
    fresh = (heard("submit", up_ms=5_000), heard("collect", up_ms=5_000))
    health = assess(replace(FINE, processes=fresh, gate=GateState(), slots=0, tasks=0, ends=()))
    assert health.flow.state is State.OK


@pytest.mark.parametrize(("ago_ms", "state"), [(SILENT_MS, State.OK), (SILENT_MS + 1, State.WRONG)])
def test_a_process_is_dead_when_it_has_missed_its_heartbeats(ago_ms, state):
    """The verdict must say so within 15 s: two heartbeats of 5 s, and some patience."""
    assert SILENT_MS < 15_000
    silent = tuple(replace_at(each, NOW - ago_ms) for each in WORKERS)
    assert assess(replace(FINE, processes=silent)).liveness.state is state


def replace_at(beat, at_ms):
    return heard(beat.role, NOW - at_ms, pid=beat.pid)


def test_facts_that_are_too_old_are_never_fine():
    assert states(assess(FINE, NOW + STALE_MS)) == (State.OK,) * 3
    old = assess(FINE, NOW + STALE_MS + 1)
    assert State.OK not in states(old)
    assert old.flow.state is old.execution.state is State.UNKNOWN
    assert old.code != 0


def test_without_redis_nothing_is_known():
    health = unread("redis does not answer: ConnectionError")
    assert states(health) == (State.UNKNOWN, State.UNKNOWN, State.WRONG)
    assert "start Redis" in health.liveness.action
    assert health.code is ExitCode.CONFIG


def test_commands_of_a_simulated_shop_are_for_that_shop():
    flow = assess(replace(FINE, simulated=True, gate=gate(paused="x"))).flow
    assert flow.action.endswith("vton resume --simulate")


def test_who_is_dead_explains_why_nothing_flows():
    """The code is that of the cause."""
    health = assess(replace(FINE, processes=(), budget="the day's budget is reached"))
    assert (health.liveness.code, health.flow.code, health.code) == (A, ExitCode.BUDGET, A)


def test_every_process_up_to_six_is_named():
    many = tuple(heard("submit", pid=n) for n in range(8))
    assert assess(replace(FINE, processes=(*many, heard("collect")))).liveness.evidence.endswith(
        "h1:5, 3 more live"
    )


def told(name):
    """A trouble's row in docs/health.md."""
    changed, expected = TROUBLES[name]
    found = getattr(assess(replace(FINE, **changed)), expected.judged)
    return name, expected.judged, f"`{found.state}`", str(int(found.code)), f"{found.owner}: {found.action}"


def test_every_trouble_stands_in_the_page_with_what_is_said_of_it():
    page = (Path(__file__).parents[2] / "docs" / "health.md").read_text("utf-8").split("## Every trouble")[1]
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in page.splitlines()
        if "|" in line
    ]
    assert rows[2:] == [told(name) for name in TROUBLES]


def test_a_batch_that_has_ended_badly_holds_no_script_up():
    done = dataclasses.replace(batch(queued=0), completed_ms=NOW)
    health = assess(replace(FINE, batches=(done,), queued=0, ahead=0, ends=ends(40, bad=30), processes=()))
    assert (health.execution.state, health.code) == (State.WRONG, ExitCode.OK)
