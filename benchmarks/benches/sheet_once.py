"""One sheet in one browser: `ROWS KEYS FOLDER`; JSON on stdout."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from PIL import Image as Drawn
from playwright.sync_api import BrowserContext, Page, sync_playwright

from jobs.records import Image, Inputs, ResultLine, Timings
from jobs.report import Sheet, Thumbnails

PICTURES = 200
#: Notes when the first card is drawn.
FIRST = """new MutationObserver((_, seen) => {
  if (!document.querySelector('.card')) return;
  seen.disconnect();
  requestAnimationFrame(() => { window.firstMs = performance.now(); });
}).observe(document, {childList: true, subtree: true})"""
SEARCH = """(text) => { const box = document.getElementById('search'); box.value = text;
  const began = performance.now();
  box.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - began; }"""
SCROLL = """() => new Promise((done) => { let last = 0, longest = 0, frames = 0, cards = 0;
  const step = (now) => { if (last) longest = Math.max(longest, now - last); last = now; frames += 1;
    cards = Math.max(cards, document.querySelectorAll('.card').length);
    if (frames > 300) done([longest, cards]);
    else { scrollBy({top: 60, behavior: 'instant'}); requestAnimationFrame(step); } };
  requestAnimationFrame(step); })"""
FILL = """() => { let text = 'x'.repeat(1 << 20); for (let index = 0; text; index += 1) {
  try { localStorage.setItem(`filler${index}`, text); } catch { text = text.slice(0, text.length >> 1); } } }"""


def main(rows: int, keys: int, folder: Path) -> None:
    """Writes a sheet, opens it, uses it."""
    numbers: dict[str, Any] = {"write_ms": _write(rows, folder, _pictures(folder))}
    page_address = (folder / "out" / "report" / "index.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_init_script(FIRST)
        page = _opened(context, page_address)
        numbers["first_ms"] = page.evaluate("window.firstMs")
        numbers["all_ms"] = page.evaluate("performance.now()")
        searches = [page.evaluate(SEARCH, text) for text in ("dress-0", "dress-00123", "", "red", "")]
        numbers["search_ms"] = sorted(searches)[len(searches) // 2]
        numbers["frame_ms"], numbers["cards"] = page.evaluate(SCROLL)
        numbers["heap_mb"] = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        if keys:
            numbers |= _judge(context, page, page_address, keys)
        browser.close()
    print(json.dumps(numbers))


def _opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    return page


#: How many verdicts the page says are not saved.
UNSAVED = "parseInt(document.getElementById('unsaved').textContent.replace(/,/g, ''))"


def _judge(context: BrowserContext, page: Page, address: str, keys: int) -> dict[str, int]:
    """Two tabs judge in turns by key presses, each picture once; what a third one finds afterwards is what was kept."""
    page.fill("#reviewer", "Ana")
    page.locator("#reviewer").blur()
    tabs = [page, _opened(context, f"{address}#verdict=none&order=sku")]
    page.goto(f"{address}#verdict=none&order=row")
    for count in range(keys):
        if count == keys // 2:
            page.evaluate(FILL)
            tabs[1].reload()
            tabs[1].wait_for_selector("body[data-ready]")
        if count % 50 == 0:
            tab = tabs[count // 50 % 2]
            tab.bring_to_front()
            # What the other tab has judged is known here too, or it would be judged twice.
            # By hand: what waits in the page itself is an eval, which the page's policy forbids.
            while not tab.evaluate(f"({UNSAVED} || 0) >= {count}"):
                tab.wait_for_timeout(20)
            tab.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
        tab.keyboard.press("p" if count % 3 else "x")
    while page.evaluate("document.getElementById('unsaved').textContent.includes('only')"):
        page.wait_for_timeout(20)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    kept = page.evaluate(UNSAVED)
    return {"judged": keys, "kept": kept}


def _pictures(folder: Path) -> list[str]:
    thumbnails = Thumbnails(folder / "thumbnails")
    hashes = []
    (folder / "out" / "images").mkdir(parents=True)
    for number in range(PICTURES):
        path = folder / "out" / "images" / f"{number}.jpg"
        shade = Drawn.linear_gradient("L").resize((768, 1024))
        Drawn.merge("RGB", (shade, shade.rotate(180), Drawn.new("L", shade.size, number))).save(path, "JPEG")
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
        thumbnails.make(hashes[-1], path)
    return hashes


def _write(rows: int, folder: Path, hashes: list[str]) -> float:
    """CPU-ms a row. Each row's picture has a hash of its own, as verdicts want it; their thumbnails repeat."""
    thumbnails = Thumbnails(folder / "thumbnails")
    for row in range(1, rows + 1):
        target = thumbnails.place(_hash(row))
        target.parent.mkdir(exist_ok=True)
        target.hardlink_to(thumbnails.place(hashes[row % PICTURES]))
    began = time.process_time()
    sheet = Sheet(folder / "out", thumbnails, opened=_open, digest=lambda _source: hashes[0])
    for row in range(1, rows + 1):
        number = row % PICTURES
        made = Image(path=f"images/{number}.jpg", url="", sha256=_hash(row), width=768, height=1024, bytes=1)
        sheet.add(
            ResultLine(
                batch="bench",
                row=row,
                sku=f"DRESS-{row:06d}",
                request_id=f"id-{row}",
                status="succeeded" if row % 20 else "failed",
                images=(made,) if row % 20 else (),
                timings=Timings(task_s=12.0),
                inputs=Inputs(person="p.jpg", dress=f"https://cdn.example/garments/{number}.jpg"),
                extra={"title": "Wrap dress", "colour": "red", "season": "AW26"},
            )
        )
    sheet.finish({"batch": "bench"})
    return (time.process_time() - began) / rows * 1000


def _hash(row: int) -> str:
    return hashlib.sha256(str(row).encode()).hexdigest()


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
