"""`vton bill` and `vton settle` as people type them, and money wherever it is said."""

import csv
import io
import json

import pytest

from jobs.ledger import steps
from jobs.records import TaskId
from tests.driver import Driver, failure, rid

PRICE = {"VTON_LIMITS__PRICE_PER_IMAGE": "0.35", "VTON_LIMITS__CURRENCY": "CNY"}


@pytest.fixture
def env(elsewhere, driver: Driver) -> dict[str, str]:
    """A batch: `w` and `=x` perhaps charged, `y` charged for sure, `z` refused."""
    driver.admit("night", ["w", "=x", "y", "z"], seal=True)
    driver.unknown()
    driver.unknown()
    driver.submitted(task="their-task")
    permit = driver.submitting()
    driver.ledger.run(steps.refuse(rid("z"), permit.claim, failure(), answered=True))
    # In this order whatever the clock says: two of them may have been sent in one millisecond.
    first = driver.job(rid("w")).posted_ms
    assert first is not None
    for later, name in enumerate(("w", "=x", "y", "z")):
        driver.ledger.client.hset(driver.ledger.key("job", rid(name)), "begun_ms", first + later)
    return elsewhere.env() | PRICE


def test_the_bill_says_of_every_order_what_is_known_of_its_money(shop, env):
    told = shop.vton("bill", "night", **env).out.splitlines()
    assert told[0].split() == ["posted_at", "money", "price", "batch", "rows", "request_id", "task_id"]
    assert [line.split("  ")[1] for line in told[1:5]] == [
        "perhaps charged", "perhaps charged", "charged for sure", "refunded",
    ]  # fmt: skip
    assert told[3].split()[-1] == "their-task"
    assert [line.split() for line in told[5:9]] == [
        ["3", "ordered", "1.05", "CNY"],
        ["1", "charged", "for", "sure", "0.35", "CNY"],
        ["2", "perhaps", "charged", "0.70", "CNY"],
        ["1", "refunded", "0.35", "CNY"],
    ]
    assert told[9].endswith("then vton settle night")


