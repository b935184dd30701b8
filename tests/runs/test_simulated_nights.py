"""`vton run --simulate`: the road that people try first survives what a real night survives."""

import signal

import pytest

#: Slow enough to be cut in the middle.
LIMITS = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_LIMITS__IMAGES_PER_MINUTE": "600"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_a_simulated_night_that_is_cut_is_completed_by_the_same_command(shop, sent):
    manifest = shop.urls(10)
    process = shop.start("run", manifest, "--simulate", **LIMITS)
    for line in process.stderr:
        if " rows · " in line and " 0 under way" not in line:
            break
    process.send_signal(sent)
    assert shop.end(process).code in {130, -signal.SIGKILL}
    ended = shop.vton("run", manifest, "--simulate", **LIMITS)
    status, bought = (shop.only_batch().summary[name] for name in ("status", "bought"))
    # The simulator dies with a command that is killed, and with it a reply that was on its way.
    unknown = status.pop("unknown", 0)
    assert unknown <= (4 if sent == signal.SIGKILL else 0)
    assert status == {"succeeded": 10 - unknown}
    assert bought == 10
    assert ended.code == (5 if unknown else 0)


def test_a_second_simulated_run_in_one_folder_is_refused_while_the_first_runs(shop):
    first = shop.start("run", shop.urls(10), "--simulate", **LIMITS)
    for line in first.stderr:
        if " rows · " in line:
            break
    second = shop.vton("run", shop.urls(2, name="other.csv"), "--simulate")
    assert second.code == 7
    assert "another vton run --simulate is under way in .vton/simulated: wait for its end" in second.err
    first.terminate()
    assert shop.end(first).code == 130
