"""Later versions of a row: rows behind the manifest's with jobs of their own, bought once however often they are wanted."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.cli.retaking import Foreseen, Passed, foresee_retakes, retake
from jobs.errors import NotFoundError, UsageError
from jobs.identity import version_id
from jobs.ledger import Ledger, steps
from jobs.ledger.verdicts import add_verdicts
from jobs.ledger.versions import admit_retakes
from jobs.producing import control
from jobs.producing.queue import Queue
from jobs.records import BatchId, JobState, RequestId, Verdict, counting
from tests.driver import Driver, failure, picture, rid

A = BatchId("a")


class Studio:
    """A ledger in which every job gets a picture of its own, and what people say of them."""

    def __init__(self, driver: Driver, queue: Queue) -> None:
        self.driver, self.ledger, self.queue = driver, driver.ledger, queue
        self.moment = count(1)
        #: Jobs in the order in which a task was bought for them.
        self.bought: list[RequestId] = []

    def make(self, most: int = 99, *, fails: bool = False) -> None:
        """Brings waiting jobs to their end."""
        for _ in range(most):
            if self.driver.ask(token := f"token-{next(self.moment)}").kind != "granted":
                return
            name = next(each for each, claim in self._claims() if claim == token)
            assert self.driver.begin(name, token) == "go"
            task = f"task-{next(self.moment)}"
            assert self.ledger.run(steps.accept(name, token, task, ["s"], first_poll_ms=60_000)).recorded
            self.bought.append(name)
            if fails:
                assert self.ledger.run(steps.fail(name, failure()))
                continue
            assert self.ledger.run(steps.ended(name, task, ["https://x/a.jpg"], "poll", 12_000))
            assert self.ledger.run(steps.succeed(name, [picture(name)], None))

    def _claims(self):
        for key in self.ledger.client.scan_iter(self.ledger.key("job", "*")):
            yield key.rpartition(":")[2], self.ledger.client.hget(key, "claim")

    def say(self, name: str, version: int, verdict: str, *, row: int = 1, batch: BatchId = A) -> None:
        given_at = f"2026-11-28T00:00:00.{next(self.moment):03d}Z"
        one = Verdict(
            row=row,
            picture_sha256=version_id(rid(name), version),
            verdict=verdict,
            reviewer="Ana",
            at=given_at,
        )
        add_verdicts(self.ledger, batch, [one])

    def foresee(self, *skus: str, batch: BatchId = A) -> Foreseen:
        return foresee_retakes(self.ledger, batch, frozenset(skus) or None)

    def retake(self, *skus: str, batch: BatchId = A) -> int:
        return retake(self.ledger, self.queue, batch, self.foresee(*skus, batch=batch).retakes)


@pytest.fixture
def studio(driver: Driver, queue: Queue) -> Studio:
    return Studio(driver, queue)


def test_a_rejected_picture_is_bought_once_more_beside_the_first(studio, driver):
    driver.admit("a", ["x", "y"], seal=True)
    studio.make()
    studio.say("x", 1, "reject")
    foreseen = studio.foresee()
    assert (len(foreseen.retakes), foreseen.pictures) == (1, 1)
    assert studio.retake() == 1
    second = version_id(rid("x"), 2)
    assert driver.line("a") == [second]
    assert driver.job(second).pair == driver.job(rid("x")).pair
    assert not studio.ledger.status(A).complete
    studio.make()
    status = studio.ledger.status(A)
    assert (status.rows, status.retakes, status.counts, status.complete) == (3, 1, {"succeeded": 3}, True)
    assert status.ordered == 3
    assert driver.job(rid("x")).pictures == (picture(rid("x")),)
    assert driver.job(second).pictures == (picture(second),)


def test_the_same_command_again_buys_nothing_whatever_was_made_meanwhile(studio, driver):
    driver.admit("a", ["x"], seal=True)
    studio.make()
    studio.say("x", 1, "reject")
    for word in ((), ("x",)):
        assert studio.retake(*word) == (0 if word else 1)
    assert studio.foresee("x").passed == {Passed.NO_PICTURE: 1}
    studio.make()
    assert studio.retake() == studio.retake("x") == 0
    assert studio.foresee("x").passed == {Passed.NOT_JUDGED: 1}
    studio.say("x", 2, "reject")
    assert studio.retake() == 1
    assert studio.retake() == 0
    studio.make()
    assert studio.bought == [version_id(rid("x"), version) for version in (1, 2, 3)]


def test_one_that_is_approved_is_taken_again_only_by_its_name(studio, driver):
    driver.admit("a", ["x", "y"], seal=True)
    studio.make()
    studio.say("x", 1, "approve")
    assert studio.retake() == 0
    assert studio.retake("x", "y") == 2
    with pytest.raises(UsageError, match="no row with a job has the SKU z; nothing is bought"):
        studio.foresee("x", "z")
    with pytest.raises(NotFoundError):
        studio.foresee(batch=BatchId("none"))


def test_rows_that_share_a_picture_share_its_second_take(studio, driver):
    driver.admit("a", ["x", "x"], seal=True)
    studio.make()
    studio.say("x", 1, "reject")
    assert (len(studio.foresee().retakes), studio.foresee().pictures) == (2, 1)
    assert studio.retake() == 2
    studio.make()
    assert Counter(studio.bought)[version_id(rid("x"), 2)] == 1
    assert driver.counts("a") == {"succeeded": 4}


def test_what_another_batch_has_had_made_again_is_not_bought_a_second_time(studio, driver):
    driver.admit("a", ["x"], seal=True)
    driver.admit("b", ["x"], seal=True)
    studio.make()
    for batch in (A, BatchId("b")):
        studio.say("x", 1, "reject", batch=batch)
    assert studio.retake() == 1
    studio.make()
    assert (len(studio.foresee(batch="b").retakes), studio.foresee(batch="b").pictures) == (1, 0)
    assert studio.retake(batch="b") == 1
    assert driver.line("b") == []
    assert driver.counts("b") == {"succeeded": 2}
    assert len(studio.bought) == 2


def test_cut_off_in_the_middle_and_said_again_each_is_bought_once(studio, driver):
    names = [f"s{number}" for number in range(6)]
    driver.admit("a", names, seal=True)
    studio.make()
    foreseen = studio.foresee(*names)
    admit_retakes(studio.ledger, A, foreseen.retakes[:4])
    studio.make(2)
    assert studio.retake(*names) == 2
    assert studio.retake(*names) == 0
    retake(studio.ledger, studio.queue, A, foreseen.retakes)
    studio.make()
    assert Counter(studio.bought).most_common(1)[0][1] == 1
    assert len(studio.bought) == 12
    assert studio.ledger.later_rows(A) == {number: (number + 6,) for number in range(1, 7)}


def test_several_who_ask_at_once_buy_once(studio, driver):
    names = [f"s{number}" for number in range(20)]
    driver.admit("a", names, seal=True)
    studio.make()
    foreseen = studio.foresee(*names)
    with ThreadPoolExecutor(8) as threads:
        asked = list(threads.map(lambda _: admit_retakes(studio.ledger, A, foreseen.retakes).rows, range(8)))
    assert sorted(asked) == [0] * 7 + [20]
    studio.make()
    assert len(studio.bought) == len(set(studio.bought)) == 40
    assert studio.ledger.status(A).rows == 40


def test_the_same_manifest_again_neither_undoes_nor_buys(studio, driver):
    driver.admit("a", ["x", "y"], seal=True)
    studio.make()
    studio.say("x", 1, "reject")
    studio.retake()
    writes = studio.ledger.batch(A).row_writes
    driver.admit("a", ["x", "y"], seal=True)
    studio.make()
    control.retry_failed(studio.ledger, studio.queue, A)
    assert driver.counts("a") == {"succeeded": 3}
    assert len(studio.bought) == 3
    assert studio.ledger.batch(A).row_writes == writes, "what the manifest was fed with still holds"


def test_a_second_take_that_fails_is_retried_like_any_row_and_cancelled_too(studio, driver):
    driver.admit("a", ["x"], seal=True)
    studio.make()
    studio.say("x", 1, "reject")
    studio.retake()
    studio.make(fails=True)
    assert studio.foresee().passed == {Passed.NO_PICTURE: 1}
    assert control.retry(studio.ledger, studio.queue, A, control.Wanted(failed=True)).queued == 1
    assert control.cancel(studio.ledger, studio.queue, A) == 1
    assert driver.counts("a") == {"succeeded": 1, "cancelled": 1}
    assert control.retry(studio.ledger, studio.queue, A, control.Wanted(failed=True)).queued == 1
    studio.make()
    assert driver.counts("a") == {"succeeded": 2}


def test_a_cancelled_batch_that_is_taken_again_goes_on(studio, driver):
    driver.admit("a", ["x", "y"], seal=True)
    studio.make(1)
    control.cancel(studio.ledger, studio.queue, A)
    (name,) = [name for name in ("x", "y") if driver.state(rid(name)) is JobState.SUCCEEDED]
    assert studio.retake(name) == 1
    studio.make()
    assert driver.counts("a") == {"succeeded": 2, "cancelled": 1}
    assert studio.ledger.active_batches() == ["a"]


def test_addresses_that_have_ended_are_not_sent_again_and_a_batch_that_is_still_read_is_refused(
    studio, driver
):
    driver.admit("a", ["x"])
    with pytest.raises(UsageError, match="not in whole yet"):
        studio.foresee("x")
    studio.ledger.seal(A)
    studio.make()
    ended = '{"person":"https://shop.example/x.jpg?Expires=1000000000&Signature=s","dress":"https://shop.example/d"}'
    studio.ledger.client.hset(studio.ledger.key("job", rid("x")), "pair", ended)
    assert studio.foresee("x").passed == {Passed.ENDED: 1}
    assert studio.retake("x") == 0


def test_a_row_whose_picture_was_changed_has_the_versions_of_its_new_pair_only(studio, driver):
    driver.admit("a", ["x"], seal=True)
    studio.make()
    studio.retake("x")
    studio.make()
    driver.admit("a", ["z"], seal=True)
    studio.make()
    studio.say("z", 1, "reject")
    assert studio.retake() == 1
    studio.make()
    assert studio.bought[-1] == version_id(rid("z"), 3), "a row's versions are numbered on"
    assert studio.retake() == 0


WORDS = st.sampled_from(["approve", "reject", "clear"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("retake"), st.sampled_from("ab"), st.sampled_from(["", "x", "y"])),
        st.tuples(st.just("cut"), st.sampled_from("ab"), st.integers(0, 2)),
        st.tuples(st.just("make"), st.booleans(), st.integers(1, 3)),
        st.tuples(st.just("say"), st.sampled_from("xy"), WORDS),
        st.tuples(st.just("run"), st.sampled_from("ab"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(todo=STEPS)
def test_whatever_happens_no_version_is_bought_twice_nor_without_a_word_on_the_one_before(
    ledger: Ledger, queue: Queue, todo: list
) -> None:
    ledger.client.delete(*ledger.client.scan_iter(f"{ledger.prefix}:*"), "never")
    studio = Studio(Driver(ledger), queue)
    names = {"a": ["x", "y", "x"], "b": ["y", "x"]}
    for batch, rows in names.items():
        studio.driver.admit(batch, rows, seal=True)
    judged: set[tuple[str, int]] = set()
    failed: Counter[str] = Counter()
    for what, first, second in todo:
        match what:
            case "retake":
                studio.retake(*([second] if second else []), batch=BatchId(first))
            case "cut":
                foreseen = studio.foresee("x", "y", batch=BatchId(first))
                admit_retakes(ledger, BatchId(first), foreseen.retakes[:second])
            case "make":
                before = len(studio.bought)
                studio.make(second, fails=first)
                failed.update(studio.bought[before:] if first else ())
            case "say":
                version = max(each for each in range(1, 30) if each == 1 or _made(studio, first, each))
                judged.add((first, version))
                for batch in names:
                    studio.say(first, version, second, batch=BatchId(batch))
            case "run":
                studio.driver.admit(first, names[first], seal=True)
                control.retry_failed(ledger, queue, BatchId(first))
    for name, bought in Counter(studio.bought).items():
        assert bought <= 1 + failed[name]
    for batch, rows in names.items():
        status = ledger.status(BatchId(batch))
        assert sum(status.counts.values()) == status.rows == len(rows) + status.retakes
        assert sum(map(len, ledger.later_rows(BatchId(batch)).values())) == status.retakes
    for name in "xy":
        for version in range(3, 30):
            if ledger.jobs([version_id(rid(name), version)]):
                assert (name, version - 1) in judged


def _made(studio: Studio, name: str, version: int) -> bool:
    found = studio.ledger.jobs([version_id(rid(name), version)])
    return any(job.state is JobState.SUCCEEDED for job in found.values())


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        (["none", "none"], 2),
        (["none", "reject"], 1),
        (["reject", "reject"], 2),
        (["approve", "none"], 1),
        (["approve 1", "approve 2"], 2),
        (["approve 2", "approve 1"], 1),
        (["approve", "reject", "none"], 1),
        (["reject", "", ""], 1),
        (["reject", "none", ""], 2),
        (["", ""], 1),
    ],
)
def test_which_version_counts(words, counts):
    """`""`: it has no picture."""
    said: dict[str, Verdict] = {}
    for place, word in enumerate(words):
        verdict, _, at = word.partition(" ")
        if verdict not in {"", "none"}:
            said[str(place)] = Verdict(
                row=1, picture_sha256=str(place), verdict=verdict, reviewer="Ana", at=at or "1"
            )
    pictures = [[str(place)] if word else [] for place, word in enumerate(words)]
    assert counting(pictures, said.get) + 1 == counts


def test_the_first_version_has_the_pairs_own_id_and_the_others_ids_that_never_change():
    first = RequestId("0f3c9d2e-7a41-5b8e-9c06-3d1e8f2b7a64")
    assert version_id(first, 1) == first
    assert version_id(first, 2) == "cc263b9c-9f8a-50e8-abc1-191d8b6a9096"
    assert version_id(first, 3) == "9c6719c2-8897-5ba9-8413-ae4e0180b435"
