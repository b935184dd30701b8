"""The vendor cannot be reached: its name is not resolved, nobody trusts its certificate. Nothing is sent, nothing lost."""

import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from jobs.producing import control
from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.pause import pause
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig, Setup
from tests.faults.verdict import judge

#: How long the vendor is away, s; an idle connection is dropped within it.
AWAY_S = 5
JOBS = 300
NAME = "vendor.test"


def resolver() -> Path:
    """The library that answers for the resolver out of a file; raises SkippedError without it."""
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib"):
        for found in sorted(Path(folder).glob("**/libnss_wrapper.so*")):
            return found
    raise SkippedError("nss_wrapper is not installed (apt-get install libnss-wrapper)")


@scenario("vendor not reached", "its name is not resolved for 5 s, twice")
def _no_name(folder: Path) -> Outcome:
    library, hosts = resolver(), folder / "hosts"

    def resolve(*, answers: bool) -> None:
        hosts.write_text(f"127.0.0.1 {NAME if answers else 'another.test'}\n", encoding="ascii")

    resolve(answers=False)
    with Rig(folder, Setup(started=False)) as rig:
        env = {
            "LD_PRELOAD": str(library),
            "NSS_WRAPPER_HOSTS": str(hosts),
            "VTON_HIDREAM__BASE_URL": f"http://{NAME}:{rig.simulator.port}",
        }
        return _away_twice(rig, env, lambda there: resolve(answers=there))


@scenario("vendor not reached", "its certificate is for another name for 5 s, twice")
def _no_trust(folder: Path) -> Outcome:
    wrong, right = (_certificate(folder, name) for name in ("another.test", "localhost"))
    trusted = folder / "trusted.pem"
    trusted.write_bytes(wrong[0].read_bytes() + right[0].read_bytes())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*wrong)
    with Rig(folder, Setup(started=False)) as rig, Proxy(rig.simulator.port, tls=server) as proxy:
        env = {"SSL_CERT_FILE": str(trusted), "VTON_HIDREAM__BASE_URL": f"https://localhost:{proxy.port}"}
        return _away_twice(rig, env, lambda there: server.load_cert_chain(*(right if there else wrong)))


def _away_twice(rig: Rig, env: dict[str, str], turn: Callable[[bool], None]) -> Outcome:
    """Away when the run begins, and again in its middle, with no connection left from before."""
    for worker in rig.processes.workers:
        # Results and pictures are asked for on the plain way: who cannot submit has nothing to ask for.
        worker.start(**(env if worker in rig.processes.of("submit") else {}))
    rig.until(rig.ready, "the workers are ready")
    batch = rig.enqueue("batch", range(JOBS))
    pause(AWAY_S)
    early = len(rig.simulator.arrivals())
    turn(True)
    first = rig.going_again(time.time())
    rig.until(lambda: rig.arrived(JOBS // 3), "submits go on")
    control.pause(rig.ledger, "until no connection is left")
    _wait_for_no_submit(rig)
    turn(False)
    before = len(rig.simulator.arrivals())
    control.resume(rig.ledger)
    pause(AWAY_S)
    late = len(rig.simulator.arrivals()) - before
    turn(True)
    second = rig.going_again(time.time())
    rig.finish(batch)
    refused = rig.logged("submit.not_sent")
    status = rig.status(batch)
    broken = [f"{early + late} submits arrived meanwhile"] if early + late else []
    broken += [f"ended as {status.counts}"] if status.counts != {"succeeded": JOBS} else []
    broken += ["nothing was tried meanwhile"] if not refused else []
    return Outcome(
        verdict=judge(rig, batch),
        faults=2,
        recovery_s=max(first, second),
        broken=broken,
        note=f"{refused} submits surely not sent, none unknown, all sent again with the same id",
    )


def _wait_for_no_submit(rig: Rig) -> None:
    """On a busy machine a POST that had its permit leaves late; the connection is idle only after its answer."""
    seen = -1
    while seen != (seen := len(rig.simulator.arrivals())):
        pause(2 * AWAY_S)


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for one name, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise SkippedError("openssl makes the certificates, and is not installed")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
    subprocess.run(
        [
            openssl,
            *kind.split(),
            "-addext",
            f"subjectAltName=DNS:{name}",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
