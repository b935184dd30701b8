"""A browser for the sheet: the system's Chromium, driven by Playwright."""

import shutil
from pathlib import Path

import pytest

from tests.report.batch import Batch

#: Names under which systems have it.
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture(
    scope="module"
)  # while Playwright is started its event loop runs in this thread: no asyncio.run beside it
def browser():
    """Chromium without a window; where there is none, what needs it is skipped and says so."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="NOT PROVEN: playwright is not installed")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip("NOT PROVEN: no Chromium here, the sheet was not opened (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()
