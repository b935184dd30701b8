"""The processes one by one, as a service manager starts them: producer, submit worker, collect worker, one Redis."""

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager


@contextmanager
def worker(shop, queue):
    """A worker of one queue; ended by SIGTERM."""
    log = shop.folder / f"{queue}.log"
    argv = [sys.executable, "-m", "dramatiq", "worker.app", "-Q", queue, "-p", "1", "-t", "4"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, cwd=shop.folder, env=shop.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        process.terminate()
        code = process.wait(60)
        said = log.read_text()
        assert "Traceback" not in said, said
        assert code == 0, said


def test_a_manifest_enqueued_for_workers_of_their_own_completes(shop, redis_socket):
    vendor = shop.vendor
    shop.env["VTON_REDIS__URL"] = f"unix://{redis_socket}"
    shop.env["VTON_REDIS__PREFIX"] = "apart"
    shop.env["VTON_OUTPUT_DIR"] = str(shop.folder / "out")
    shop.env["VTON_DATA_DIR"] = str(shop.folder / ".vton")
    vendor.latency_s = 0.2
    manifest = shop.urls(10)
    said = shop.vton("enqueue", manifest).out
    batch_id = said.partition(":")[0]
    assert "10 rows, 10 to submit" in said
    assert "(resumed)" in shop.vton("enqueue", manifest).out
    assert not vendor.submits
    with ExitStack() as workers:
        for queue in ("submit", "collect"):
            workers.enter_context(worker(shop, queue))
        watched = shop.vton("status", batch_id, "--watch")
        assert watched.code == 0, watched.err
        # A third producer, while the workers run and all is bought: nothing to do.
        assert "0 to submit" in shop.vton("enqueue", manifest).out
    status = json.loads(shop.vton("status", batch_id, "--json").out)
    assert status["complete"]
    assert status["counts"] == {"succeeded": 10}
    assert shop.vton("results", batch_id).code == 0
    batch = shop.only_batch()
    shop.agree(batch)
    assert set(vendor.bought().values()) == {1}
    assert len(vendor.submits) == 10
    assert '"event":"submit.accepted"' in (shop.folder / "submit.log").read_text()
    assert '"event":"image.saved"' in (shop.folder / "collect.log").read_text()


def test_a_worker_without_a_redis_says_what_is_missing(shop):
    argv = [sys.executable, "-c", "import worker.app"]
    done = subprocess.run(
        argv, cwd=shop.folder, env=shop.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "redis.url: not set" in done.stderr
