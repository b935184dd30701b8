"""The contact sheet in a browser: what a merchandiser sees and does, by keys, mouse and touch."""

import shutil
import time

import pytest

from jobs.records import Flag, Inputs, Verdict
from jobs.results.review import read_review
from tests.report.batch import HOSTILE, failed, image, line

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
#: What nobody may hear of while a page is used.
TROUBLE = ("error", "warning")


#: A finger that goes from right to left over the enlarged pictures.
SWIPE = """() => {
    HTMLElement.prototype.setPointerCapture = () => {};
    for (const [kind, clientX] of [["down", 300], ["move", 200], ["up", 120]]) {
        const given = {clientX, clientY: 300, pointerId: 1, bubbles: true};
        document.getElementById("panes").dispatchEvent(new PointerEvent(`pointer${kind}`, given));
    }
}"""
#: SKU and what its card says of its verdict, of each card.
VERDICTS = """[...document.querySelectorAll('.card')].filter((card) => card.querySelector('.verdict')).map((card) => [
    card.querySelector('h2').textContent,
    `${card.querySelector('.verdict').className.split(' ')[1]} ${card.querySelector('.verdict p').textContent}`,
])"""
#: How far each pane's picture is moved down, pixels.
MOVED = """[...document.querySelectorAll('.window > img:not(.over)')].map(
    (img) => new DOMMatrix(getComputedStyle(img).transform).f)"""


@pytest.fixture
def tabs(browser):
    """Opens pages of one reviewer's browser; no error may have been said and no dialog shown when the test ends."""
    contexts, said = [], []

    def watch(page):
        page.on("console", lambda message: message.type in TROUBLE and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))

    def open_tab(path, where="", *, reviewer="Ana", context=None, **options):
        if context is None:
            context = browser.new_context(**(DESK | options))
            context.on("page", watch)
            contexts.append(context)
        page = context.new_page()
        page.goto(f"{path.as_uri()}{where}")
        page.wait_for_selector("body[data-ready]")
        if reviewer:
            page.fill("#reviewer", reviewer)
            page.locator("#reviewer").blur()
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert said == []


def until(page, holds):
    """Waits for it; Playwright's own waiting would need what the page's policy forbids."""
    end = time.monotonic() + 60
    while not _now(page, holds):
        assert time.monotonic() < end, holds
        page.wait_for_timeout(20)


def _now(page, holds):
    """Whether it holds; a page that is just being left or loaded has nothing that could."""
    from playwright.sync_api import Error

    try:
        return page.evaluate(holds)
    except Error as error:
        if "context was destroyed" in error.message or "of null" in error.message:
            return False
        raise


def names(page):
    """SKUs of the cards that are drawn, in their order on the page."""
    found = page.evaluate(
        "[...document.querySelectorAll('.card')].map((c) => [Number(c.ariaPosInSet), c.querySelector('h2').textContent])"
    )
    return [name for _, name in sorted(found)]


def at(page):
    return page.locator(".card.at h2").text_content()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def card(page, sku):
    return page.locator(f'.card:has(h2:text-is("{sku}"))')


def stand_at(page, sku):
    card(page, sku).locator(".head").click()


def verdicts(page):
    """SKU → what its card says of its verdict."""
    found = page.evaluate(VERDICTS)
    return {name: state.removeprefix("v-") for name, state in found}


