"""A manifest given again after something about its pictures has changed: the plan and what happens agree."""

import json
import time

from tests.runs.vendor import picture

HEAD = "sku,person,upper_clothes\n"


def test_a_garment_shot_anew_under_its_old_name_is_bought_by_the_same_manifest(shop):
    for name in ("anna", "tee", "top"):
        shop.write(f"{name}.png", picture(name))
    shop.write("night.csv", HEAD + "A,anna.png,tee.png\nB,anna.png,top.png\n")
    batch = shop.vton("enqueue", "night.csv").out.partition(":")[0]
    shop.write("tee.png", picture("another tee"))
    plan = json.loads(shop.vton("plan", "night.csv", "--json").out)
    assert (plan["new"], plan["waiting"]) == (1, 1)
    again = shop.vton("enqueue", "night.csv").out
    assert again == f"{batch}: 2 rows, 1 to submit, 0 reused, 0 duplicate, 0 invalid, 1 changed (resumed)\n"
    shop.write("top.png", b"no picture at all")
    plan = json.loads(shop.vton("plan", "night.csv", "--json").out)
    assert (plan["new"], plan["waiting"], plan["invalid"]) == (0, 1, 1)
    shop.vton("enqueue", "night.csv")
    status = json.loads(shop.vton("status", batch, "--json").out)
    assert status["counts"] == {"queued": 1, "invalid": 1}


def test_addresses_signed_anew_each_night_are_bought_once(shop):
    def night(signature, expires):
        query = f"X-Amz-Date=20{expires}T213000Z&X-Amz-Expires=604800&X-Amz-Signature={signature}"
        rows = [f"S{n},https://s3.example/p.jpg?{query},https://s3.example/{n}.jpg?{query}" for n in range(3)]
        return HEAD + "\n".join(rows) + "\n"

    shop.write("one.csv", night("aa", "990101"))
    shop.write("two.csv", night("bb", "990102"))
    shop.vton("enqueue", "one.csv")
    assert json.loads(shop.vton("plan", "two.csv", "--json").out)["waiting"] == 3
    assert ": 3 rows, 0 to submit" in shop.vton("enqueue", "two.csv").out


def test_addresses_that_have_ended_are_told_and_not_bought(shop):
    query = "X-Amz-Date=20240101T213000Z&X-Amz-Expires=3600&X-Amz-Signature=c"
    cdn = "https://cdn.example"
    rows = [
        f"E-1,{cdn}/p.jpg?{query},{cdn}/1.jpg",
        f"E-2,{cdn}/p.jpg,{cdn}/2.jpg?Expires=1700000000&Signature=x",
    ]
    shop.write("ended.csv", HEAD + "\n".join(rows) + "\n")
    told = shop.vton("plan", "ended.csv").out
    assert "ended.csv:2: person: the address ended at 2024-01-01 22:30 UTC; ask the shop system" in told
    assert "ended.csv:3: upper_clothes: the address ended at 2023-11-14 22:13 UTC" in told
    ended = shop.vton("enqueue", "ended.csv")
    assert (ended.code, "no valid row" in ended.err) == (2, True)
    shop.write("some.csv", HEAD + "\n".join([*rows, f"E-3,{cdn}/p.jpg,{cdn}/3.jpg"]) + "\n")
    done = shop.vton("enqueue", "some.csv")
    assert "3 rows, 1 to submit, 0 reused, 0 duplicate, 2 invalid" in done.out
    assert [event["row"] for event in done.events if event["event"] == "row.invalid"] == [1, 2]
    assert shop.vton("enqueue", "some.csv", "--strict", "--batch", "strict").code == 2


def test_a_plan_tells_addresses_that_end_too_soon_and_those_that_are_no_pictures(shop):
    soon, cdn = int(time.time()) + 200, "https://cdn.example"
    rows = [f"S{n},{cdn}/p.jpg,{cdn}/{n}.mp4?Expires={soon}&Signature=x" for n in range(5)]
    shop.write("night.csv", HEAD + "\n".join([f"L,{cdn}/p.jpg,{cdn}/l.jpg", *rows]) + "\n")
    slow = {"VTON_LIMITS__IMAGES_PER_MINUTE": "1"}
    told = shop.vton("plan", "night.csv", **slow).out
    assert (
        "5 rows: upper_clothes: the address ends in .mp4; HiDream is known to take JPEG, PNG and WEBP" in told
    )
    assert "2 of them have addresses that end before they are sent (the first at " in told
    plan = json.loads(shop.vton("plan", "night.csv", "--json", **slow).out)
    assert (plan["new"], plan["too_late"], plan["first_end_s"]) == (6, 2, soon)
    assert plan["other_kinds"] == {".mp4": 5}


def test_hosts_of_this_network_are_refused_unless_a_setting_or_the_simulator_allows_them(shop):
    shop.write("night.csv", HEAD + "A,http://nas/p.jpg,https://cdn.example/1.jpg\n")
    real = {"VTON_HIDREAM__BASE_URL": "https://hidreamai.com"}
    told = shop.vton("plan", "night.csv", **real).out
    assert "night.csv:2: person: http://nas/p.jpg: HiDream cannot reach it" in told
    assert "1 to buy" in shop.vton("plan", "night.csv", **real, VTON_PICTURES__PRIVATE_HOSTS="allow").out
    assert "1 to buy" in shop.vton("plan", "night.csv", "--simulate", **real).out
    assert "1 to buy" in shop.vton("plan", "night.csv").out, "the vendor is in this network"