def test_the_bill_is_a_table_that_no_spreadsheet_runs_and_one_object(shop, env, driver):
    driver.ledger.run(steps.settle(rid("w"), "night", "bought", by="ann", task_id="=1+1"))
    to_file = shop.vton("bill", "--csv", "bill.csv", **env)
    assert "3 ordered" in to_file.out
    text = (shop.folder / "bill.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["task_id"] == "'=1+1"
    assert [(row["price"], row["currency"], row["batch"]) for row in rows] == [("0.35", "CNY", "night")] * 4
    assert shop.vton("bill", "night", "--csv", "-", **env).out == text.replace("\r\n", "\n")
    found = json.loads(shop.vton("bill", "night", "--json", **env).out)
    assert [order["posted_at"] for order in found["orders"]] == [row["posted_at"] for row in rows]
    assert found["totals"]["ordered"] == {"orders": 3, "pictures": 3, "cost": "1.05"}
    assert (found["price_per_image"], found["currency"]) == ("0.35", "CNY")


def test_a_bill_since_a_day_has_what_was_sent_since(shop, env, driver):
    driver.ledger.client.hset(driver.ledger.key("job", rid("y")), "begun_ms", 1_700_000_000_000)
    found = json.loads(shop.vton("bill", "--since", "2023-11-15", "--json", **env).out)
    assert "their-task" not in {order["task_id"] for order in found["orders"]}
    found = json.loads(shop.vton("bill", "--since", "2023-11-14", "--json", **env).out)
    assert "their-task" in {order["task_id"] for order in found["orders"]}
    assert shop.vton("bill", "--since", "yesterday", **env).code == 2


def test_what_the_ledger_has_not_kept_is_said(shop, env, driver):
    driver.ledger.client.delete(driver.ledger.key("job", rid("y")))
    driver.ledger.client.hincrby(driver.ledger.key("batch", "night"), "refunded", 2)
    told = shop.vton("bill", "night", **env).out
    assert "1 order more: the ledger has kept only their number" in told
    assert "      3 refunded  1.05 CNY\n" in told, "as vton status says it"
    assert "2 of the refunds: the ledger has kept only their number" in told


def test_unknown_rows_are_listed_with_times_ids_and_what_to_say(shop, env, driver):
    told = shop.vton("settle", "night", **env).out
    for name in ("w", "=x"):
        assert rid(name) in told
    assert told.count("  may have been sent at 20") == 2
    assert "vton settle night --row 1 --task-id TASK" in told
    assert "vton settle night --template > unknown.csv" in told


def test_one_row_is_settled_by_its_number_or_its_id_and_the_files_say_by_whom(shop, env, driver):
    shop.vton("results", "night", "-o", "out", **env)
    ended = shop.vton(
        "settle", "night", "--row", "1", "--task-id", "found", "--by", "ann", "-o", "out", **env
    )
    assert (ended.code, ended.out) == (
        0,
        "night: 1 bought: fetched by their tasks; gone on with by workers that run, or by: vton run MANIFEST\n",
    )
    lines = [json.loads(text) for text in (shop.folder / "out/night/results.jsonl").read_text().splitlines()]
    (said,) = lines[0]["settled"]
    assert (said["outcome"], said["task_id"], said["by"]) == ("bought", "found", "ann")
    assert said["posted_at"] == lines[0]["timings"]["posted_at"]
    assert lines[2]["settled"] == []
    (held,) = (line for line in lines if line["status"] == "unknown")
    assert held["error"]["message"].endswith(
        f"; look for it at {held['timings']['posted_at']} on HiDream's bill"
    )
    ended = shop.vton("settle", "night", "--request-id", rid("=x"), "--leave", "--by", "ben", **env)
    assert ended.out.startswith("night: 1 left as they are")
    assert "2 left as it is" not in shop.vton("settle", "night", **env).out
    assert "left as it is" in shop.vton("settle", "night", **env).out


def test_sending_once_more_needs_a_persons_yes_and_says_what_it_costs(shop, env, driver):
    ended = shop.vton("settle", "night", "--row", "1", "--not-bought", **env)
    assert ended.code == 2
    assert "charged twice if HiDream has them after all: 1 picture, 0.35 CNY" in ended.err
    assert driver.counts("night")["unknown"] == 2
    assert shop.vton("settle", "night", "--row", "1", "--not-bought", "--yes", **env).code == 0
    assert driver.counts("night") == {"failed": 1, "queued": 1, "submitted": 1, "unknown": 1}
    status = json.loads(shop.vton("status", "night", "--json", **env).out)
    assert (status["ordered"], status["refunded"], status["cost"]["refunded"]) == (2, 2, "0.70")


def test_a_table_beside_the_vendors_list_settles_all_and_twice_is_once(shop, env, driver):
    template = shop.vton("settle", "night", "--template", **env).out
    rows = list(csv.DictReader(io.StringIO(template)))
    assert [(row["row"], row["sku"], row["request_id"]) for row in rows] == [
        ("1", "w", rid("w")), ("2", "'=x", rid("=x")),
    ]  # fmt: skip
    lines = template.splitlines()
    lines[1] = lines[1][:-2] + ",,found"
    lines[2] = lines[2][:-2] + ",Not bought,"
    # As a spreadsheet of a country with decimal commas saves it.
    shop.write("unknown.csv", "\ufeff" + "\r\n".join(lines).replace(",", ";") + "\r\n")
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", "--yes", "--by", "ann", **env)
    assert ended.out.startswith("night: 1 bought: fetched by their tasks, 1 not bought: wait again")
    before = driver.snapshot()
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", "--by", "ben", **env)
    assert (ended.code, ended.out) == (0, "night: 2 settled so before\n")
    assert driver.snapshot() == before


def test_a_table_that_was_settled_in_part_goes_on_where_it_was_cut(shop, env, driver):
    template = shop.vton("settle", "night", "--template", **env).out
    shop.write("unknown.csv", template.replace(",,", ",leave,"))
    shop.vton("settle", "night", "--row", "1", "--leave", "--by", "ann", **env)
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", "--by", "ann", **env)
    assert (ended.code, ended.out) == (0, "night: 1 left as they are, 1 settled so before\n")
    assert [len(driver.job(rid(name)).settled) for name in ("w", "=x")] == [1, 1]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{id};{at};bought;", "bought needs a task id"),
        ("{id};{at};perhaps;", "outcome is none of bought (with its task_id), not bought, leave"),
        ("{id};{at};not bought;t", "only what was bought has a task id"),
        ("{id};{at};;1,79E+18", "a spreadsheet has rounded"),
        ("{id};{at};;two words", "is no task id"),
        ("{id};soon;;t", "posted_at is no time"),
        (";{at};;t", "it names no row"),
    ],
)
def test_a_table_with_a_bad_line_settles_nothing(shop, env, driver, line, why):
    at = shop.vton("settle", "night", "--template", **env).out.splitlines()[1].split(",")[3]
    good = f"{rid('=x')};;leave;"
    bad = line.format(id=rid("w"), at=at)
    shop.write("unknown.csv", f"request_id;posted_at;outcome;task_id\n{good}\n{bad}\n")
    before = driver.snapshot()
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", **env)
    assert ended.code == 2
    assert f"unknown.csv:3: {why}" in ended.err or why in ended.err
    assert driver.snapshot() == before


