"""What is odd about rows is noticed when they are fed, as a plan would say it, as long as their pair waits."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.ledger import Ledger
from jobs.pictures.verdict import Remark
from jobs.producing.planning import Planner
from jobs.producing.producer import Produced, Producer
from jobs.producing.queue import Queue
from jobs.records import BatchId, LocalFile, Source, Url
from tests.driver import Driver
from tests.producing.test_producer import Rows, many

NIGHT, OTHER = BatchId("night-01234567"), BatchId("other-01234567")
Feed = Callable[..., tuple[Produced, list[str]]]


@pytest.fixture
def feed(ledger: Ledger, queue: Queue) -> Feed:
    """Feeds a manifest; what was said of it. `gone`: in addresses at which nothing is."""

    def fed(
        names: list[str], batch: BatchId = NIGHT, *, gone: str = "", moving: str = ""
    ) -> tuple[Produced, list[str]]:
        def remarks(text: str) -> tuple[Remark, ...]:
            return (Remark("moving", "a moving picture of 2 frames"),) if moving and moving in text else ()

        def is_plain(text: str) -> bool:
            return not moving and "?" not in text

        def source(text: str) -> Source:
            return LocalFile(path=text, sha256=text) if moving else Url(url=text)

        planner = Planner(source, remarks=remarks, plain=is_plain, folder=Path("/shop"))
        if gone:
            planner.refuse(lambda url: "there is nothing at the address" if gone in url else "")
        producer = Producer(ledger, queue, planner, file_name="night.csv", pace_s=2)
        produced = producer.feed(Rows([*names]), batch)
        return produced, list(producer.problems.lines())

    return fed


def test_suffixes_of_other_kinds_are_said_once_a_pair_and_again_as_long_as_the_pairs_wait(feed: Feed) -> None:
    names = [*many(30), "clip.mp4#", "clip.mp4#", *many(700)]
    for _ in range(2):
        _, said = feed(names)
        assert said[0] == "to look at, sent all the same:"
        assert said[1].startswith(
            "night.csv:32: dress: https://x/clip.mp4#[redacted]: the address ends in .mp4"
        )
        assert len(said) == 2


def test_remarks_are_said_with_their_count_and_examples(feed: Feed) -> None:
    _, said = feed(["a", "b", "c"], moving="anna")
    assert said[1] == "3 rows: person: a moving picture of 2 frames"
    assert len(said) == 5


def test_an_address_that_ends_before_its_turn_is_said(feed: Feed) -> None:
    end = int(time.time()) + 300
    names = [*many(600), f"x.jpg?Expires={end}&Signature=", *many(10)]
    _, said = feed(names)
    assert "before its turn comes" in said[1]
    assert feed(names[-20:], OTHER)[1] == []


def test_nothing_is_said_of_what_is_bought_already(feed: Feed, driver: Driver) -> None:
    feed(["clip.mp4#"])
    driver.succeeded()
    assert feed(["clip.mp4#", "new"], OTHER)[1] == []


def test_a_row_whose_picture_is_not_there_is_left_out_until_it_is(feed: Feed, ledger: Ledger) -> None:
    produced, said = feed(["a", "b"], gone="b.jpg")
    assert (produced.queued, produced.bad) == (1, 1)
    assert said == ["night.csv:3: dress: there is nothing at the address"]
    assert feed(["a", "b"])[0].queued == 1
    produced, _ = feed(["a", "b"], gone="anna.jpg")
    assert (produced.bad, produced.changed, ledger.status(NIGHT).counts) == (2, 2, {"invalid": 2})
