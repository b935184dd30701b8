"""Takes the documents' pictures of the contact sheet and the dashboard: the example catalog, run against the simulator.

Run `python -m examples.drawing.screenshots`; it needs Chromium and Playwright. Which rows the simulator fails differs.
"""

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, sync_playwright

EXAMPLES = Path(__file__).parents[1]
PLACE = EXAMPLES.parent / "docs" / "images"
VTON = str(Path(sys.executable).with_name("vton"))
#: Bytes of a picture at most, and the qualities that are tried for it.
MOST_BYTES, QUALITIES = 150_000, (82, 74, 66, 58, 50)
DESK = {"viewport": {"width": 1280, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
#: Width of each panel of the loop, pixels, and what stands under it.
PANEL = 400
CAPTIONS = ("look at every picture", "judge it by a key", "deliver what is approved")
INK, PAPER = "#24292f", "#ffffff"


def run_catalog(folder: Path) -> str:
    """Runs the example catalog, some of it with faults; returns the batch's name."""
    faults = ("--faults", str(EXAMPLES / "faults.yaml"))
    command = [VTON, "run", str(EXAMPLES / "catalog.csv"), "--simulate", *faults]
    done = subprocess.run(command, cwd=folder, env=_environment(), check=False)
    if done.returncode not in {0, 5, 6}:
        raise SystemExit(done.returncode)
    (batch,) = [path.parent.name for path in (folder / "out").glob("*/summary.json")]
    return batch


@contextmanager
def served(folder: Path, site: str = "review") -> Iterator[tuple[str, str]]:
    """A site of a folder: its address, and its token."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = _environment() | {f"VTON_{site.upper()}__PORT": str(port)}
    command = [VTON, "serve", f"--{site}", "--simulate"]
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            yield address, (folder / ".vton" / "simulated" / f"{site}.token").read_text()
        finally:
            process.terminate()


def open_sheet(
    browser: Browser, entrance: tuple[str, str], batch: str, where: str = "", **options: object
) -> Page:
    """The sheet of a batch in a browser of its own, for Ana."""
    address, token = entrance
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]  # what Playwright takes
    page.goto(f"{address}#token={token}")
    page.get_by_role("link", name=batch).wait_for()
    page.goto(f"{address}b/{batch}/report/index.html{where}")
    page.wait_for_selector("body[data-ready]")
    page.fill("#reviewer", "Ana")
    page.locator("#reviewer").blur()
    return page


def open_dashboard(browser: Browser, entrance: tuple[str, str], **options: object) -> Page:
    """The dashboard in a browser of its own."""
    address, token = entrance
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]  # what Playwright takes
    page.goto(f"{address}#token={token}")
    page.wait_for_selector("#verdict .judged")
    while not page.evaluate("document.getElementById('heard').textContent"):
        page.wait_for_timeout(50)
    return page


def judge(page: Page) -> None:
    """Judges some rows, and leaves one enlarged with a reason and a note."""
    page.locator(".card").first.focus()
    for key in ("p", "p", "1", "x", "p", "3", "x", "p", "p"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    page.keyboard.press("n")
    page.keyboard.type("hem too long")
    page.keyboard.press("Enter")


def take(page: Page) -> Image.Image:
    """What the page shows once all its pictures are there."""
    while not page.evaluate("[...document.images].every((each) => each.complete)"):
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Saves a picture as small as it must be."""
    for quality in QUALITIES:
        packed = io.BytesIO()
        picture.save(packed, "WEBP", quality=quality, method=6)
        if packed.tell() <= MOST_BYTES:
            break
    (PLACE / name).write_bytes(packed.getvalue())
    print(f"{name}: {picture.width} x {picture.height}, {packed.tell():,} bytes at {quality}")


def strip(pictures: list[Image.Image]) -> Image.Image:
    """Screenshots side by side, what is done in each below it."""
    height = PANEL * pictures[0].height // pictures[0].width
    width = len(pictures) * PANEL + (len(pictures) - 1) * 40
    whole = Image.new("RGB", (width, height + 34), PAPER)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(17)
    for number, (picture, caption) in enumerate(zip(pictures, CAPTIONS, strict=True)):
        left = number * (PANEL + 40)
        whole.paste(picture.resize((PANEL, height), Image.Resampling.LANCZOS), (left, 0))
        pen.rectangle((left, 0, left + PANEL - 1, height - 1), outline="#d0d7de")
        pen.text((left + PANEL / 2, height + 20), caption, INK, font, anchor="mm")
        if number:
            middle = height / 2
            pen.line((left - 34, middle, left - 10, middle), INK, 3)
            pen.polygon(((left - 6, middle), (left - 16, middle - 7), (left - 16, middle + 7)), INK)
    return whole


def main() -> None:
    """Takes them all."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        batch = run_catalog(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with served(folder) as entrance:
            save(take(open_sheet(browser, entrance, batch, **DESK)), "sheet-light.webp")
            page = open_sheet(browser, entrance, batch, "#status=succeeded&order=row", **DESK)
            first = take(page)
            judge(page)
            judged = take(page)
            save(judged, "sheet-judging.webp")
            dark = open_sheet(browser, entrance, batch, "#order=row", color_scheme="dark", **DESK)
            save(take(dark), "sheet-dark.webp")
            phone = open_sheet(browser, entrance, batch, "#status=succeeded&order=row", **PHONE)
            phone.locator(".card .head").first.click()
            save(take(phone), "sheet-phone.webp")
            approved = open_sheet(browser, entrance, batch, "#verdict=approve&order=row", **DESK)
            approved.wait_for_selector(".card")
            save(strip([first, judged, take(approved)]), "loop.webp")
        with served(folder, "dashboard") as entrance:
            tall = {"viewport": {"width": 1280, "height": 1100}}
            save(take(open_dashboard(browser, entrance, **tall)), "dashboard.webp")
            save(
                take(open_dashboard(browser, entrance, color_scheme="dark", **PHONE)), "dashboard-phone.webp"
            )
        browser.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("VTON_", "HIDREAM_"))}


if __name__ == "__main__":
    main()
