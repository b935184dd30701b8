import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ConfigError
from worker.simulator.faults import Script, parse_rules


def struck(script: str, events: int, *, seed: int = 0, at: str = "submit", **who: str) -> list[int]:
    rules = Script(parse_rules(script), seed=seed)
    return [number for number in range(1, events + 1) if rules.strike(at, **who)]


def test_a_rule_without_when_strikes_always():
    assert struck("[{at: submit, do: reset-after}]", 3) == [1, 2, 3]


def test_ordinals_every_from_to_and_times_choose_the_events():
    assert struck("[{at: submit, do: html, when: {ordinals: [3, 7]}}]", 9) == [3, 7]
    assert struck("[{at: submit, do: html, when: {every: 4}}]", 9) == [4, 8]
    assert struck("[{at: submit, do: html, when: {from: 5, to: 7}}]", 9) == [5, 6, 7]
    assert struck("[{at: submit, do: html, when: {every: 2}, times: 2}]", 9) == [2, 4]
    assert struck("[{at: submit, do: html, when: {every: 2, from: 3, to: 7}}]", 9) == [4, 6]


def test_a_rule_can_name_its_requests():
    script = "[{at: poll, do: html, when: {request_id: [a, b]}}]"
    assert struck(script, 2, at="poll", request_id="a") == [1, 2]
    assert struck(script, 2, at="poll", request_id="c") == []


def test_other_places_are_not_counted():
    rules = Script(parse_rules("[{at: poll, do: html, when: {ordinals: [1]}}]"))
    assert rules.strike("submit") is None
    assert rules.strike("poll") is not None


def test_each_strikes_the_first_events_of_every_chosen_subject():
    rules = Script(parse_rules("[{at: download, do: 404, each: 2, when: {ordinals: [1, 3]}}]"))
    seen = [(name, rules.strike("download", subject=name) is not None) for name in "ababacacac"]
    assert [hit for name, hit in seen if name == "a"] == [True, True, False, False, False]
    assert not any(hit for name, hit in seen if name == "b")
    assert [hit for name, hit in seen if name == "c"] == [True, True, False]


def test_the_first_rule_that_strikes_wins_and_the_others_count_the_event():
    rules = Script(
        parse_rules(
            "[{at: submit, do: html, when: {ordinals: [1]}}, {at: submit, do: empty, when: {from: 1, to: 2}}]"
        )
    )
    assert [strike and strike.do for strike in (rules.strike("submit") for _ in range(3))] == [
        "html",
        "empty",
        None,
    ]
    assert rules.counts() == {"submit:html": 1, "submit:empty": 1}


@given(seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_faults(seed):
    script = "[{at: submit, do: html, when: {probability: 0.3}}]"
    assert struck(script, 50, seed=seed) == struck(script, 50, seed=seed)


def test_a_probability_is_kept_in_the_long_run():
    assert 400 < len(struck("[{at: submit, do: html, when: {probability: 0.1}}]", 5000)) < 600


def test_a_bare_status_is_short_for_the_fault_that_answers_with_it():
    (rule,) = parse_rules("[{at: submit, do: 503}]")
    assert (rule.do, rule.params["status"]) == ("status-before", 503)
    (rule,) = parse_rules("[{at: download, do: 500}]")
    assert (rule.do, rule.params["status"]) == ("status", 500)
    (rule,) = parse_rules("[{at: submit, do: 429, retry_after: absurd}]")
    assert (rule.do, rule.params["retry_after"]) == ("429", "absurd")


def test_defaults_are_filled_in_and_an_empty_script_has_no_rules():
    (rule,) = parse_rules("[{at: task, do: partial, failed: 2}]")
    assert dict(rule.params) == {"pictures": 2, "failed": 2}
    assert parse_rules("") == ()


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("{", "YAML"),
        ("at: submit", "list"),
        ("[reset]", "mapping"),
        ("[{at: submit}]", "`do`"),
        ("[{at: mars, do: html}]", "'mars'"),
        ("[{at: submit, do: hiccup}]", "'hiccup'"),
        ("[{at: poll, do: moderated}]", "'moderated'"),
        ("[{at: submit, do: html, color: red}]", "'color'"),
        ("[{at: submit, do: hang-after, seconds: long}]", "seconds"),
        ("[{at: submit, do: 429, retry_after: soon}]", "retry_after"),
        ("[{at: submit, do: html, created: 1}]", "created"),
        ("[{at: submit, do: html, times: 0}]", "times"),
        ("[{at: submit, do: html, each: x}]", "each"),
        ("[{at: submit, do: html, when: often}]", "when"),
        ("[{at: submit, do: html, when: {chance: 1}}]", "'chance'"),
        ("[{at: submit, do: html, when: {probability: 2}}]", "probability"),
        ("[{at: submit, do: html, when: {ordinals: 3}}]", "ordinals"),
        ("[{at: submit, do: html, when: {request_id: 3}}]", "request_id"),
        ("[{at: [submit], do: html}]", "unknown place"),
        ("[{at: callback, do: shape, shape: round}]", "shape"),
        ("[{at: submit, do: status-before, status: 42}]", "status"),
    ],
)
def test_an_unknown_word_is_one_line_that_names_it(script, word):
    with pytest.raises(ConfigError) as caught:
        parse_rules(script, name="faults.yaml")
    assert str(caught.value).startswith("faults.yaml: ")
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 7
