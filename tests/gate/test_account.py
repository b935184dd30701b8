"""What the account as a whole goes through: pauses, throttling, the breaker and its probes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from jobs.config.settings import LimitSettings
from jobs.gate import Permit
from jobs.gate.account import (
    LOST,
    PROBE_MS,
    STREAK,
    count_bad_answer,
    count_lost,
    pause,
    suspect_token,
    unpause,
)
from jobs.gate.local_backoff import LONGEST_S, SHORTEST_S, LocalBackoff
from jobs.ledger import Ledger, steps
from jobs.producing import control
from jobs.records import JobState, TaskId
from tests.driver import Answer, Driver, failure, rid
from tests.on_loop import gate_of

MANY = [f"p{number}" for number in range(12)]


@pytest.fixture
def account(driver: Driver) -> Driver:
    """An account with work to do."""
    driver.admit("a", MANY)
    return driver


def throttle(driver: Driver, permit: Answer, wait_ms: int = 5_000) -> int:
    """429 with a Retry-After; returns until when the account is closed."""
    call = driver.give_back_call(permit.request_id or "", permit.claim, "throttle", "429", (wait_ms, 60_000))
    return driver.ledger.run(call)[1]


def trip(driver: Driver, permit: Answer, reason: str = "credits") -> int:
    """Returns 1 when the breaker has just opened."""
    call = driver.give_back_call(permit.request_id or "", permit.claim, "trip", reason, PROBE_MS)
    return driver.ledger.run(call)[2]


# -- pauses --------------------------------------------------------------------------------------------------


def test_a_paused_account_submits_nothing_until_it_is_resumed(account: Driver) -> None:
    permit = account.granted()
    control.pause(account.ledger, "the stylist is looking")
    answer = account.ask()
    assert (answer.kind, answer.reason, answer.detail) == ("wait", "paused", "the stylist is looking")
    assert account.begin(permit.request_id or "", permit.claim) == "closed", "a permit that is out counts too"
    control.resume(account.ledger)
    assert account.begin(permit.request_id or "", permit.claim) == "go"
    account.granted()


def test_a_pause_of_ours_never_replaces_nor_ends_a_persons(account: Driver) -> None:
    control.pause(account.ledger, "by hand")
    assert not account.ledger.run(pause("disk full"))
    assert not account.ledger.run(unpause("disk full"))
    assert account.gate()["paused"] == "by hand"
    control.resume(account.ledger)
    assert account.ledger.run(pause("disk full"))
    assert account.ledger.run(unpause("disk full"))
    assert "paused" not in account.gate()


def test_lost_results_in_a_row_pause_the_account(account: Driver) -> None:
    for _ in range(LOST - 1):
        assert not account.ledger.run(count_lost("no answer"))
    account.succeeded()
    for _ in range(LOST - 1):
        assert not account.ledger.run(count_lost("no answer"))
    assert account.ledger.run(count_lost("no answer"))
    assert account.ask().reason == "paused"
    assert not account.ledger.run(count_lost("no answer")), "it is paused already"


# -- steps that are sent twice, because their reply was lost -------------------------------------------------


def test_an_answer_that_is_counted_twice_counts_once(account: Driver) -> None:
    calls = [count_bad_answer("vendor", "500") for _ in range(STREAK)]
    told = [[account.ledger.run(call), account.ledger.run(call)] for call in calls]
    assert told == [[False, False]] * (STREAK - 1) + [[True, True]]
    assert account.gate()["streak"] == str(STREAK)
    assert int(account.gate()["probe_wait"]) == PROBE_MS[0]


def test_a_loss_that_is_counted_twice_counts_once(account: Driver) -> None:
    calls = [count_lost("no answer") for _ in range(LOST)]
    told = [[account.ledger.run(call), account.ledger.run(call)] for call in calls]
    assert told == [[False, False]] * (LOST - 1) + [[True, True]]


def test_a_pause_that_is_sent_again_does_not_pause_whom_a_person_has_resumed(account: Driver) -> None:
    paused = pause("disk full")
    assert account.ledger.run(paused)
    control.resume(account.ledger)
    assert account.ledger.run(paused)
    assert "paused" not in account.gate()
    resumed = unpause("disk full")
    account.ledger.run(pause("disk full"))
    assert account.ledger.run(resumed)
    account.ledger.run(pause("disk full"))
    assert account.ledger.run(resumed)
    assert account.gate()["paused"] == "disk full"


def test_a_suspicion_that_is_sent_again_answers_the_same(account: Driver) -> None:
    suspicion = suspect_token("401", None)
    before = account.gate()
    assert not account.ledger.run(suspicion)
    opened = account.gate()
    assert opened != before
    assert not account.ledger.run(suspicion)
    assert account.gate() == opened


# -- throttling ----------------------------------------------------------------------------------------------


def test_a_throttled_account_waits_as_a_whole_and_the_job_is_none_the_worse(account: Driver) -> None:
    permit, other = account.submitting(), account.granted()
    throttle(account, permit)
    answer = account.ask()
    assert (answer.reason, answer.detail) == ("throttled", "429")
    assert 4_000 < answer.wait_ms <= 5_000
    assert account.begin(other.request_id or "", other.claim) == "closed"
    job = account.job(permit.request_id)
    assert (job.state, job.attempts, account.line("a")[0]) == (JobState.QUEUED, 0, permit.request_id)
    account.gate(closed_until=0)
    assert account.granted().request_id == permit.request_id


def test_the_longest_wait_counts(account: Driver) -> None:
    first, second = account.submitting(), account.submitting()
    long_ms = throttle(account, first, 60_000)
    assert throttle(account, second, 1_000) == long_ms


def test_a_burst_of_refusals_shrinks_the_rate_once(account: Driver) -> None:
    permits = [account.submitting() for _ in range(4)]
    for permit in permits:
        throttle(account, permit)
    assert float(account.gate()["factor"]) == pytest.approx(0.7)


def test_a_refusal_in_the_next_window_shrinks_it_again_but_never_to_nothing(account: Driver) -> None:
    factors = []
    for _ in range(10):
        permit = account.submitting()
        throttle(account, permit, 1)
        factors.append(float(account.gate()["factor"]))
        fields = account.gate()
        account.gate(factor_ms=int(fields["factor_ms"]) - 60_001, closed_until=0)
    assert factors[1] == pytest.approx((0.7 + 0.15) * 0.7, abs=1e-3)
    assert min(factors) >= 0.1
    assert factors == sorted(factors, reverse=True)


def test_being_busy_closes_for_a_doubling_time_and_leaves_the_rate_alone(account: Driver) -> None:
    waits = []
    for _ in range(4):
        permit = account.submitting()
        call = account.give_back_call(permit.request_id or "", permit.claim, "close", "2004", (0, 6_000))
        waits.append(account.ledger.run(call)[1] - permit.now_ms)
        account.gate(closed_until=0, closed_at=0)
    for wait, expected in zip(waits, (1_000, 2_000, 4_000, 6_000), strict=True):
        assert expected <= wait < expected + 900
    assert "factor" not in account.gate()
    account.submitted()
    assert "busy" not in account.gate(), "it answers again: the next wait is a short one"


@pytest.mark.parametrize("effect", ["close", "throttle", "unsent"])
def test_what_was_under_way_when_the_gate_closed_does_not_double_its_wait(
    account: Driver, effect: str
) -> None:
    permits = [account.submitting() for _ in range(8)]
    calls = [
        account.give_back_call(permit.request_id or "", permit.claim, effect, "503", (0, 60_000))
        for permit in permits
    ]
    closed = {account.ledger.run(call)[1] for call in calls}
    assert len(closed) == 1
    assert account.gate()["busy"] == "1"
    assert closed.pop() - permits[-1].now_ms < 1_900, "one burst is one piece of news"
    # A Retry-After that comes with a later one of them counts all the same.
    account.gate(closed_until=0)
    after = account.submitting()
    late = account.give_back_call(after.request_id or "", after.claim, effect, "503", (30_000, 60_000))
    assert account.ledger.run(late)[1] > after.now_ms + 29_000


def test_a_throttled_gate_says_so_in_the_log(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", ["x"])
    gate = gate_of(ledger, LimitSettings(images_per_minute=1e6), submit_timeout_s=60)
    permit = gate.acquire()
    assert permit is not None
    with structlog.testing.capture_logs() as logs:
        gate.close(permit, "429", 5, throttled=True)
    assert [entry["event"] for entry in logs] == ["gate.throttled"]


def test_one_that_is_turned_away_again_lets_the_others_go_first(driver: Driver) -> None:
    driver.admit("a", ["x", "y"])
    for place in (0, -1):
        permit = driver.submitting()
        assert permit.request_id == rid("x")
        driver.ledger.run(
            driver.give_back_call(permit.request_id or "", permit.claim, "close", "503", (0, 6_000))
        )
        assert driver.line("a")[place] == rid("x")
        driver.gate(closed_until=0, closed_at=0)
    assert driver.granted().request_id == rid("y")


def test_a_callback_that_named_the_task_counts_more_than_a_refusal(driver: Driver) -> None:
    driver.admit("a", ["x"])
    permit = driver.submitting()
    driver.ledger.run(steps.hint(rid("x"), "t"))
    throttle(driver, permit)
    job = driver.job(rid("x"))
    assert (job.state, job.task_id) == (JobState.SUBMITTED, "t"), "it is bought: it is not sent again"
    assert driver.spent("a") == 1
    assert driver.members("leases").keys() == driver.members("due").keys() == {rid("x")}
    assert driver.ask().reason in {"throttled", ""}, "the refusal is the account's all the same"


def test_an_earlier_closing_gives_a_later_resume_no_place_in_the_rate(account: Driver) -> None:
    permit = account.submitting()
    account.ledger.run(account.give_back_call(permit.request_id or "", permit.claim, "close", "503", (1, 1)))
    account.gate(closed_until=0, closed_at=0)
    reserved = account.granted(interval_us=5_000_000).go_ms
    control.pause(account.ledger, "looking")
    control.resume(account.ledger)
    assert account.granted(interval_us=5_000_000).go_ms == reserved + 5_000


# -- what could not be sent ----------------------------------------------------------------------------------


def unsent(driver: Driver) -> list[int]:
    permit = driver.submitting()
    driver_call = driver.give_back_call(
        permit.request_id or "", permit.claim, "unsent", "refused", (0, 60_000)
    )
    reply = driver.ledger.run(driver_call)
    driver.gate(closed_until=0, closed_at=0)
    return reply


def test_when_nothing_can_be_sent_everybody_waits_and_nothing_fails(account: Driver) -> None:
    for _ in range(30):
        assert unsent(account)[1] > 0
    assert account.counts("a") == {"queued": len(MANY)}
    assert account.spent("a") == 0


def try_all(driver: Driver, effect: str, most: int, *, others: bool = True) -> list[int]:
    """The job x is always turned away so, while all others are accepted: how long the account closed each time.

    `others`: a new one stands in the line whenever x has been turned away.
    """
    closings: list[int] = []
    effect, _, why = effect.partition(" ")
    while driver.state(rid("x")) is JobState.QUEUED and len(closings) < most:
        permit = driver.submitting()
        if permit.request_id == rid("x"):
            call = driver.give_back_call(rid("x"), permit.claim, effect, why or "no", (0, 60_000))
            closed, opened = driver.ledger.run(call)[1:3]
            closings.append(closed or opened)
            driver.gate(closed_until=0, closed_at=0)
            if others:
                driver.admit("a", [f"other-{len(closings)}"], first=1 + len(closings))
                # Who was turned away waits at the back.
                driver.ledger.client.lmove(
                    driver.ledger.key("queued", "a"), driver.ledger.key("queued", "a"), "RIGHT", "LEFT"
                )
        else:
            task = TaskId(f"t-{permit.request_id}")
            driver.ledger.run(steps.accept(permit.request_id, permit.claim, task, [], first_poll_ms=1))
            # The clock of the ledger has milliseconds; this answer came after x was turned away.
            if "turned_ms" in driver.raw(rid("x")):
                driver.ledger.client.hincrby(driver.ledger.key("job", rid("x")), "turned_ms", -1)
    return closings


@pytest.mark.parametrize(("effect", "kind"), [("unsent", "not_sent"), ("close", "busy")])
def test_one_job_that_is_always_turned_away_fails_while_the_others_go_on(
    driver: Driver, effect: str, kind: str
) -> None:
    driver.admit("a", ["x"])
    closings = try_all(driver, effect, 100)
    job = driver.job(rid("x"))
    assert (job.state, len(closings)) == (JobState.FAILED, 6)
    assert job.failure is not None
    assert (job.failure.kind, job.failure.retryable) == (kind, True)
    assert "paid_batch" not in driver.raw(rid("x"))
    assert [closed > 0 for closed in closings] == [True] + [False] * 5, "the others do not wait for it"
    driver.admit("b", ["x"])
    assert driver.state(rid("x")) is JobState.QUEUED, "nothing was bought: another batch may ask again"


@pytest.mark.parametrize(("reason", "tries"), [("vendor", 6), ("token", 4)])
def test_one_pair_alone_does_not_speak_for_the_account(driver: Driver, reason: str, tries: int) -> None:
    """HiDream's own 404 or 403, say, because of one picture's address."""
    driver.admit("a", ["x"])
    opened = try_all(driver, f"trip {reason}", 100)
    job = driver.job(rid("x"))
    assert (job.state, opened) == (JobState.FAILED, [1] + [0] * (tries - 1))
    assert job.failure is not None
    assert (job.failure.kind, job.failure.retryable) == ("busy", True)
    assert "breaker" not in driver.gate()


@pytest.mark.parametrize(("reason", "tries"), [("vendor", 8), ("token", 4), ("credits", 100)])
def test_the_last_pair_is_given_up_unless_the_account_may_be_the_cause(
    driver: Driver, reason: str, tries: int
) -> None:
    driver.admit("a", ["x", "y"])
    first = try_all(driver, f"trip {reason}", 1, others=False)
    assert driver.submitted().request_id == rid("y")
    driver.ledger.client.hincrby(driver.ledger.key("job", rid("x")), "turned_ms", -1)
    assert len(first + try_all(driver, f"trip {reason}", 99, others=False)) == tries
    assert driver.state(rid("x")) is (JobState.QUEUED if reason == "credits" else JobState.FAILED)


@pytest.mark.parametrize("reason", ["credits", "module"])
def test_an_account_without_credits_fails_no_job(driver: Driver, reason: str) -> None:
    driver.admit("a", ["x"])
    assert len(try_all(driver, f"trip {reason}", 40)) == 40
    assert driver.state(rid("x")) is JobState.QUEUED


def test_a_rate_that_is_too_high_is_no_jobs_own_trouble(driver: Driver) -> None:
    driver.admit("a", ["x"])
    closings = try_all(driver, "throttle", 10)
    assert driver.state(rid("x")) is JobState.QUEUED
    assert (len(closings), all(closings)) == (10, True), "who is throttled waits, whoever else goes on"


def test_the_last_job_of_all_is_turned_away_a_bounded_number_of_times_once_others_went(
    driver: Driver,
) -> None:
    driver.admit("a", ["x", "y"])
    first = try_all(driver, "close", 2, others=False)
    assert driver.submitted().request_id == rid("y")
    driver.ledger.client.hincrby(driver.ledger.key("job", rid("x")), "turned_ms", -1)
    closings = first + try_all(driver, "close", 100, others=False)
    assert driver.state(rid("x")) is JobState.FAILED
    assert len(closings) == 12
    assert [closed > 0 for closed in closings] == [True, True, False, *[True] * 8, False]


def test_one_that_nobody_passes_is_never_given_up(driver: Driver) -> None:
    driver.admit("a", ["x"])
    assert len(try_all(driver, "close", 60, others=False)) == 60
    assert driver.state(rid("x")) is JobState.QUEUED


class Clock:
    """Seconds, as a test says."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_process_that_cannot_send_rests_twice_as_long_each_time_until_it_is_answered() -> None:
    clock = Clock()
    rest = LocalBackoff(clock)
    assert rest.left_s() == 0
    lasted = []
    for _ in range(7):
        rest.begin()
        rest.begin()
        lasted.append(rest.left_s())
        clock.now_s += rest.left_s()
        assert rest.left_s() == 0
    assert lasted[:3] == [SHORTEST_S, 2 * SHORTEST_S, 4 * SHORTEST_S]
    assert lasted[-1] == LONGEST_S
    rest.begin()
    rest.end()
    assert rest.left_s() == 0
    rest.begin()
    assert rest.left_s() == SHORTEST_S