def saved(page, tmp_path):
    with page.expect_download() as download:
        page.click("#save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def drawn(batch, count, **changed):
    return [batch.drawn(row, size=(60, 80), **changed) for row in range(1, count + 1)]


def test_what_needs_a_person_stands_first(batch, tabs):
    batch.write(batch.drawn(1), failed(2), line(3, "queued"), line(4, "invalid"), batch.drawn(5))
    page = tabs(batch.page)
    assert names(page) == ["SKU-2", "SKU-4", "SKU-3", "SKU-1", "SKU-5"]
    page.select_option("#order", "row")
    assert names(page) == ["SKU-1", "SKU-2", "SKU-3", "SKU-4", "SKU-5"]


def test_a_gap_says_why_whose_it_is_and_whether_again_helps(batch, tabs):
    batch.write(
        failed(1),
        failed(2, "rejected", owner="merch", retryable=False, message="Moderation."),
        failed(3, "unknown", owner="ops", message="HiDream did not answer."),
    )
    page = tabs(batch.page)
    said = {
        sku: " ".join(page.locator(".card", has_text=sku).locator(".reason").inner_text().split())
        for sku in names(page)
    }
    assert said["SKU-1"] == "No picture came. To be fixed by HiDream Running it again may help no_result 1004"
    assert "Moderation. To be fixed by Merchandising Running it again will not help" in said["SKU-2"]
    assert "To be fixed by Operations Running it again buys nothing: operations decide" in said["SKU-3"]


def test_filters_and_search_narrow_each_other_and_stand_in_the_address(batch, tabs):
    rows = [
        batch.drawn(row, size=(60, 80), extra={"colour": "red" if row % 2 else "blue"}) for row in range(1, 7)
    ]
    batch.write(*rows, failed(7), failed(8, owner="ops"))
    page = tabs(batch.page)
    page.click("[data-field=status][data-value=failed]")
    assert names(page) == ["SKU-7", "SKU-8"]
    page.click("[data-field=owner][data-value=ops]")
    assert names(page) == ["SKU-8"]
    page.click(".chips [data-all]")
    page.fill("#search", "sku-3")
    assert names(page) == ["SKU-3"]
    assert page.locator("#shown").text_content() == "1 shown"
    page.fill("#search", "")
    page.select_option("#column", "col.colour")
    page.fill("#value", "BLUE")
    page.keyboard.press("Enter")
    assert names(page) == ["SKU-2", "SKU-4", "SKU-6"]
    page.fill("#search", "4")
    address = page.evaluate("location.href")
    again = tabs(batch.page, "#" + address.partition("#")[2])
    assert names(again) == ["SKU-4"]
    again.fill("#search", "nothing of the kind")
    assert again.locator("#nothing").is_visible()
    again.click("#nothing [data-all]")
    assert len(names(again)) == 8


@pytest.mark.parametrize(
    ("field", "text", "shown"),
    [("reason", "no_result", [2]), ("person", "ann", [1, 2]), ("garment", "coat", [1])],
)
def test_rows_are_found_by_reason_person_and_garment(batch, tabs, field, text, shown):
    batch.write(
        batch.drawn(1, inputs=Inputs(person="ann.jpg", dress="coat.jpg")),
        line(2, "failed", inputs=Inputs(person="ann.jpg", dress="skirt.jpg"), error=failed().error),
        batch.drawn(3, inputs=Inputs(person="eve.jpg", dress="skirt.jpg")),
    )
    page = tabs(batch.page, f"#order=row&{field}={text}")
    assert names(page) == [f"SKU-{row}" for row in shown]
    page.click("#facets button")
    assert len(names(page)) == 3


def test_a_long_sheet_draws_few_cards_and_every_row_is_reached(batch, tabs):
    many = 50_000
    row = batch.drawn(1, size=(60, 80))
    batch.write(*(line(number, images=row.images, inputs=Inputs()) for number in range(1, many + 1)))
    page = tabs(batch.page, **PHONE)
    press(page, "Escape")
    page.locator(".card").first.focus()
    press(page, "End")
    assert at(page) == f"SKU-{many}"
    until(page, f"document.activeElement.querySelector('h2')?.textContent === 'SKU-{many}'")
    box = page.locator(".card.at").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 800
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    until(page, "Math.abs(document.querySelector('.card').row.row - 25000) < 1000")
    assert page.locator(".card").count() <= 150
    page.fill("#search", "sku-31234")
    assert names(page) == ["SKU-31234"]


def test_keys_judge_and_go_on(batch, tabs):
    batch.write(*drawn(batch, 6))
    page = tabs(batch.page)
    stand_at(page, "SKU-1")
    press(page, "p", "3", "5", "x", "x", "n")
    page.keyboard.type("the hem")
    press(page, "Enter")
    assert "The note is kept with the verdict" in page.locator("#said").text_content()
    press(page, "p")
    assert verdicts(page)["SKU-4"] == "approve the hem · by Ana"
    press(page, "ArrowLeft", "n")
    page.keyboard.press("Control+a")
    page.keyboard.type("fine hem")
    press(page, "Enter", "ArrowRight", "p", "u")
    assert at(page) == "SKU-6"
    assert verdicts(page) == {
        "SKU-1": "approve by Ana",
        "SKU-2": "reject Construction, Face · by Ana",
        "SKU-3": "reject by Ana",
        "SKU-4": "approve fine hem · by Ana",
        "SKU-5": "approve by Ana",
        "SKU-6": "none not judged yet",
    }
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert verdicts(page)["SKU-5"] == "none not judged yet"
    assert at(page) == "SKU-5"
    assert page.locator("#unsaved").text_content() == "6 not saved"


def test_a_verdict_keeps_its_place_under_a_filter_that_it_leaves(batch, tabs):
    batch.write(*drawn(batch, 8))
    page = tabs(batch.page, "#verdict=none")
    stand_at(page, "SKU-3")
    press(page, "p", "x")
    assert at(page) == "SKU-5"
    assert names(page) == ["SKU-1", "SKU-2", "SKU-5", "SKU-6", "SKU-7", "SKU-8"]
    page.keyboard.press("Control+z")
    assert at(page) == "SKU-4"
    stand_at(page, "SKU-8")
    press(page, "p")
    assert at(page) == "SKU-7"


def test_shift_judges_a_range(batch, tabs):
    batch.write(*drawn(batch, 7), failed(9))
    page = tabs(batch.page)
    stand_at(page, "SKU-2")
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    assert page.locator("#current").text_content() == "3 rows"
    press(page, "x")
    assert at(page) == "SKU-5"
    page.locator(".card", has_text="SKU-7").locator(".head").click(modifiers=["Shift"])
    page.click("[data-verdict=approve]")
    said = verdicts(page)
    assert [said[f"SKU-{row}"].split()[0] for row in range(1, 8)] == [
        "none",
        *["reject"] * 3,
        *["approve"] * 3,
    ]
    page.click("#undo")
    assert [verdicts(page)[f"SKU-{row}"].split()[0] for row in range(5, 8)] == ["none"] * 3


def test_the_mouse_does_what_keys_do_and_single_keys_can_be_off(batch, tabs):
    batch.write(*drawn(batch, 3))
    page = tabs(batch.page)
    page.uncheck("#keys")
    stand_at(page, "SKU-1")
    press(page, "p", "x", "1")
    assert set(verdicts(page).values()) == {"none not judged yet"}
    page.click("[aria-label='Reject SKU-2']")
    page.click("[data-reason=face]")
    page.fill("#note", "eyes")
    page.click("[data-verdict=reject]")
    assert verdicts(page)["SKU-2"] == "reject Face · eyes · by Ana"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert not page.is_checked("#keys")
    assert verdicts(page)["SKU-2"] == "reject Face · eyes · by Ana"


def test_nobody_judges_without_a_name(batch, tabs):
    batch.write(*drawn(batch, 1))
    page = tabs(batch.page, reviewer="")
    stand_at(page, "SKU-1")
    press(page, "p")
    assert page.locator("#unsaved").text_content() == ""
    page.keyboard.type("Bo")
    press(page, "Enter", "p")
    assert verdicts(page) == {"SKU-1": "approve by Bo"}


def test_a_review_is_saved_loaded_and_merged_the_later_word_counting(batch, tabs, tmp_path):
    batch.write(*drawn(batch, 3, sku=f'=HYPERLINK("x"){HOSTILE}'))
    one, other = tabs(batch.page), tabs(batch.page, reviewer="Bo")
    one.locator(".card").first.focus()
    press(one, "p", "4", "n")
    one.keyboard.type('-1 too, "short"\u4e2d')
    press(one, "Enter")
    first = saved(one, tmp_path)
    assert one.locator("#unsaved").text_content() == "all saved"
    found = list(read_review(first))
    assert [(said.row, said.verdict, said.reasons, said.note, said.reviewer) for said in found] == [
        (1, "approve", (), "", "Ana"),
        (2, "reject", ("length_or_sleeve",), '-1 too, "short"\u4e2d', "Ana"),
    ]
    assert "'=HYPERLINK" in first.read_text("utf-8-sig")
    other.locator(".card").first.focus()
    press(other, "x")
    other.set_input_files("#files", first)
    until(other, "document.getElementById('said').textContent.startsWith('2 verdicts merged')")
    words = [other.locator(".card").nth(index).locator(".verdict p").text_content() for index in range(3)]
    assert words == ["by Bo", 'Length or sleeve · -1 too, "short"\u4e2d · by Ana', "not judged yet"]
    assert sorted(said.reviewer for said in read_review(saved(other, tmp_path))) == ["Ana", "Ana", "Bo"]


def test_verdicts_on_pictures_that_are_not_here_and_lines_that_are_none_are_said(batch, tabs, tmp_path):
    batch.write(*drawn(batch, 1))
    table = tmp_path / "review.csv"
    head = "row;sku;request_id;picture_sha256;verdict;reasons;note;reviewer;at"
    table.write_text(
        f"{head}\n1;a;;{'0' * 64};approve;;;Bo;2026-11-27T10:00:00Z\n1;a;;short;approve;;;Bo;x\n"
    )
    page = tabs(batch.page)
    page.set_input_files("#files", table)
    until(page, "document.getElementById('said').textContent.length > 0")
    assert page.locator("#said").text_content() == (
        "0 verdicts merged; 1 are of pictures that are not on this sheet (replaced?); 1 lines are no verdicts"
    )


def test_what_the_ledger_knows_is_on_the_sheet_and_counts_as_saved(batch, tabs):
    row = batch.drawn(1, size=(60, 80))
    said = Verdict(
        row=1,
        picture_sha256=row.images[0].sha256,
        verdict="reject",
        reasons=("hands",),
        reviewer="Cy",
        at="2026-11-27T10:00:00.000Z",
    )
    batch.write(batch.drawn(1, size=(60, 80), review=(said,)))
    page = tabs(batch.page, "#verdict=reject")
    assert verdicts(page) == {"SKU-1": "reject Hands · by Cy"}
    assert page.locator("#unsaved").text_content() == "all saved"


def test_rows_with_one_picture_share_its_verdict(batch, tabs):
    row = batch.drawn(1, size=(60, 80))
    batch.write(row, line(2, images=row.images))
    page = tabs(batch.page)
    stand_at(page, "SKU-1")
    press(page, "p")
    assert verdicts(page) == {"SKU-1": "approve by Ana", "SKU-2": "approve by Ana"}


def test_nothing_is_lost_over_a_reload_in_two_tabs_and_with_a_full_storage(batch, tabs, tmp_path):
    batch.write(*drawn(batch, 60))
    one = tabs(batch.page)
    other = tabs(batch.page, context=one.context)
    one.fill("#search", "sku-1")
    other.fill("#search", "sku-4")
    stand_at(one, "SKU-1")
    stand_at(other, "SKU-4")
    for _ in range(10):
        press(one, "p")
        press(other, "3")
        press(other, "x")
    # The other's words arrive here without a reload.
    until(one, "document.getElementById('unsaved').textContent === '20 not saved'")
    one.evaluate("""() => {
        let text = 'x'.repeat(1 << 20);
        for (let index = 0; text; index += 1) {
            try { localStorage.setItem(`filler${index}`, text); } catch { text = text.slice(0, text.length >> 1); }
        }
    }""")
    one.fill("#search", "sku-2")
    stand_at(one, "SKU-2")
    for _ in range(11):
        press(one, "x")
    until(one, "document.getElementById('unsaved').textContent === '31 not saved'")
    until(other, "document.getElementById('unsaved').textContent === '31 not saved'")
    one.reload()
    one.wait_for_selector("body[data-ready]")
    assert one.locator("#unsaved").text_content() == "31 not saved"
    assert len(list(read_review(saved(one, tmp_path)))) == 31


def test_the_viewer_lays_side_by_side_flips_and_enlarges_all_panes_together(batch, tabs):
    batch.write(*drawn(batch, 1), batch.drawn(2))
    page = tabs(batch.page)
    for opens in (".tile.person img", ".tile.garment img", ".zoom"):
        page.locator(".card", has_text="SKU-2").locator(opens).click()
        assert page.locator("#viewer").is_visible()
        if opens != ".zoom":
            press(page, "Escape")
    assert page.locator("#panes figcaption").all_text_contents() == ["Person", "Dress", "Result"]
    until(page, "document.querySelector('.made img').naturalWidth === 900")
    assert page.evaluate("document.getElementById('page').inert")
    press(page, "f")
    assert page.locator(".over").is_visible()
    press(page, "f", "z")
    sizes = page.evaluate(
        "[...document.querySelectorAll('.window > img:not(.over)')].map((i) => i.offsetHeight)"
    )
    assert sizes == [1200, 1200, 1200]
    before = page.evaluate(MOVED)
    box = page.locator(".made .window").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 250, steps=4)
    page.mouse.up()
    assert page.evaluate(MOVED) == pytest.approx([place - 50 for place in before], abs=1)
    press(page, "z", "ArrowLeft", "x")
    assert page.locator("#caption").text_content() == "SKU-2 · Wrap dress"
    press(page, "Escape")
    assert not page.locator("#viewer").is_visible()
    assert verdicts(page)["SKU-1"] == "reject by Ana"


