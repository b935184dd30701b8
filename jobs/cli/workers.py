"""The worker processes of `vton run`, and the environment in which they find this run's Redis and settings."""

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from jobs.cli.ports import free_ports
from jobs.cli.session import Session
from jobs.config.settings import Settings, WorkerSettings
from jobs.local.supervisor import Program, Supervisor

log = structlog.get_logger()

#: Threads of a collect process: files of one batch, and of another one meanwhile.
_COLLECT_THREADS = 2
#: Submit and collect processes at least, on however small a machine.
_LEAST = 2
_RECEIVER = "receiver"


def worker_environment(session: Session) -> dict[str, str]:
    """What the children see: our environment, and the settings that our options changed."""
    redis = {"VTON_REDIS__URL": session.redis.url.get_secret_value()}
    return dict(os.environ) | changed_settings(session.settings) | redis


def changed_settings(settings: Settings) -> dict[str, str]:
    """The settings that our options may have changed, as the environment has them."""
    limits = {
        f"VTON_LIMITS__{name.upper()}": str(value) for name, value in settings.limits.model_dump().items()
    }
    return limits | {
        "VTON_REDIS__PREFIX": settings.redis.prefix,
        "VTON_OUTPUT_DIR": str(settings.output_dir.absolute()),
        "VTON_DATA_DIR": str(settings.data_dir.absolute()),
    }


def start_workers(supervisor: Supervisor, settings: Settings, environment: Mapping[str, str]) -> None:
    """Starts receiver, collect and submit processes; each serves metrics on a port of its own, if they are on."""
    tell_crowd(settings.workers, os.cpu_count() or 1)
    programs = _programs(settings, environment)
    if settings.workers.alive_file is not None:
        _name_workers(settings.workers.alive_file, programs)
    if settings.metrics.port:
        host = settings.metrics.host
        ports = free_ports(host, settings.metrics.port, len(programs))
        served = list(zip(programs, ports, strict=True))
        programs = [replace(each, env={**each.env, "VTON_METRICS__PORT": str(port)}) for each, port in served]
        where = ", ".join(f"{each.name} http://{host}:{port}/metrics" for each, port in served)
        sys.stderr.write(f"metrics: {where}\n")
    # What collects has nothing to do before what submits has been at work.
    for each in sorted(programs, key=lambda one: one.name.startswith("collect-")):
        supervisor.start(each)


def _name_workers(alive_file: Path, programs: Iterable[Program]) -> None:
    """Writes whose files count, see worker.alive; one that cannot be written is said by the workers too."""
    names = [each.name for each in programs if each.name != _RECEIVER]
    with suppress(OSError):
        alive_file.write_text("\n".join(names), encoding="utf-8")


def tell_crowd(workers: WorkerSettings, processors: int) -> None:
    """Logs that more processes than processors were asked for: they only take turns."""
    processes = workers.submit_processes + workers.collect_processes
    if processes > max(processors, _LEAST):
        why = "they take turns; one submit process has as many POSTs under way as the account's limits need"
        log.warning("workers.crowded", processes=processes, processors=processors, why=why)


def _programs(settings: Settings, environment: Mapping[str, str]) -> list[Program]:
    alive = settings.workers.alive_file

    def program(name: str, *module: str) -> Program:
        # One that hangs is not to be covered by another one that lives.
        own = {"VTON_WORKERS__ALIVE_FILE": f"{alive.absolute()}.{name}"} if alive else {}
        return Program(name=name, argv=(sys.executable, "-m", *module), env={**environment, **own})

    workers, threads = settings.workers, settings.submit_threads
    receiver = [program(_RECEIVER, "worker.callbacks")] if settings.callbacks.public_url else []
    return [
        *receiver,
        *(
            program(f"collect-{n + 1}", "worker", "collect", str(_COLLECT_THREADS))
            for n in range(workers.collect_processes)
        ),
        *(
            program(f"submit-{n + 1}", "worker", "submit", str(threads))
            for n in range(workers.submit_processes)
        ),
    ]