def test_a_process_that_rests_leaves_its_permits_to_others_and_wakes_when_it_stops(
    ledger: Ledger, driver: Driver
) -> None:
    driver.admit("a", MANY)
    limits = LimitSettings(in_flight=100, images_per_minute=1e6)
    rest = LocalBackoff(Clock())
    sick = gate_of(ledger, limits, submit_timeout_s=60, rest=rest)
    well = gate_of(ledger, limits, submit_timeout_s=60)
    permit = sick.acquire()
    assert permit is not None
    sick.unsent(permit, "no route")
    assert rest.left_s() == SHORTEST_S
    driver.gate(closed_until=0, closed_at=0)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(sick.acquire)
        assert all(well.acquire() is not None for _ in range(5))
        assert not waits.done()
        sick.stop()
        assert waits.result(10) is None
    sick.reached()
    assert rest.left_s() == 0


# -- the breaker ---------------------------------------------------------------------------------------------


def test_an_open_breaker_keeps_the_jobs_queued(account: Driver) -> None:
    permit, other = account.submitting(), account.granted()
    assert trip(account, permit) == 1
    answer = account.ask()
    assert (answer.kind, answer.reason) == ("wait", "credits")
    assert 4_000 < answer.wait_ms <= PROBE_MS[0]
    assert account.begin(other.request_id or "", other.claim) == "closed"
    assert account.counts("a") == {"queued": len(MANY)}
    assert account.spent("a") == 1, "the other permit is still out"