def test_a_note_before_the_verdict_waits_at_its_row_and_goes_with_the_verdict(batch, tabs):
    batch.write(*drawn(batch, 3))
    page = tabs(batch.page)
    stand_at(page, "SKU-2")
    press(page, "n")
    page.keyboard.type("too thin")
    press(page, "Enter", "ArrowLeft")
    assert page.locator("#note").input_value() == ""
    press(page, "x")
    assert page.locator("#note").input_value() == "too thin"
    press(page, "6", "u", "ArrowLeft")
    assert page.locator("#note").input_value() == "too thin"
    press(page, "x", "p")
    assert verdicts(page) == {
        "SKU-1": "reject by Ana", "SKU-2": "reject too thin · by Ana", "SKU-3": "approve by Ana",
    }  # fmt: skip


def said_of(row, version, word):
    sha256 = row.versions[version - 1].images[0].sha256
    return Verdict(
        row=row.row, picture_sha256=sha256, verdict=word, reviewer="Cy", at="2026-11-27T10:00:00.000Z"
    )


def test_versions_stand_side_by_side_and_the_one_approved_last_counts(batch, tabs, tmp_path):
    row = batch.several(1)
    batch.write(batch.several(1, review=(said_of(row, 1, "reject"),)), batch.drawn(2))
    page = tabs(batch.page)
    versions = card(page, "SKU-1").locator(".result .version")
    assert versions.all_text_contents() == ["v1 ✕", "v2 ●"]
    assert verdicts(page)["SKU-1"] == "none not judged yet"
    assert page.locator("[data-count=none]").text_content() == "2"
    stand_at(page, "SKU-1")
    press(page, "v")
    assert verdicts(page)["SKU-1"] == "reject by Cy"
    assert page.locator("[data-count=none]").text_content() == "2", "to look is not to judge"
    press(page, "v", "p")
    assert at(page) == "SKU-2"
    assert versions.all_text_contents() == ["v1 ✕", "v2 ✓ ●"]
    versions.first.click()
    page.click("#judge [data-verdict=approve]")
    assert versions.all_text_contents() == ["v1 ✓ ●", "v2 ✓"]
    press(page, "Control+z")
    assert versions.all_text_contents() == ["v1 ✕", "v2 ✓ ●"]
    found = [each for each in read_review(saved(page, tmp_path)) if each.reviewer == "Ana"]
    assert {(each.row, each.request_id, each.picture_sha256, each.verdict) for each in found} >= {
        (1, "job-1-2", row.versions[1].images[0].sha256, "approve")
    }


