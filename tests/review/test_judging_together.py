"""Two reviewers in two browsers judge a run's pictures at once, served; whatever dies meanwhile, no verdict is lost."""

import csv
import io
import json
import signal

import psutil
import pytest

from tests.faults.servers import RedisServer
from tests.ports import free_port
from tests.report.test_page import press, stand_at, until
from tests.runs.shop import PATIENCE_S

#: The simulator's account as wide as it goes: the run is not what is tested.
QUICK = {
    "VTON_LIMITS__IN_FLIGHT": "60",
    "VTON_LIMITS__IMAGES_PER_MINUTE": "60000",
    "VTON_WORKERS__SUBMIT_THREADS": "60",
}
#: What the page says of verdicts that the ledger does not have.
UNSAVED = "document.getElementById('unsaved').textContent"
ALL_SAVED = f"{UNSAVED} === 'all saved'"
COUNTS = "[...document.querySelectorAll('[data-count]')].map((each) => Number(each.textContent))"


@pytest.fixture
def served(shop):
    """A shop whose runs show no pictures of addresses, and which serves its sheets at one address."""
    shop.env |= QUICK | {
        "VTON_PICTURES__THUMBNAIL_HOSTS": "[]",
        "VTON_REVIEW__PORT": str(free_port()),
        "VTON_WORKERS__PATIENCE_S": "60",
    }
    return shop


def serve(shop):
    """Starts `vton serve --review` and waits until it says where."""
    process = shop.start("serve", "--review", "--simulate", "-o", "out")
    line = process.stdout.readline()
    assert line.startswith(f"review: http://127.0.0.1:{shop.env['VTON_REVIEW__PORT']}/ (its token: "), (
        line,
        process.poll() is not None and process.stderr.read(),
    )
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def token_of(shop):
    return (shop.folder / ".vton/simulated/review.token").read_text()


@pytest.fixture
def sheet(served, reviewers):
    """Opens the shop's one sheet for somebody."""

    def enter(name, where="#order=row"):
        address = f"http://127.0.0.1:{served.env['VTON_REVIEW__PORT']}/"
        return reviewers(address, token_of(served), served.only_batch().folder.name, name, where)

    return enter


def judge(page, count, keys="pppx"):
    """Judges the next rows by keys, every fourth rejected."""
    for number in range(count):
        press(page, keys[number % len(keys)])


def in_ledger(shop, batch):
    """Each reviewer's last words, as `vton review export` writes them."""
    ended = shop.vton("review", "export", batch, "--simulate")
    return list(csv.DictReader(io.StringIO(ended.out)))


@pytest.mark.parametrize("pictures", [110, pytest.param(210, marks=pytest.mark.slow)])
def test_two_judge_all_pictures_while_the_server_dies_and_redis_is_away(served, sheet, tmp_path, pictures):
    redis = RedisServer(tmp_path / "redis", "letters")
    redis.start()
    served.env["VTON_REDIS__URL"] = redis.url()
    half = pictures // 2
    rows = [
        f"S{n},https://cdn.example/p.jpg,https://cdn.example/{n}.png,{'Ana' if n < half else 'Bo'}"
        for n in range(pictures)
    ]
    served.write("batch.csv", "sku,person,upper,judge\n" + "\n".join(rows) + "\n")
    served.run("batch.csv", "--simulate")
    batch = served.only_batch().folder.name
    process = serve(served)
    ana, bo = sheet("Ana", "#order=row&col.judge=ana"), sheet("Bo", "#order=row&col.judge=bo")
    for page in (ana, bo):
        page.locator(".card").first.focus()
    for _ in range(20):
        press(ana, "p")
        press(bo, "x")
    for page in (ana, bo):
        until(page, f"{ALL_SAVED} && {COUNTS}.join() === '{pictures - 40},20,20'")
    kill(process)
    judge(ana, 30)
    until(ana, f"{UNSAVED}.includes('30 not saved: the server does not answer')")
    browser_of_ana, address = ana.context, ana.url
    ana.close()
    judge(bo, 20, "x")
    process = serve(served)
    # Ana's window was closed meanwhile; her browser has kept what was not saved.
    ana = browser_of_ana.new_page()
    ana.goto(f"{address}&verdict=none")
    ana.wait_for_selector("body[data-ready]")
    assert ana.input_value("#reviewer") == "Ana"
    for page in (ana, bo):
        until(page, ALL_SAVED)
    redis.kill()
    ana.locator(".card").first.focus()
    judge(ana, half - 50)
    until(ana, f"{UNSAVED}.includes('{half - 50} not saved: the server cannot save now')")
    redis.start()
    judge(bo, pictures - half - 40, "x")
    for page in (ana, bo):
        until(page, f"{ALL_SAVED} && {COUNTS}[0] === 0")
    words = in_ledger(served, batch)
    assert len({each["picture_sha256"] for each in words}) == len(words) == pictures
    by = {name: {each["sku"] for each in words if each["reviewer"] == name} for name in ("Ana", "Bo")}
    assert by == {
        "Ana": {f"S{n}" for n in range(half)},
        "Bo": {f"S{n}" for n in range(half, pictures)},
    }
    assert {each["verdict"] for each in words if each["reviewer"] == "Bo"} == {"reject"}
    status = json.loads(served.vton("review", "status", batch, "--simulate", "--json").out)
    assert (status["to_judge"], status["reviewers"]) == (0, {"Ana": half, "Bo": half})
    assert ana.evaluate(COUNTS) == bo.evaluate(COUNTS) == [0, status["approved"], status["rejected"]]
    process.terminate()
    said = served.end(process)
    assert token_of(served) not in said.out + said.err
    redis.kill()


def test_with_our_own_redis_the_server_is_started_again_and_ends_with_its_command(served, sheet):
    served.run(served.urls(3), "--simulate")
    batch = served.only_batch().folder.name
    process = serve(served)
    ana = sheet("Ana")
    stand_at(ana, "S0")
    press(ana, "p", "x")
    until(ana, ALL_SAVED)
    (server,) = [
        child for child in psutil.Process(process.pid).children() if "worker.callbacks" in child.cmdline()
    ]
    server.kill()
    press(ana, "u")
    until(ana, ALL_SAVED)
    words = {each["sku"]: each["verdict"] for each in in_ledger(served, batch)}
    assert words == {"S0": "approve", "S1": "reject", "S2": "clear"}
    process.terminate()
    assert served.end(process).code == 130
    assert not (served.folder / ".vton/simulated/redis/server.sock").exists()
    assert "process.restarted" in "".join(served.said)