def test_answers_that_were_under_way_open_it_once(account: Driver) -> None:
    permits = [account.submitting() for _ in range(3)]
    assert [trip(account, permit) for permit in permits] == [1, 0, 0]
    assert account.gate()["probe_wait"] == str(PROBE_MS[0])


def test_one_probe_at_a_time_asks_whether_it_is_mended(account: Driver) -> None:
    trip(account, account.submitting())
    account.gate(probe_at=0)
    probe = account.granted()
    assert probe.probe
    assert account.ask().reason == "credits", "the others wait for its answer"
    assert account.begin(probe.request_id or "", probe.claim) == "go"


def test_a_bad_probe_doubles_the_wait_up_to_a_bound(account: Driver) -> None:
    trip(account, account.submitting())
    waits = []
    for _ in range(8):
        account.gate(probe_at=0)
        probe = account.submitting()
        assert probe.probe
        assert trip(account, probe) == 0, "it was open"
        waits.append(int(account.gate()["probe_wait"]))
    assert waits == [min(PROBE_MS[1], PROBE_MS[0] * 2**number) for number in range(1, 9)]


def test_a_good_probe_closes_it(account: Driver) -> None:
    trip(account, account.submitting())
    account.gate(probe_at=0)
    probe = account.submitting()
    taken = account.ledger.run(
        steps.accept(probe.request_id, probe.claim, TaskId("t"), [], first_poll_ms=1_000)
    )
    assert taken.breaker_closed
    assert not {"breaker", "probe", "probe_at", "probe_wait", "streak"} & account.gate().keys()
    account.granted()
    assert account.ledger.client.llen(account.ledger.key("wakeups")) > 0, "the waiters are rung"