def test_what_is_said_of_one_version_stays_in_sight_though_another_counts_then(batch, tabs):
    batch.write(batch.several(1), batch.several(2, 6), batch.drawn(3))
    page = tabs(batch.page)
    stand_at(page, "SKU-1")
    press(page, "3", "4")
    versions = card(page, "SKU-1").locator(".result .version")
    assert versions.all_text_contents() == ["v1 ●", "v2 ✕"]
    assert verdicts(page)["SKU-1"] == "reject Construction, Length or sleeve · by Ana"
    assert card(page, "SKU-2").locator(".version").count() == 4
    stand_at(page, "SKU-2")
    press(page, "v", "p")
    assert card(page, "SKU-2").locator(".version").first.text_content() == "v1 ✓ ●"
    stand_at(page, "SKU-3")
    assert not page.locator("#version").is_visible()
    press(page, "v")
    assert page.locator("#said").text_content() == "This row has one version."


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "phone"])
def test_versions_are_compared_enlarged(batch, tabs, options):
    row = batch.several(1)
    batch.write(batch.several(1, review=(said_of(row, 1, "reject"),)))
    page = tabs(batch.page, **options)
    card(page, "SKU-1").locator(".zoom").first.click()
    assert page.locator("#panes figcaption").all_text_contents() == ["Person", "Dress", "v1 ✕", "v2 ●"]
    assert page.locator(".made figcaption").text_content() == "v1 ✕"
    until(
        page,
        "[...document.querySelectorAll('.compared img:not(.over)')].every((i) => i.naturalWidth === 900)",
    )
    page.locator("#panes .version").last.click()
    assert page.locator(".made figcaption").text_content() == "v2 ●"
    page.click("#version")
    assert page.locator(".made figcaption").text_content() == "v1 ✕"
    press(page, "z", "v", "p")
    assert page.locator(".made figcaption").text_content() == "v2 ✓ ●"
    assert page.evaluate("document.documentElement.scrollWidth") == options["viewport"]["width"]


