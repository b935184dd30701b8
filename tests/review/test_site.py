"""What the served sheets give to whom, what they refuse, and that what they take is in the ledger."""

import contextlib
import html
import http.client

import httpx
import pytest
import structlog

from jobs.ledger.verdicts import add_verdicts
from jobs.records import REJECT_REASONS, Verdict
from tests.review.conftest import LOOK_TOKEN, TOKEN, said_of
from worker.site.access import HEADER, Access


@pytest.fixture
def entered(site):
    assert site.enter().status_code == 200
    return site


def raw(site, path, method="GET"):
    """A request whose path no client has tidied."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.putheader("cookie", f"{site.access.cookie_name}={site.access.cookie}")
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_without_the_token_every_address_shows_the_same_page_and_nothing_is_taken(site):
    line = site.lines()[0]
    paths = ["/", site.page, f"/b/{site.batch}/{line['images'][0]['path']}", "/b/none/report/index.html"]
    for path in paths:
        answer = site.client.get(path)
        assert (answer.status_code, site.batch in answer.text, "<h1>Contact sheets</h1>" in answer.text) == (
            401,
            False,
            True,
        )
    assert site.send(said_of(line)).status_code == 403
    assert site.kept() == []
    assert site.client.get("/healthz").text == "ok\n"


def test_the_token_opens_and_the_browser_keeps_something_else(site):
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "\u4e2d"):
        assert site.enter(wrong).status_code == 403
    assert site.enter(TOKEN, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert site.enter(TOKEN, **{"x-vton-review": ""}).status_code == 403
    answer = site.enter()
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert "Secure" in site.enter(origin="https://sheets.example").headers["set-cookie"]
    # Over plain HTTP a client does not send that one.
    site.enter()
    assert site.batch in site.client.get("/").text
    assert site.client.get(site.page).status_code == 200


def test_another_token_opens_nothing_that_this_one_opened(site):
    other = Access(f"{TOKEN}-2")
    site.client.cookies.set(other.cookie_name, other.cookie)
    site.client.cookies.set(site.access.cookie_name, other.cookie)
    assert site.client.get(site.page).status_code == 401


def test_who_may_only_look_sees_all_and_what_others_say_and_is_refused_every_verdict(site):
    line, looking = site.lines()[0], Access(LOOK_TOKEN)
    site.enter()
    assert site.send(said_of(line)).status_code == 200
    site.enter(LOOK_TOKEN)
    for path in ("/", site.page, f"/b/{site.batch}/{line['images'][0]['path']}"):
        assert site.client.get(path).status_code == 200
    page = site.client.get(site.page).text
    assert f'content="{looking.page_token}" data-looks' in page
    assert site.access.page_token not in page
    told = site.send(**{HEADER: looking.page_token}).json()
    assert [one["verdict"] for one in told["verdicts"]] == ["approve"]
    # By what its own page has, and by what a page of who judges has.
    refused = site.send(said_of(line, "reject"), **{HEADER: looking.page_token})
    assert (refused.status_code, refused.text) == (403, "role\n")
    assert site.send(said_of(line, "reject")).status_code == 403
    assert site.send(**{HEADER: looking.page_token, "sec-fetch-site": "cross-site"}).status_code == 403
    assert site.send(**{HEADER: ""}).status_code == 403
    assert [one.verdict for one in site.kept()] == ["approve"]
    site.enter()
    assert "data-looks" not in site.client.get(site.page).text.partition("<style")[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-vton-review": ""},
        {"x-vton-review": "enter"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_verdict_that_none_of_our_pages_has_sent_is_not_taken(entered, headers):
    assert entered.send(said_of(entered.lines()[0]), **headers).status_code == 403
    assert entered.kept() == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:{port}", 200), ("http://evil.example", 403), ("null", 403), ("http://[", 403)],
)
def test_a_browser_that_names_its_origin_only_is_believed_for_our_own(entered, origin, status):
    given = {"origin": origin.format(port=entered.port), "x-vton-review": entered.access.page_token}
    answer = entered.client.post(f"/b/{entered.batch}/verdicts", content='{"verdicts": []}', headers=given)
    assert answer.status_code == status


def test_every_answer_forbids_framing_guessing_types_and_telling_where_one_came_from(entered):
    answers = [
        entered.client.get("/"),
        entered.client.get(entered.page),
        entered.client.get("/b/none/report/index.html"),
        entered.client.get(f"/b/{entered.batch}/report/rows/0001.js"),
        entered.client.get("/pages/enter.js"),
        entered.client.get("/nothing"),
        entered.client.delete("/"),
        entered.send(),
    ]
    assert [each.status_code for each in answers] == [200, 200, 404, 200, 200, 404, 405, 200]
    for each in answers:
        assert each.headers["x-frame-options"] == "DENY"
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in each.headers["content-security-policy"]
    assert "connect-src 'self'" in html.unescape(entered.client.get(entered.page).text)


PATHS = [
    "results.jsonl",
    "summary.json",
    ".vton-export.json",
    "report/../results.jsonl",
    "images/../results.jsonl",
    "images/..%2fresults.jsonl",
    "images/%2e%2e/results.jsonl",
    "images/../../secret.jpg",
    "images/..%2f..%2fsecret.jpg",
    "images/%2e%2e%2f%2e%2e%2fsecret.jpg",
    "images//secret.jpg",
    "images/link.jpg",
    "images/folder.jpg",
    "images/a%00.jpg",
    "images/note.svg",
    "report/rows/../../results.jsonl",
    "report/rows/1.js",
    "report/thumbnails/aa/../../../secret.jpg",
    "report/index.html/",
    "report/",
    "",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_but_the_sheets_own_files_is_given(site, path):
    (site.books.out / "secret.jpg").write_bytes(b"secret")
    (site.folder / "images" / "link.jpg").symlink_to(site.books.out / "secret.jpg")
    (site.folder / "images" / "folder.jpg").mkdir()
    (site.folder / "images" / "note.svg").write_text("secret")
    status, content = raw(site, f"/b/{site.batch}/{path}")
    assert (status, b"secret" in content, b"request_id" in content) == (404, False, False)


@pytest.mark.parametrize("batch", ["..", ".", "%2e%2e", "..%2f..", "autumn%2f..", ".hidden", "%00", "\u4e2d"])
def test_a_batchs_name_leads_nowhere_else(site, batch):
    for folder in (site.books.out, site.books.out / ".hidden", site.books.out.parent):
        (folder / "report").mkdir(parents=True, exist_ok=True)
        (folder / "report" / "index.html").write_text("secret")
    status, content = raw(site, f"/b/{batch.encode('ascii', 'replace').decode()}/report/index.html")
    assert (status, b"secret" in content) == (404, False)


def test_pictures_rows_and_thumbnails_are_given_as_what_they_are(entered):
    line = entered.lines()[0]
    image = line["images"][0]
    answer = entered.client.get(f"/b/{entered.batch}/{image['path']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == (entered.folder / image["path"]).read_bytes()
    digest = image["sha256"]
    small = entered.client.get(f"/b/{entered.batch}/report/thumbnails/{digest[:2]}/{digest}.webp")
    assert (small.headers["content-type"], "immutable" in small.headers["cache-control"]) == (
        "image/webp",
        True,
    )
    rows = entered.client.get(f"/b/{entered.batch}/report/rows/0001.js")
    assert rows.text.startswith("vtonRows(")
    page = entered.client.get(entered.page)
    assert f'content="{entered.access.page_token}"' in page.text
    assert TOKEN not in page.text
    assert page.headers["cache-control"] == "no-store"


def test_a_verdict_is_in_the_ledger_when_it_is_answered_and_others_hear_of_it(entered):
    first, second, third = entered.lines()
    answer = entered.send(
        said_of(first), said_of(second, "reject", reasons=["hands", "face"], note="six")
    ).json()
    assert answer["refused"] == {}
    assert [(one.row, one.verdict, one.reasons, one.note) for one in entered.kept()] == [
        (1, "approve", (), ""),
        (2, "reject", ("face", "hands"), "six"),
    ]
    assert (answer["whole"], len(answer["verdicts"])) == (True, 2)
    by_bo = said_of(third, reviewer="Bo")
    news = entered.send(by_bo, since=answer["position"]).json()
    assert (news["whole"], [one["reviewer"] for one in news["verdicts"]]) == (False, ["Bo"])
    # The same again, as after a lost reply, and what came into the ledger by another way.
    again = entered.send(by_bo, since=news["position"]).json()
    assert (again["verdicts"], again["position"], len(entered.kept())) == ([], news["position"], 3)
    by_file = Verdict(**said_of(first, "reject", reviewer="Cy", at="2026-11-27T11:00:00.000Z"))
    add_verdicts(entered.ledger, entered.batch, [by_file])
    heard = entered.send(since=again["position"]).json()["verdicts"]
    assert [(one["reviewer"], one["verdict"]) for one in heard] == [("Cy", "reject")]
    assert entered.send(since="another:2").json()["whole"]


def test_verdicts_that_are_none_or_on_pictures_of_yesterday_are_named_and_the_others_kept(entered):
    first, second, _ = entered.lines()
    answer = entered.send(
        said_of(first, picture_sha256="0" * 64),
        said_of(first),
        said_of(first, "maybe"),
        said_of(first, reviewer=""),
        said_of(first, at="2100-01-01T00:00:00.000Z"),
        said_of(second, reasons=["ugly"]),
        said_of(second, request_id="of another", row="2"),
        said_of(second, request_id="\u4e2d", row=2.5, reviewer="Bo"),
    ).json()
    assert answer["refused"] == {
        "0": "its picture was replaced",
        "2": "verdict is none of approve, reject, clear: 'maybe'",
        "3": "no reviewer; say --reviewer NAME for lines without one",
        "4": "at is in the future: '2100-01-01T00:00:00.000Z'",
        "5": f"unknown reason 'ugly'; reasons are {', '.join(REJECT_REASONS)}",
    }
    assert [(one.row, one.reviewer) for one in entered.kept()] == [(1, "Ana"), (2, "Ana"), (0, "Bo")]


def test_a_ledger_that_has_lost_verdicts_is_said_to_its_pages(entered):
    lines = entered.lines()
    position = entered.send(*map(said_of, lines)).json()["position"]
    key = entered.ledger.key("review", entered.batch)
    entered.ledger.client.hdel(key, next(iter(entered.ledger.client.hkeys(key))))
    answer = entered.send(since=position).json()
    assert (answer["whole"], len(answer["verdicts"])) == (True, 2)


def test_bodies_beyond_their_bounds_and_such_as_are_none_are_refused(entered):
    post = {"x-vton-review": entered.access.page_token, "sec-fetch-site": "same-origin"}
    where = f"/b/{entered.batch}/verdicts"
    big = b'{"verdicts": [], "since": "' + b"x" * 300_000 + b'"}'

    def pieces():
        yield from (big[at : at + 65_536] for at in range(0, len(big), 65_536))

    # Who sends on though he was refused may find the connection closed: what counts is that it was not taken.
    for content, status in (
        (big, 413),
        (pieces(), 413),
        (b"no", 400),
        (b"[" * 100_000, 400),
        (b'{"verdicts": 1}', 400),
    ):
        with contextlib.suppress(httpx.WriteError, httpx.ReadError):
            assert entered.client.post(where, content=content, headers=post).status_code == status
    assert entered.send(batch="none").status_code == 404
    assert entered.kept() == []


def test_a_sheet_of_an_earlier_version_says_how_to_write_it_anew(entered):
    page = entered.folder / "report" / "index.html"
    page.write_text(page.read_text().replace("vton-served", "something"))
    answer = entered.client.get(entered.page)
    assert (answer.status_code, "vton results" in answer.text) == (409, True)


def test_neither_the_token_nor_what_follows_from_it_is_logged(entered):
    with structlog.testing.capture_logs() as logs:
        entered.enter("wrong-token-of-somebody")
        entered.enter()
        entered.send(said_of(entered.lines()[0]))
        entered.send(said_of(entered.lines()[0], "maybe"))
    said = str(logs)
    assert {each["event"] for each in logs} == {"review.refused", "review.saved"}
    for secret in (TOKEN, "wrong-token", entered.access.cookie, entered.access.page_token):
        assert secret not in said
