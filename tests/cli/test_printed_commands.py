"""Every command that the product prints is one that it understands; what stands in capitals is for a person to fill in."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.cli.commands import COMMANDS, load
from jobs.cli.repeating import run_again, words_of
from jobs.records import BatchId

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("jobs", "worker") for path in (ROOT / folder).rglob("*.py"))
SCRIPTS = sorted((ROOT / "jobs").glob("*/lua/*.lua"))
#: What stands for a value of which the source does not say that it is one word.
SEVERAL = {"words": "", "flag": "--unknown"}
#: Words behind the product's own name that are no command.
PROSE = {"has"}
NAMED = re.compile(r"\bvton ([a-z][a-z-]*)([^.;:,()`\"\n]*)")


def text_of(node: ast.expr) -> str:
    """A literal, with X for each value in it."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.FormattedValue(value=ast.Name(id=name)) if name in SEVERAL:
            return SEVERAL[name]
        case _:
            return "X"


def advised() -> Iterator[tuple[str, str]]:
    """Source and words of each call of `command`, which puts them behind `vton`."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="command"), args=[words, *_]) if text_of(words) != "X":
                    yield path.relative_to(ROOT).as_posix(), text_of(words)


def literals() -> Iterator[tuple[str, str]]:
    """Source and text of each literal that is no docstring."""
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parts = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and not {id(node)} & (prose | parts):
                yield path.relative_to(ROOT).as_posix(), text_of(node)
    for path in SCRIPTS:
        for line in path.read_text("utf-8").splitlines():
            yield path.name, line.partition("--")[0] if line.lstrip().startswith("--") else line


def named() -> Iterator[tuple[str, str, str]]:
    """Source, name and what stands behind it of each command in a literal."""
    for where, text in literals():
        for name, rest in NAMED.findall(text):
            if name not in PROSE:
                yield where, name, rest


@pytest.mark.parametrize(("where", "words"), sorted(set(advised())))
def test_an_advised_command_is_understood_as_it_is_printed(where, words):
    name, *options = shlex.split(words)
    config = [] if name == "pairs" else ["--config", "config.yaml"]
    # These are of the real shop.
    simulate = [] if name in {"doctor", "enqueue"} else ["--simulate"]
    with load(name).make_context(name, [*options, *simulate, *config]) as context:
        assert context.command.name == name, where


@pytest.mark.parametrize(("where", "name", "rest"), sorted(set(named())))
def test_a_command_in_a_sentence_is_one_and_has_the_options_that_it_is_said_with(where, name, rest):
    assert name in COMMANDS, where
    known = {option for parameter in load(name).params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= known, where


def test_there_are_some_of_both():
    assert {words.partition(" ")[0] for _, words in advised()} >= {
        "run",
        "retry",
        "settle",
        "resume",
        "cancel",
        "doctor",
        "recover",
    }
    assert {name for _, name, _ in named()} >= {"results", "restore", "move-ledger"}


def test_the_command_that_runs_a_batch_again_is_the_one_that_made_it(driver, tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    driver.admit("b", ["x"], seal=True)
    assert run_again(driver.ledger, BatchId("b")) == "vton run MANIFEST"
    given = {
        "batch": "b",
        "again": "spring sale",
        "sheet": None,
        "visible_only": True,
        "encoding": "",
        "root": Path("pictures"),
        "only": ["season=ss", "kind=a b"],
        "output": None,
    }
    driver.ledger.set_words(BatchId("b"), words_of(["list.csv", "-odd.csv", "../other.csv"], **given))
    typed = run_again(driver.ledger, BatchId("b"))
    outside = tmp_path / "other.csv"
    assert typed.startswith("vton run list.csv ./-odd.csv ../other.csv --batch b --again 'spring sale'")
    monkeypatch.chdir(tmp_path)
    typed = run_again(driver.ledger, BatchId("b"))
    with load("run").make_context("run", shlex.split(typed)[2:]) as context:
        told = context.params
    assert [Path(each).resolve() for each in told["manifest"]] == [
        tmp_path / "shop/list.csv", tmp_path / "shop/-odd.csv", outside,
    ]  # fmt: skip
    assert (told["batch"], told["again"], told["visible_only"]) == ("b", "spring sale", True)
    assert (told["root"], told["only"]) == (Path("shop/pictures"), ["season=ss", "kind=a b"])


def test_a_manifest_whose_name_is_no_utf8_can_be_given_again(driver):
    driver.admit("b", ["x"], seal=True)
    driver.ledger.set_words(BatchId("b"), words_of(["/shop/n\udce9w.csv"]))
    assert run_again(driver.ledger, BatchId("b")) == "vton run '/shop/n\\xe9w.csv'"
