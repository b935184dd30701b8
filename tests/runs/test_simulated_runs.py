"""`vton run --simulate`: what people try first survives what a real run survives."""

import json
import signal
import sqlite3
from contextlib import closing

import pytest

#: Slow enough to be cut in the middle.
LIMITS = {"VTON_LIMITS__IN_FLIGHT": "4", "VTON_LIMITS__IMAGES_PER_MINUTE": "600"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
def test_a_simulated_run_that_is_cut_is_completed_by_the_same_command(shop, sent):
    manifest = shop.urls(10)
    process = shop.start("run", manifest, "--simulate", **LIMITS)
    for line in process.stderr:
        if " rows · " in line and " 0 under way" not in line:
            break
    process.send_signal(sent)
    assert shop.end(process).code in {130, -signal.SIGKILL}
    ended = shop.vton("run", manifest, "--simulate", **LIMITS)
    status, ordered = (shop.only_batch().summary[name] for name in ("status", "ordered"))
    # The simulator dies with a command that is killed, and with it a reply that was on its way.
    unknown = status.pop("unknown", 0)
    assert unknown <= (4 if sent == signal.SIGKILL else 0)
    assert status == {"succeeded": 10 - unknown}
    assert ordered == 10
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


def test_what_a_run_says_of_money_is_what_the_vendors_books_say(shop):
    manifest = shop.urls(10)
    shop.write(
        "faults.yaml",
        """
- {at: submit, do: 429, retry_after: 0.2, when: {ordinals: [2]}}
- {at: submit, do: reset-after, when: {ordinals: [4]}}
- {at: submit, do: reset-before, when: {ordinals: [6]}}
- {at: task, do: failed, when: {ordinals: [1]}}
""",
    )
    ended = shop.vton("run", manifest, "--simulate", "--faults", "faults.yaml", **LIMITS)
    assert ended.code == 5, ended.err
    batch = shop.only_batch()
    with closing(sqlite3.connect(shop.folder / ".vton/simulated/simulator.sqlite")) as books:
        made = {task_id for (task_id,) in books.execute("SELECT task_id FROM tasks")}
    named = {task for line in batch.lines for task in (line["task_id"], *line["past_task_ids"]) if task}
    words = ("ordered", "charged_for_sure", "perhaps_charged", "refunded")
    ordered, charged, perhaps, refunded = (batch.summary[word] for word in words)
    assert batch.summary["status"] == {"succeeded": 8, "unknown": 2}
    assert named <= made
    assert charged == len(named) == 9, "one task failed and was replaced"
    assert perhaps == 2
    assert len(made) - charged == 1, "of the two one was made"
    assert ordered == charged + perhaps
    assert refunded == 1
    assert "(11 ordered: 9 charged for sure, 2 perhaps charged; 1 refunded)" in ended.out
    status = json.loads(shop.vton("status", batch.folder.name, "--simulate", "--json").out)
    assert [status[word] for word in words] == [ordered, charged, perhaps, refunded]