def test_a_post_that_was_under_way_when_it_opened_does_not_close_it(account: Driver) -> None:
    early, refused_itself = account.submitting(), account.submitting()
    trip(account, account.submitting())
    accept = steps.accept(early.request_id, early.claim, TaskId("t"), [], first_poll_ms=1_000)
    taken = account.ledger.run(accept)
    assert (taken.recorded, taken.breaker_closed) == (True, False)
    account.ledger.run(
        steps.refuse(refused_itself.request_id, refused_itself.claim, failure(), answered=True)
    )
    assert account.gate()["breaker"] == "credits"


def test_a_refusal_of_the_job_itself_closes_it_too(account: Driver) -> None:
    trip(account, account.submitting())
    account.gate(probe_at=0)
    probe = account.submitting()
    account.ledger.run(steps.refuse(probe.request_id, probe.claim, failure(), answered=True))
    assert "breaker" not in account.gate()


@pytest.mark.parametrize("end", ["given back", "refused by ourselves", "its worker died"])
def test_a_probe_that_was_never_sent_leaves_room_for_the_next(account: Driver, end: str) -> None:
    trip(account, account.submitting())
    account.gate(probe_at=0)
    probe = account.granted()
    match end:
        case "given back":
            account.ledger.run(account.give_back_call(probe.request_id or "", probe.claim))
        case "refused by ourselves":
            account.ledger.run(steps.refuse(probe.request_id, probe.claim, failure(), answered=False))
        case _:
            account.score("posting", probe.request_id, 0)
            account.ledger.run(steps.reconcile(policy="hold", quiet_s=1))
    assert "breaker" in account.gate()
    assert account.granted().probe