def test_a_table_without_an_outcome_names_its_rows_and_the_words_that_it_may_have(shop, env, driver):
    template = shop.vton("settle", "night", "--template", **env).out
    shop.write("unknown.csv", template)
    before = driver.snapshot()
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", **env)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "vton: unknown.csv: 2 rows without an outcome, line 2, 3: nothing to settle;"
        " outcome may be bought (with its task_id), not bought, leave\n"
    )
    shop.write("unknown.csv", f"{template.splitlines()[0]}\n,,,,,\n")
    assert (
        "unknown.csv: no row: nothing to settle"
        in shop.vton("settle", "night", "--csv", "unknown.csv", **env).err
    )
    assert driver.snapshot() == before
    lines = template.splitlines()
    shop.write("unknown.csv", "\n".join([lines[0], lines[1].replace(",,", ",leave,"), *lines[2:]]))
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", "--by", "ann", **env)
    assert (ended.code, ended.out) == (0, "night: 1 left as they are\n")
    assert ended.err.startswith("unknown.csv: 1 row without an outcome, line 3: unknown as before\n")


def test_a_table_must_say_of_which_post_it_speaks(shop, env, driver):
    shop.write("unknown.csv", f"row,posted_at,outcome,task_id\n1,,leave,\n9,,leave,\n{''}")
    ended = shop.vton("settle", "night", "--csv", "unknown.csv", **env)
    assert ended.code == 2
    assert "unknown.csv:2: it does not say of which POST" in ended.err
    assert "unknown.csv:3: the batch has no such row" in ended.err


def test_what_cannot_be_settled_so_is_said_with_its_reason(shop, env, driver):
    ended = shop.vton("settle", "night", "--row", "1", "--task-id", "their-task", **env)
    assert (ended.code, ended.out) == (2, "night: 1 not settled\n")
    assert f"row 1: their-task is known as the task of {rid('y')}" in ended.err
    assert (
        "row 3: it is submitted, not unknown"
        in shop.vton("settle", "night", "--row", "3", "--leave", **env).err
    )
    shop.vton("settle", "night", "--row", "1", "--task-id", "one", "--by", "ann", **env)
    ended = shop.vton("settle", "night", "--row", "1", "--task-id", "two", **env)
    assert "it was settled as bought by ann at 20" in ended.err
    assert "--force" in ended.err
    assert shop.vton("settle", "night", "--row", "1", "--task-id", "two", "--force", **env).code == 0
    assert driver.job(rid("w")).task_id == TaskId("two")


@pytest.mark.parametrize(
    "words",
    [
        ("--row", "1"),
        ("--leave",),
        ("--row", "1", "--leave", "--task-id", "t"),
        ("--row", "1", "--request-id", "x", "--leave"),
        ("--template", "--csv", "x.csv"),
        ("--row", "1", "--task-id", "two words"),
    ],
    ids=" ".join,
)
def test_words_that_do_not_go_together_are_refused(shop, env, words):
    assert shop.vton("settle", "night", *words, **env).code == 2


def test_a_plan_says_what_it_will_cost_and_a_budget_in_money_what_it_lets_through(shop):
    manifest = shop.urls(4)
    money = PRICE | {"VTON_LIMITS__MAX_COST_PER_BATCH": "1.00"}
    told = shop.vton("plan", manifest, **money).out
    assert "to order: 4 pictures = 1.40 CNY, at 0.35 each" in told
    assert "the budget lets 2 of them through" in told
    plan = json.loads(shop.vton("plan", manifest, "--json", **money).out)
    assert plan["cost"] == {"price_per_image": "0.35", "currency": "CNY", "to_order": "1.40"}
    assert plan["budget"] == 2


def test_a_status_warns_before_a_budget_in_money_is_spent_and_says_when_it_is(shop, env, driver):
    near = env | {"VTON_LIMITS__MAX_COST_PER_BATCH": "1.05", "VTON_LIMITS__MAX_COST_PER_DAY": "1.40"}
    told = shop.vton("status", "night", **near).out
    assert (
        "money: 3 ordered = 1.05 CNY: 1 charged for sure = 0.35 CNY, 2 perhaps charged = 0.70 CNY; 1 refunded = 0.35 CNY"
        in told
    )
    assert (
        "account: waiting, budget: the batch's budget of 1.05 CNY (3 pictures) is reached (limits.max_cost_per_batch)"
        in told
    )
    less = env | {"VTON_LIMITS__MAX_COST_PER_BATCH": "1.20"}
    assert "is reached" in shop.vton("status", "night", **less).out, "a fourth would cost more"
    more = env | {"VTON_LIMITS__MAX_COST_PER_DAY": "1.10"}
    assert "the day's budget of 1.10 CNY (3 pictures) is reached" in shop.vton("status", **more).out
