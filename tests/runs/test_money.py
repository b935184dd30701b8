"""Unknown rows of a real run, settled by the vendor's books: every paid picture is there, and nothing is bought twice."""

import csv
import io
import json

from worker.simulator.faults import Strike

PRICE = {"VTON_LIMITS__PRICE_PER_IMAGE": "0.35", "VTON_LIMITS__CURRENCY": "CNY"}
#: Garment → what becomes of its first POST.
LOST = {"g1.png": "reset-after", "g3.png": "reset-before"}


def lose_replies(shop):
    """The replies to two POSTs are lost; of one the task was made."""
    left = dict(LOST)

    def fault(at, asked):
        name = asked["upper_clothes"].rpartition("/")[2]
        return Strike(do=left.pop(name), params={}) if at == "submit" and name in left else None

    shop.vendor.fault = fault


def bill(shop, batch):
    found = json.loads(shop.vton("bill", batch.folder.name, "--json", **PRICE).out)
    return {word: sums["orders"] for word, sums in found["totals"].items()}, found


def test_rows_settled_by_the_vendors_books_are_fetched_or_sent_again_and_bought_once(shop):
    lose_replies(shop)
    manifest = shop.urls(6)
    ended = shop.vton("run", manifest, "-o", "out", **PRICE)
    assert ended.code == 5, ended.err
    batch, vendor = shop.only_batch(), shop.vendor
    assert batch.statuses().count("unknown") == 2
    name = batch.folder.name
    assert f"vton settle {name}\n" in ended.out
    for line in (batch.lines[1], batch.lines[3]):
        assert f"sent at {line['timings']['posted_at']}  {line['request_id']}" in ended.out
    assert "(6 ordered = 2.10 CNY: 4 charged for sure = 1.40 CNY, 2 perhaps charged = 0.70 CNY)" in ended.out
    assert batch.summary["cost"]["perhaps_charged"] == "0.70"
    counts, _ = bill(shop, batch)
    assert counts == {"ordered": 6, "charged_for_sure": 4, "perhaps_charged": 2, "refunded": 0}
    assert counts["charged_for_sure"] <= len(vendor.tasks) == 5 <= counts["ordered"]

    rows = list(csv.DictReader(io.StringIO(shop.vton("settle", name, "--template").out)))
    made = {task.request_id: task_id for task_id, task in vendor.tasks.items()}
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0].keys())
    writer.writeheader()
    for row in rows:
        task_id = made.get(row["request_id"], "")
        writer.writerow(row | {"task_id": task_id, "outcome": "bought" if task_id else "not bought"})
    shop.write("unknown.csv", table.getvalue())
    assert shop.vton("settle", name, "--csv", "unknown.csv", "--yes", "--by", "ann", "-o", "out").code == 0

    batch = shop.run(manifest, **PRICE)
    assert batch.statuses() == ["succeeded"] * 6
    shop.agree(batch)
    assert sorted(vendor.bought().values()) == [1] * 6
    assert len(vendor.submits) == 7, "one was sent once more, since it had not been bought"
    assert [one["outcome"] for one in batch.lines[1]["settled"]] == ["bought"]
    (said,) = batch.lines[3]["settled"]
    assert (said["outcome"], said["by"]) == ("not_bought", "ann")
    counts, found = bill(shop, batch)
    assert counts == {"ordered": 6, "charged_for_sure": 6, "perhaps_charged": 0, "refunded": 1}
    assert {order["task_id"] for order in found["orders"] if order["task_id"]} == vendor.tasks.keys()
    again = shop.vton("settle", name, "--csv", "unknown.csv", "--by", "ben")
    assert (again.code, again.out) == (0, f"{name}: 2 settled so before\n")


def test_a_budget_in_money_is_spent_to_the_picture_and_warned_of_before(shop):
    manifest = shop.urls(6)
    money = PRICE | {"VTON_LIMITS__MAX_COST_PER_BATCH": "1.80"}
    ended = shop.vton("run", manifest, "-o", "out", **money)
    assert ended.code == 8, ended.err
    assert len(shop.vendor.tasks) == 5
    assert "the batch's budget of 1.80 CNY (5 pictures) is reached (limits.max_cost_per_batch)" in ended.out
    assert [each["cost"] for each in ended.events if each["event"] == "budget.near"] in (
        ["1.40 CNY"],
        ["1.75 CNY"],
    )
    assert shop.run(manifest).statuses() == ["succeeded"] * 6
