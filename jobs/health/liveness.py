"""Liveness: which processes live, and what is nobody's."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from jobs.config.advice import command
from jobs.config.exit_codes import ExitCode
from jobs.health.account import ADVICE
from jobs.health.facts import Facts
from jobs.health.rules import Assessment, Rule, ago, alive, ok, warning, wrong
from jobs.health.typed import as_typed, typed
from jobs.ledger.records import Heartbeat
from jobs.units import counted, duration

#: A task that nobody asks about, and a request that nobody accounts for, for so long is nobody's, ms.
NOBODYS_MS: Final = 60_000
#: Processes that are named in a sentence.
_NAMED: Final = 6
#: `vton run` starts its workers meanwhile, ms.
STARTS_MS: Final = 15_000
#: Who has a host's work to do; whoever reads a manifest comes and goes.
_WORKS: Final = ("submit", "collect", "worker", "receiver")
#: Of them, who takes jobs.
_WORKERS: Final = ("submit", "collect", "worker")
#: Whoever reads a manifest says so from its beginning; so long it may take to be heard, ms.
_READS_MS: Final = 15_000
#: A batch whose last row ended so long ago has its files, ms.
_WRITTEN_MS: Final = 600_000
#: The name that Kubernetes gives a pod: its Deployment's, a hash of what it runs, five letters of its own.
_POD: Final = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
#: So many processes of one role that were killed within an hour are no accident.
DYING: Final = 3


def _no_token(facts: Facts) -> Assessment | None:
    workers = alive(facts, *_WORKERS)
    if facts.gate.breaker != "token" or not workers:
        return None
    evidence = (
        f"{counted(len(workers), 'worker')} without a token that HiDream takes: {facts.gate.breaker_why}"
    )
    resume = command("resume", simulated=facts.simulated)
    return wrong(evidence, f"{ADVICE['token']}, then {resume}", ExitCode.CONFIG, figures=_living(facts))


def _nobody(facts: Facts) -> Assessment | None:
    missing = missing_role(facts)
    if not missing:
        return None
    nobodys = f"{counted(facts.queued, 'job')} waiting, {counted(facts.tasks, 'task')} under way"
    some = bool(alive(facts, *_WORKERS))
    who = f"no {missing} worker lives" if some else "no worker lives"
    missed = (missing, "worker") if some else _WORKERS
    silent = max(
        (each for each in facts.processes if each.role in missed), key=lambda each: each.at_ms, default=None
    )
    heard = "" if silent is None else f"; {silent.name} was last heard {ago(facts, silent.at_ms)}"
    return wrong(f"{who}; nobody's: {nobodys}{heard}", start(facts, missing), figures=_living(facts))


def _unread(facts: Facts) -> Assessment | None:
    """A manifest was read in part, and whoever read it is gone."""
    read = {each.batch for each in alive(facts, "run", "producer")}
    left = [
        batch
        for batch in facts.open_batches
        if not batch.sealed
        and batch.batch_id not in read
        and facts.read_ms - facts.given_ms.get(batch.batch_id, facts.read_ms) > _READS_MS
    ]
    if not left:
        return None
    words = facts.typed.get(left[0].batch_id, ())
    # A simulated shop is only ever fed by a run, and these options are a run's.
    again = (
        as_typed(words, simulated=facts.simulated)
        if facts.simulated or {"--output", "--canary"} & set(words)
        else command(f"enqueue {typed(words)}", simulated=False)
    )
    evidence = f"{counted(left[0].rows, 'row')} of {left[0].batch_id} were read, and nobody reads the others"
    return wrong(evidence, f"give the same manifest again: {again}; it goes on", figures=_living(facts))


def _nobodys(facts: Facts) -> Assessment | None:
    """What the living leave lying: a collect worker asks for what is due, and accounts for requests of the dead."""
    if max(facts.overdue_ms, facts.unanswered_ms) <= NOBODYS_MS:
        return None
    if facts.overdue_ms >= facts.unanswered_ms:
        evidence = f"a task has been due for {duration(facts.overdue_ms / 1000)} and nobody asks about it"
    else:
        evidence = f"a request has had no answer for {duration(facts.unanswered_ms / 1000)} and nobody accounts for it"
    return wrong(evidence, "read the collect workers' log, then start them again", figures=_living(facts))


def _not_written(facts: Facts) -> Assessment | None:
    """Every row has ended, and nobody gets the files."""
    left = [
        batch
        for batch in facts.batches
        if batch.complete
        and facts.read_ms - max(batch.completed_ms or 0, facts.unwritten.get(batch.batch_id, facts.read_ms))
        > _WRITTEN_MS
    ]
    if not left:
        return None
    last = left[0]
    evidence = f"every row of {last.batch_id} ended {ago(facts, last.completed_ms or 0)}, and its files are not written"
    results = command(f"results {last.batch_id}", simulated=facts.simulated)
    return wrong(
        evidence, f"{results}: it writes them, or says what it cannot write to", figures=_living(facts)
    )


def silent_hosts(facts: Facts) -> Mapping[str, Sequence[Heartbeat]]:
    """Hosts of which every process that works has fallen silent, while others live: off, cut off, or all of it killed.

    A pod whose Deployment has brought another one since is none of them: its name never comes back.
    """
    living = {each.host for each in alive(facts)}
    works = [each for each in facts.processes if each.role in _WORKS and each.host not in living]
    gone = {
        host: [each for each in works if each.host == host] for host in sorted({each.host for each in works})
    }
    return {host: processes for host, processes in gone.items() if host not in _replaced(gone, facts)}


def _replaced(gone: Mapping[str, Sequence[Heartbeat]], facts: Facts) -> set[str]:
    """Of silent hosts the pods for each of which one of the same Deployment has begun since it was last heard."""
    begun = {each.host: (_deployment(each.host), each.at_ms - each.up_ms) for each in alive(facts, *_WORKS)}
    found = set()
    # The last one first: whatever began after it has begun after the others too.
    for host in sorted(gone, key=lambda each: -_heard_ms(gone[each])):
        name, heard_ms = _deployment(host), _heard_ms(gone[host])
        later = [each for each, (of, begun_ms) in begun.items() if of == name and begun_ms > heard_ms]
        if name and later:
            del begun[later[0]]
            found.add(host)
    return found


def _deployment(host: str) -> str:
    """Whose pod it is, by its name; empty: no pod of one."""
    pod = _POD.fullmatch(host)
    return pod[1] if pod else ""


def _heard_ms(processes: Sequence[Heartbeat]) -> int:
    return max(each.at_ms for each in processes)


def _host_silent(facts: Facts) -> Assessment | None:
    hosts = silent_hosts(facts)
    if not hosts or not alive(facts, *_WORKERS):
        return None
    host, gone = next(iter(hosts.items()))
    heard = ago(facts, _heard_ms(gone))
    evidence = f"{host} was last heard {heard} ({_names(gone)}); {_names(alive(facts))} live"
    action = "look whether it is up and reaches Redis; the others take over what it had begun"
    return warning(evidence, action, figures=_living(facts))


def _dying(facts: Facts) -> Assessment | None:
    """Processes that end in order take themselves out of the list: who is silent was killed."""
    living = alive(facts)
    dead = Counter((each.role, each.host) for each in facts.processes if each not in living)
    if not dead or dead.most_common(1)[0][1] < DYING:
        return None
    (role, host), count = dead.most_common(1)[0]
    evidence = f"{count} {role} processes of {host} were killed within an hour; {_names(living)} live"
    action = "read the log of that host for what kills them: memory, or one picture that they die of"
    return warning(evidence, action, figures=_living(facts))


def _mixed(facts: Facts) -> Assessment | None:
    versions = sorted({each.version for each in alive(facts)})
    if len(versions) < 2:  # noqa: PLR2004 one is what there should be
        return None
    evidence = f"versions {' and '.join(versions)} work side by side: {_names(alive(facts))}"
    return warning(evidence, "start the older ones again from the new version", figures=_living(facts))


def _deaf(facts: Facts) -> Assessment | None:
    if not facts.callbacks or not facts.open_batches or alive(facts, "receiver"):
        return None
    evidence = (
        f"{_names(alive(facts))} live, and nobody receives callbacks: results are asked for all the same"
    )
    action = f"start {command('serve', simulated=False)}, or leave callbacks.public_url empty"
    return warning(evidence, action, figures=_living(facts))


def _lives(facts: Facts) -> Assessment:
    living = alive(facts)
    if living:
        return ok(f"{_names(living)} live", figures=_living(facts))
    return ok("no worker lives, and nothing is to be done", figures=_living(facts))


def missing_role(facts: Facts) -> str:
    """The kind of worker that is needed and does not live; empty when none is."""
    begins = any(each.up_ms < STARTS_MS for each in alive(facts, "run"))
    if not facts.open_batches or begins:
        return ""
    submits, collects = alive(facts, "submit", "worker"), alive(facts, "collect", "worker")
    if facts.queued and not submits:
        return "submit"
    # Whatever has ended has its files written by a collect worker too.
    return "" if collects else "collect"


def start(facts: Facts, role: str) -> str:
    """What makes such a worker live."""
    if alive(facts, *_WORKERS):
        return f"start it: dramatiq worker.app --queues {role}"
    service = "" if facts.simulated else "your service of them, or "
    return f"start the workers: {service}{facts.run}"


def _names(processes: Sequence[Heartbeat]) -> str:
    shown = [each.name for each in processes[:_NAMED]]
    more = [f"{len(processes) - _NAMED} more"] if len(processes) > _NAMED else []
    return ", ".join(shown + more) or "none"


def _living(facts: Facts) -> Mapping[str, float | None]:
    living = Counter(each.role for each in alive(facts))
    return {"submit": living["submit"], "collect": living["collect"], "worker": living["worker"],
            "receiver": living["receiver"], "silent": len(facts.processes) - living.total()}  # fmt: skip


RULES: Final[Sequence[Rule]] = (
    _no_token,
    _nobody,
    _unread,
    _nobodys,
    _not_written,
    _host_silent,
    _dying,
    _mixed,
    _deaf,
    _lives,
)
