"""`vton run --simulate`: the road that people try first must survive what a real night survives."""

import signal
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Slow enough to be cut in the middle.
LIMITS = {
    "VTON_LIMITS__IN_FLIGHT": "4",
    "VTON_LIMITS__IMAGES_PER_MINUTE": "600",
    "VTON_PICTURES__ROOTS": "[]",
}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_a_simulated_night_that_is_cut_is_completed_by_the_same_command(shop, sent):
    manifest = shop.urls(10)
    process = shop.start("run", manifest, "--simulate", **LIMITS)
    results = shop.folder / "out"
    for line in process.stderr:
        if " rows · " in line and " 0 under way" not in line:
            break
    process.send_signal(sent)
    ended = shop.end(process)
    assert ended.code in {130, -signal.SIGKILL}
    batch = shop.run(manifest, "--simulate", **LIMITS)
    assert batch.folder.parent == results
    assert batch.summary["status"] == {"succeeded": 10}
    assert batch.summary["bought"] == 10
