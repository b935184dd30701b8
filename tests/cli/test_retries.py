"""`vton retry`: what it says before something is bought anew, and whose word it takes."""

from jobs.ledger import steps
from jobs.records import JobState
from tests.driver import failure, rid


def test_what_was_paid_for_is_bought_anew_only_when_a_person_says_so(shop, elsewhere, driver):
    driver.admit("b", ["x"], seal=True)
    driver.submitted(task="t")
    driver.ledger.run(steps.fail(rid("x"), failure(kind="picture_lost")))
    ended = shop.vton("retry", "b", "--lost", **elsewhere.env())
    assert (ended.code, ended.out) == (2, "")
    assert "bought a second time: 1 picture" in ended.err
    assert "--yes" in ended.err
    assert driver.state(rid("x")) is JobState.FAILED
    ended = shop.vton("retry", "b", **elsewhere.env())
    assert ended.out.startswith("b: 0 jobs wait again, 1 old tasks are asked again (nothing is bought")
    assert driver.state(rid("x")) is JobState.SUBMITTED
    driver.ledger.run(steps.fail(rid("x"), failure(kind="picture_lost")))
    ended = shop.vton("retry", "b", "--lost", "--yes", **elsewhere.env())
    assert (ended.code, ended.out.startswith("b: 1 jobs wait again; ")) == (0, True)
    assert driver.job(rid("x")).past_task_ids == ("t",)