def test_a_phone_judges_by_touch_and_nothing_is_wider_than_it(batch, tabs):
    batch.write(*drawn(batch, 3), failed(9))
    page = tabs(batch.page, "#status=succeeded", **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".card", has_text="SKU-1").locator(".zoom").tap()
    page.evaluate(SWIPE)
    assert page.locator("#caption").text_content().startswith("SKU-2")
    page.locator("[data-verdict=reject]").tap()
    page.locator("#back").evaluate("(button) => button.click()")
    page.locator("[data-reason=hands]").tap()
    page.locator("#close").tap()
    assert verdicts(page)["SKU-2"] == "reject Hands · by Ana"
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_flagged_picture_says_its_flags(batch, tabs):
    flags = tuple(Flag(id=name, value=1, limit=2, evidence="") for name in ("is_garment", "dark"))
    batch.write(batch.drawn(1), batch.drawn(2, flags=flags))
    page = tabs(batch.page)
    assert page.locator(".card .flags").all_text_contents() == ["⚑ is_garment, dark"]
    page.locator(".card").first.locator(".zoom").click()
    assert page.locator("#panes .made figcaption").text_content() == "Result · ⚑ is_garment, dark"


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_has_room_for_a_name_and_gives_a_reason_before_any_verdict(batch, tabs, width):
    batch.write(*drawn(batch, 2))
    page = tabs(batch.page, **PHONE | {"viewport": {"width": width, "height": 700}})
    stand_at(page, "SKU-1")
    page.locator("[data-reason=other]").tap()
    assert verdicts(page)["SKU-1"] == "reject Other · by Ana"
    assert page.locator("#unsaved").text_content() == "1 not saved"
    assert page.locator("#reviewer").bounding_box()["width"] >= 100
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_single_file_travels_alone(batch, tabs, tmp_path):
    batch.write(*drawn(batch, 2))
    alone = tmp_path / "mail" / "sheet.html"
    alone.parent.mkdir()
    shutil.move(batch.file, alone)
    shutil.rmtree(batch.folder)
    page = tabs(alone)
    until(page, "[...document.images].every((each) => each.complete && each.naturalWidth > 0)")
    assert page.locator(".card img").count() == 6


