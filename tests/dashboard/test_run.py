"""The dashboard beside a run with real workers: it follows the run, pauses it, lets it go on, and shows its pictures."""

import pytest

from tests.ports import free_port
from tests.report.test_page import DESK, until

PICTURES = 12


@pytest.fixture
def served(shop):
    """A shop whose simulated account takes a few at a time, and its dashboard."""
    shop.env |= {
        "VTON_LIMITS__IN_FLIGHT": "2",
        "VTON_LIMITS__IMAGES_PER_MINUTE": "6000",
        "VTON_PICTURES__THUMBNAIL_HOSTS": "[]",
        "VTON_DASHBOARD__PORT": str(free_port()),
        "VTON_WORKERS__PATIENCE_S": "60",
    }
    process = shop.start("serve", "--dashboard", "--simulate", "-o", "out")
    line = process.stdout.readline()
    port = shop.env["VTON_DASHBOARD__PORT"]
    assert line.startswith(f"dashboard: http://127.0.0.1:{port}/ (its token: "), (
        line,
        process.poll() is not None and process.stderr.read(),
    )
    return shop


def inner(part):
    return f"document.getElementById('{part}').innerText"


def patiently(page, holds, minutes=8):
    """`until`, as long as a busy machine takes to start workers."""
    for _ in range(minutes - 1):
        try:
            return until(page, holds)
        except AssertionError:
            continue
    return until(page, holds)


def test_a_run_is_followed_paused_and_resumed(served, browser):
    context = browser.new_context(**DESK)
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    token = (served.folder / ".vton/simulated/dashboard.token").read_text()
    page.goto(f"http://127.0.0.1:{served.env['VTON_DASHBOARD__PORT']}/#token={token}")
    page.wait_for_selector("#verdict .judged", timeout=120_000)
    page.get_by_role("link", name="Pause…").click()
    page.get_by_role("button", name="Pause").click()
    patiently(page, f"{inner('account')}.includes('Nothing goes out')")
    run = served.start("run", served.urls(PICTURES), "--simulate", "-o", "out")
    patiently(page, f"{inner('batches')}.includes('0 of {PICTURES} with their picture')")
    patiently(page, f"{inner('processes')}.toLowerCase().includes('collect')")
    page.get_by_role("link", name="Resume…").click()
    page.get_by_role("button", name="Resume").click()
    patiently(page, f"{inner('batches')}.includes('{PICTURES} of {PICTURES} with their picture')")
    patiently(page, "[...document.querySelectorAll('.pictures img')].some((img) => img.naturalWidth > 0)")
    assert served.end(run).code == 0
    patiently(page, f"{inner('verdict')}.includes('every row has ended')")
    assert said == []
    context.close()