def test_a_run_of_bad_answers_opens_it_and_a_good_one_ends_the_run(account: Driver) -> None:
    for _ in range(STREAK - 1):
        assert not account.ledger.run(count_bad_answer("vendor", "500"))
    account.submitted()
    for _ in range(STREAK - 1):
        assert not account.ledger.run(count_bad_answer("vendor", "500"))
    assert account.ledger.run(count_bad_answer("vendor", "500"))
    assert account.ask().reason == "vendor"
    assert not account.ledger.run(count_bad_answer("vendor", "500")), "it is open"
    assert account.gate()["probe_wait"] == str(PROBE_MS[0])


def test_an_unknown_probe_doubles_the_wait(account: Driver) -> None:
    account.ledger.run(count_bad_answer("vendor", "500", enough=1))
    account.gate(probe_at=0)
    probe = account.submitting()
    account.ledger.run(steps.hold(probe.request_id, probe.claim, failure()))
    assert not account.ledger.run(count_bad_answer("vendor", "500"))
    assert account.gate()["probe_wait"] == str(2 * PROBE_MS[0])
    assert account.ask().reason == "vendor"


def test_the_gate_tells_of_an_opened_breaker_once(ledger: Ledger, driver: Driver) -> None:
    driver.admit("a", MANY)
    gate = gate_of(ledger, LimitSettings(in_flight=10, images_per_minute=1e6), submit_timeout_s=60)
    permits = [gate.acquire() for _ in range(3)]
    with structlog.testing.capture_logs() as logs:
        for permit in permits:
            assert isinstance(permit, Permit)
            gate.trip(permit, "credits", "No credits available")
    assert [entry["event"] for entry in logs] == ["breaker.opened"]
    assert logs[0]["why"] == "No credits available"


