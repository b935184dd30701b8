"""A ledger of yesterday, a folder that was moved or copied, a Redis that loses its room or its life under `vton run`."""

import shutil
import signal
import time
from functools import partial
from pathlib import Path
from typing import Literal

import psutil

from jobs.ledger import Ledger
from jobs.records import BatchId
from tests.faults.doubles import against_double, double_of, ending, tasks_made
from tests.faults.machine import Machine
from tests.faults.outcome import Outcome, scenario
from tests.faults.pause import pause
from tests.faults.rig import Rig
from tests.faults.scene import Setup
from tests.faults.servers import RedisServer
from tests.faults.shop import fill, small_disk
from tests.faults.verdict import Verdict, counted, judge

AREA = "the ledger's own files"
BATCH = BatchId("batch")
#: What became of the append-only file.
Damage = Literal["older", "cut", "torn"]
#: Longer than a socket's address may be.
LONG = "a-folder-whose-name-is-far-too-long-for-the-address-of-a-socket" * 2
#: `vton run`: nothing is bought before a person has decided.
PERSON_NEEDED = 7


def back_in_time(folder: Path, *, damage: Damage, first: int = 20, second: int = 30) -> Outcome:
    """The append-only file is an older one, lacks its last 40 %, or is damaged in its middle and moved away for it.

    Nothing is bought; what the files know comes back.
    """
    with Machine(folder, Setup(in_flight=10)) as machine:
        monday, tuesday = range(first), range(first, first + second)
        codes = [machine.run("monday", monday)]
        backup = folder / "backup"
        shutil.copytree(machine.data / "redis", backup, ignore=_no_sockets)
        codes.append(machine.run("tuesday", tuesday))
        redis = machine.data / "redis"
        broken = [] if codes == [0, 0] else [f"the first two runs ended with {codes}"]
        if damage == "older":
            shutil.rmtree(redis)
            shutil.copytree(backup, redis)
        else:
            (file,) = redis.rglob("*.aof" if (redis / "appendonly.aof").exists() else "*.incr.aof")
            with file.open("r+b") as found:
                if damage == "cut":
                    found.truncate(int(file.stat().st_size * 0.6))
                else:
                    # Where a command begins: inside of one the server may read on as if nothing were wrong.
                    found.seek(file.read_bytes().index(b"\r\n*", file.stat().st_size // 2) + 2)
                    found.write(bytes(64))
        if damage == "torn":
            code = machine.run("tuesday", tuesday)
            if code != PERSON_NEEDED or "server.log" not in machine.runs[-1].last_words:
                broken.append(f"with a damaged file: {machine.runs[-1].ending}")
            redis.rename(folder / "damaged")
        for name, numbers in (("tuesday", tuesday), ("wednesday", range(500, 520))):
            code = machine.run(name, numbers)
            if code != PERSON_NEEDED:
                broken.append(f"{name}'s manifest ended with {code}, not {PERSON_NEEDED}")
        reported = machine.runs[-1].ending
        broken += tasks_made(machine, first + second)
        looks = {word: machine.vton(word, check=False).returncode for word in ("status", "doctor")}
        broken += [f"vton {word} ends with 0" for word, code in looks.items() if not code]
        recovered = machine.vton("recover", "--all", check=False)
        if recovered.returncode:
            broken.append(f"vton recover: exit {recovered.returncode}: {recovered.stderr.strip()[-100:]}")
        code = machine.run("tuesday", tuesday, "--accept-new-ledger")
        broken += [f"after vton recover: {one}" for one in tasks_made(machine, first + second)]
        broken += [f"after vton recover: exit {code}: {machine.runs[-1].last_words}"] if code else []
        with machine.reading():
            verdict = counted(machine)
        return Outcome(
            verdict=verdict,
            faults=1,
            ending=reported,
            broken=broken,
            note=f"{looks}; {recovered.stdout.strip()[-120:]}",
        )


def _no_sockets(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}


scenario(AREA, "the append-only file of an hour ago is put back")(partial(back_in_time, damage="older"))
scenario(AREA, "the append-only file lacks its last 40 %")(partial(back_in_time, damage="cut"))
scenario(AREA, "the append-only file is damaged in its middle")(partial(back_in_time, damage="torn"))


@scenario(AREA, "the data folder is moved between two runs")
def moved(folder: Path, *, jobs: int = 60) -> Outcome:
    """Interrupted, moved, and gone on with: it is the same ledger."""
    with Machine(folder, Setup(in_flight=5)) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 3), "submits have begun")
        run.process.send_signal(signal.SIGINT)
        first = machine.wait(run)
        elsewhere = folder / "elsewhere" / LONG / "data"
        elsewhere.parent.mkdir(parents=True)
        machine.data = Path(shutil.move(machine.data, elsewhere))
        machine.env["VTON_DATA_DIR"] = str(machine.data)
        code = machine.run("batch", range(jobs))
        return _whole(machine, jobs, faults=1, broken=[f"exit {first}, then {code}"] * (code != 0))


def _whole(
    machine: Machine,
    jobs: int,
    *,
    faults: int,
    broken: list[str],
    note: str = "",
    recovery_s: float | None = None,
) -> Outcome:
    """The verdict on a machine whose last run should have completed everything."""
    reported = machine.runs[-1].ending
    found = [*broken, *tasks_made(machine, jobs)]
    if machine.succeeded(BATCH) != jobs:
        found.append(f"{machine.succeeded(BATCH)} of {jobs} rows have their picture")
    with machine.reading():
        verdict = judge(machine, BATCH)
    return Outcome(
        verdict=verdict, faults=faults, ending=reported, broken=found, note=note, recovery_s=recovery_s
    )


