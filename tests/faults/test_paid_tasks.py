"""The short form of the scenarios with the double: what may have been bought is never forgotten and never bought again."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults import answers, away, behind, endings, tasks
from tests.faults.outcome import held


def test_a_gateways_word_after_the_purchase_leaves_an_unknown_and_buys_nothing_twice(tmp_path: Path) -> None:
    assert held(answers.after(tmp_path, status=503, jobs=32))


def test_an_answer_that_is_no_success_and_names_a_task_is_adopted(tmp_path: Path) -> None:
    assert held(answers.naming(tmp_path, jobs=40))


def test_bytes_behind_an_answer_answer_nothing_else(tmp_path: Path) -> None:
    assert held(answers.surplus(tmp_path, jobs=24))


def test_half_a_character_in_a_2007_closes_the_account_as_any_2007(tmp_path: Path) -> None:
    assert held(answers.half_character(tmp_path, jobs=20))


def test_a_rotated_token_is_read_again_by_workers_that_stay_up(tmp_path: Path) -> None:
    assert held(answers.rotation(tmp_path, jobs=24))


def test_a_storm_over_all_polls_loses_no_paid_task(tmp_path: Path) -> None:
    assert held(tasks.poll_storm(tmp_path, status=404, for_s=8, jobs=24))


def test_a_status_that_nobody_has_documented_is_no_end(tmp_path: Path) -> None:
    assert held(tasks.odd_for_a_moment(tmp_path, jobs=24))


def test_a_task_that_outlasts_us_is_asked_again_and_bought_again_only_when_a_person_says_so(
    tmp_path: Path,
) -> None:
    assert held(tasks.outlasting(tmp_path, jobs=8, task_s=40, give_up_s=8))


def test_another_tasks_result_is_nobodys_picture(tmp_path: Path) -> None:
    assert held(tasks.mixed_up(tmp_path, jobs=24))


def test_half_a_character_in_a_result_keeps_no_slot(tmp_path: Path) -> None:
    assert held(tasks.half_characters(tmp_path, jobs=16))


def test_pictures_that_were_away_for_16_minutes_are_fetched_by_the_next_run(tmp_path: Path) -> None:
    assert held(away.cdn_away(tmp_path, away_s=4, jobs=16, by_hand=True))


def test_a_picture_is_not_given_up_at_its_first_download_after_a_wrong_setting(tmp_path: Path) -> None:
    assert held(away.hosts_wrong(tmp_path, wrong_s=3, jobs=12, by_hand=True))


def test_an_accepted_answer_outlives_a_redis_outage_and_its_process(tmp_path: Path) -> None:
    assert held(away.answer_in_hand(tmp_path, killed=True, away_s=12, patience_s=2, jobs=30))


def test_a_ledger_that_went_back_in_time_buys_nothing_before_a_person_has_decided(tmp_path: Path) -> None:
    assert held(behind.back_in_time(tmp_path, damage="older", first=6, second=10))


def test_a_copy_of_a_data_folder_leaves_the_original_alone(tmp_path: Path) -> None:
    assert held(behind.copied(tmp_path, jobs=24))


def test_an_embedded_redis_that_dies_is_started_again(tmp_path: Path) -> None:
    assert held(behind.redis_dies(tmp_path, deaths=1, jobs=24))


def test_sighup_ends_a_run_as_sigterm_does(tmp_path: Path) -> None:
    assert held(endings.interrupted(tmp_path, sent=signal.SIGHUP, jobs=20))


def test_a_run_goes_on_when_nobody_listens_any_more(tmp_path: Path) -> None:
    assert held(endings.closed_streams(tmp_path, jobs=16))


@pytest.mark.parametrize(
    "how",
    [
        {"do": "status", "status": 503, "body": "envelope"},
        pytest.param({"do": "code", "code": 2004}, marks=pytest.mark.slow),
    ],
    ids=["503", "2004"],
)
def test_a_pair_that_is_always_turned_away_ends_no_run_and_keeps_none_alive(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    assert held(endings.poison(tmp_path, jobs=12, **how))