def test_a_probe_that_is_turned_away_lets_the_next_job_try(account: Driver) -> None:
    trip(account, account.submitting())
    tried = []
    for _ in range(4):
        account.gate(probe_at=0)
        probe = account.submitting()
        tried.append(probe.request_id)
        trip(account, probe)
    assert len(set(tried)) == 4, "one job that the vendor turns away does not shut the account for all"


def test_a_poll_that_is_refused_while_others_are_accepted_says_nothing_of_the_token(account: Driver) -> None:
    since = (account.submitted().submitted_ms or 0) - 1
    assert account.ledger.run(suspect_token("HTTP 403", since))
    assert "breaker" not in account.gate()
    assert not account.ledger.run(suspect_token("HTTP 401", None))
    assert account.gate()["breaker"] == "token"


def test_one_refused_poll_is_forgotten_with_the_next_that_is_answered_though_nothing_is_left_to_buy(
    driver: Driver,
) -> None:
    """Else the breaker would stay open, and the run end with 7 while paid tasks are under way."""
    driver.admit("a", ["x", "y"], seal=True)
    jobs = [driver.submitted() for _ in range(2)]
    driver.ledger.run(suspect_token("401", None))
    assert driver.gate()["breaker"] == "token"
    assert driver.ledger.run(steps.defer(jobs[0].request_id, 500, answered=False))
    assert driver.gate()["breaker"] == "token", "nobody has been answered"
    assert driver.ledger.run(steps.defer(jobs[1].request_id, 500))
    assert "breaker" not in driver.gate()


def test_polls_that_are_refused_for_longer_than_a_probe_waits_are_forgotten_with_one_that_is_answered(
    account: Driver,
) -> None:
    job = account.submitted()
    account.ledger.run(suspect_token("401", None))
    account.gate(probe_at=0)
    assert not account.ledger.run(suspect_token("401", job.submitted_ms))
    assert account.gate()["breaker"] == "token"
    assert account.ledger.run(steps.defer(job.request_id, 500))
    assert "breaker" not in account.gate()


def test_a_token_that_was_refused_to_a_submit_is_not_good_because_polls_are_answered(account: Driver) -> None:
    under_way = account.submitted()
    trip(account, account.submitting(), "token")
    assert account.ledger.run(steps.defer(under_way.request_id, 500))
    assert account.gate()["breaker"] == "token"