@scenario(AREA, "a copy of the data folder is run beside the original")
def copied(folder: Path, *, jobs: int = 80) -> Outcome:
    """The folder's name is too long for a socket: both would have the same one. The copy must leave the original alone."""
    data = folder / LONG / "data"
    with Machine(folder, Setup(in_flight=5), data=data) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 4), "submits have begun")
        copy = folder / "copy" / LONG / "data"
        shutil.copytree(data, copy, ignore=_no_sockets)
        other = machine.start(
            "other",
            range(1000, 1010),
            VTON_DATA_DIR=str(copy),
            VTON_OUTPUT_DIR=str(folder / "out-of-the-copy"),
        )
        other_code = machine.wait(other)
        code = machine.wait(run)
        ours = [task for task in machine.simulator.tasks() if "garments/100" not in task["text"]]
        broken = [f"the original ended with {code}: {run.last_words}"] if code else []
        if machine.succeeded(BATCH) != jobs:
            broken.append(f"{machine.succeeded(BATCH)} of {jobs} rows have their picture")
        twice = machine.simulator.bought_twice()
        broken += [f"{len(twice)} pairs bought twice"] if twice else []
        return Outcome(
            verdict=Verdict(jobs=jobs, rows=jobs, bought_twice=len(twice)),
            faults=1,
            ending=run.ending,
            broken=broken,
            note=f"the copy ended with {other_code}: {other.last_words}; {len(ours)} tasks of the original's",
        )


@scenario(AREA, "the disk of Redis and the pictures is full for 10 s under `vton run`")
def full_disk(folder: Path, *, jobs: int = 120, full_s: float = 10) -> Outcome:
    """It goes on by itself, or ends with a reason; then the same command completes it."""
    with small_disk(folder / "data") as disk, Machine(folder, Setup(in_flight=5)) as machine:
        run = machine.start("batch", range(jobs))
        machine.until(lambda: machine.arrived(jobs // 5), "submits have begun")
        filler = fill(disk)
        pause(full_s)
        filler.unlink()
        code = machine.wait(run, within_s=300)
        reported = run.ending
        broken = [f"reported as an internal error: {run.last_words}"] if "internal error" in run.said else []
        if code:
            code = machine.run("batch", range(jobs), within_s=300)
            broken += [f"the same command ended with {code}"] if code else []
        found = _whole(machine, jobs, faults=1, broken=broken)
        return Outcome(
            verdict=found.verdict,
            faults=1,
            ending=reported if len(machine.runs) == 1 else f"{reported}; then {found.ending}",
            broken=found.broken,
        )


def redis_dies(folder: Path, *, deaths: int = 3, jobs: int = 90) -> Outcome:
    """The embedded Redis is killed under the run, which starts it again and completes."""
    with Machine(folder, Setup(in_flight=5)) as machine:
        run = machine.start("batch", range(jobs))
        for death in range(deaths):
            machine.until(
                partial(machine.arrived, jobs * (death + 1) // (deaths + 2)), "submits go on", within_s=180
            )
            psutil.Process(int((machine.data / "redis" / "server.pid").read_text())).kill()
        code = machine.wait(run, within_s=240)
        broken = [f"ended with {code}: {run.last_words}"] if code else []
        with machine.reading():
            unknown = counted(machine).unknown
        broken += [f"{unknown} are unknown"] if unknown else []
        return _whole(machine, jobs, faults=deaths, broken=broken)


scenario(AREA, "the embedded Redis is killed three times")(redis_dies)


@scenario(AREA, "the primary dies, a replica that lacks its last orders is promoted")
def promoted(folder: Path, *, jobs: int = 150, lacking: int = 10, watched_s: float = 75) -> Outcome:
    """The ledger is some orders behind, under workers that stay up: they bring in what it lacks, and go on."""
    setup = against_double(redis_proxy=True, in_flight=5, latency_s=1)
    with Rig(folder, setup) as rig:
        replica = RedisServer(folder / "replica", rig.canaries["redis"])
        try:
            replica.start()
            with replica.client(0) as client:
                client.config_set("masterauth", rig.canaries["redis"])
                client.replicaof("127.0.0.1", str(rig.redis.port))
                batch = rig.enqueue("batch", range(jobs))
                rig.until(lambda: rig.arrived(jobs // 5), "submits have begun")
                rig.until(lambda: client.info("replication")["master_link_status"] == "up", "it follows")
                client.replicaof("NO", "ONE")
            made = len(double_of(rig).tasks())
            rig.until(lambda: len(double_of(rig).tasks()) >= made + lacking, "it lags")
            rig.redis.kill()
            rig.redis_proxy.target_port = replica.port
            rig.redis_proxy.reset_all()
            began = time.monotonic()
            with replica.client(1) as client:
                rig.ledger = Ledger(client, rig.ledger.prefix)
                rig.until(
                    lambda: time.monotonic() - began > watched_s or rig.complete(batch),
                    "it is watched",
                    within_s=watched_s + 60,
                    step_s=0.5,
                )
                reported, whole = ending(rig, batch), rig.complete(batch)
                again = rig.vton("enqueue", str(folder / "batch.csv"), "--batch", "batch", check=False)
                rig.processes.stop()
            twice = double_of(rig).bought_twice()
            adopted = rig.logged("order.adopted")
            broken = [f"{len(twice)} pairs bought twice"] if twice else []
            broken += [] if adopted >= lacking else [f"only {adopted} orders were brought in"]
            broken += [] if again.returncode == 0 else [f"vton enqueue ends with {again.returncode}"]
            broken += [] if whole else [f"it does not go on: {reported}"]
            return Outcome(
                verdict=Verdict(jobs=jobs, rows=jobs, bought_twice=len(twice)),
                faults=1,
                ending=reported,
                broken=broken,
                note=f"{adopted} orders were brought in",
            )
        finally:
            replica.kill()