def test_hostile_text_is_text(batch, tabs):
    extra = {HOSTILE: HOSTILE, "title": HOSTILE}
    inputs = Inputs(person=f"https://h/{HOSTILE}", dress=HOSTILE)
    batch.write(
        batch.drawn(1, sku=HOSTILE, extra=extra, inputs=inputs, request_id=HOSTILE),
        line(2, sku=HOSTILE, inputs=inputs, images=(image("images/gone.jpg"),), extra=extra),
        summary={"batch": HOSTILE},
    )
    page = tabs(batch.page, reviewer=HOSTILE[:80])
    assert page.locator("h2").first.text_content() == HOSTILE
    page.locator(".card").last.focus()
    press(page, "2", "Enter", "Escape")
    page.select_option("#column", f"col.{HOSTILE}")
    page.fill("#value", HOSTILE)
    press(page, "Enter")
    assert page.locator("#facets button").text_content() == f"{HOSTILE}: {HOSTILE.lower()} ✕"
    assert page.locator("img[onerror], #sheet script").count() == 0


@pytest.mark.parametrize(
    "options", [DESK, DESK | {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_a_screen_reader_and_a_weak_eye_can_use_it(batch, tabs, options):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="NOT PROVEN: axe is not installed"
    )
    said = failed(8, owner="ops").error
    batch.write(
        *drawn(batch, 3),
        batch.several(4),
        *(
            line(10 + index, status, error=said)
            for index, status in enumerate(
                ("failed", "rejected", "unknown", "invalid", "cancelled", "submitted", "queued")
            )
        ),
        line(20, "queued", inputs=Inputs(person="https://h.example/p.jpg")),
    )
    page = tabs(batch.page, "#order=row", **options)
    stand_at(page, "SKU-1")
    press(page, "p", "1", "x")
    for step in ("", "Enter"):
        if step:
            press(page, step)
        found = axe.Axe().run(page).response["violations"]
        assert [
            (each["id"], [node["target"] for node in each["nodes"]])
            for each in found
            if each["impact"] in {"serious", "critical"}
        ] == []
