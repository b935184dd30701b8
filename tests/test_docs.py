"""The documents that people meet first say what is so: links, commands, options, exit codes, settings, words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin
from urllib.parse import unquote

import msgspec
import pytest
import typer
import yaml

from jobs.cli.commands import COMMANDS as COMMAND_NAMES
from jobs.cli.commands import cli, load
from jobs.config.exit_codes import ExitCode
from jobs.config.settings import HiDreamSettings, Settings
from jobs.failpoints import NAMES
from jobs.records import JobState, ResultLine
from jobs.results.tables import REASON_COLUMNS, STATUS_COLUMNS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
GROUP = typer.main.get_command(cli)
COMMANDS = {name: load(name) for name in COMMAND_NAMES}
#: Words that the glossary owes a reader, see docs/glossary.md.
WORDS = [
    "confirmed",
    "term",
    "row",
    "pair",
    "job",
    "manifest",
    "product",
    "batch",
    "verdict",
    "problem",
    "group",
    "finding",
    "fate",
    "alias",
    "epoch",
    "shop",
    "producer",
    "ledger",
    "claim",
    "intent",
    "unknown",
    "proof",
    "paid loss",
    "asked again",
    "order",
    "former",
    "high-water mark",
    "pruning",
    "memory",
    "outbox",
    "checkpoint",
    "wake-up message",
    "gate",
    "permit",
    "lease",
    "wakeups",
    "budget",
    "ordered, charged for sure, perhaps charged, refunded",
    "bill",
    "settlement",
    "pause",
    "breaker",
    "task",
    "sub-task",
    "receiver",
    "bare answer",
    "simulator",
    "watcher",
    "collection",
    "picture",
    "result",
    "contact sheet",
    "thumbnail",
    "verdict",
    "version",
    "reviewer",
    "flag",
    "owner",
    "heartbeat",
    "facts",
    "assessment",
    "health",
    "notice",
    "cause",
    "reconciler",
    "span",
    "trace",
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def section(page: str, heading: str) -> str:
    found = re.split(rf"^## {re.escape(heading)}$", text(page), flags=re.MULTILINE)
    assert len(found) == 2, f"{page}: ## {heading}"
    return re.split(r"^## ", found[1], flags=re.MULTILINE)[0]


def cells(block: str) -> list[list[str]]:
    """The table rows of a section whose first cell is code or a number, without the code marks."""
    rows = [line.strip().strip("|").split(" | ") for line in block.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if re.match(r"`|\d", row[0].strip())]


def console(*pages: Path) -> list[str]:
    """The commands of the `console` blocks, without their prompt."""
    blocks = [
        body for page in pages for kind, body in FENCE.findall(page.read_text("utf-8")) if kind == "console"
    ]
    return [line.removeprefix("$ ") for body in blocks for line in body.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_the_index_lists_every_document_and_the_readme_links_every_one_a_user_needs():
    for stem in {page.stem for page in ROOT.glob("docs/*.md")} - {"index"}:
        assert f"({stem}.md)" in text("docs/index.md"), stem
        assert f"(docs/{stem}.md)" in text("README.md"), stem


#: Its commands, the shell's among them, are executed: tests/test_tutorial.py.
TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.mark.parametrize("line", sorted({*console(*(page for page in PAGES if page != TUTORIAL))}))
def test_every_command_of_a_console_block_exists_with_its_options(line):
    words = line.split()
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", text("Makefile"), re.MULTILINE)
    elif words[:2] == ["docker", "compose"]:
        services = yaml.safe_load(text("docker-compose.yml"))["services"]
        assert [word for word in re.split(r"[\s=]", line) if word in services]
    else:
        assert words[0] == "vton"
        command = COMMANDS[words[1]]
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        assert {word for word in words[2:] if word.startswith("-")} <= known
        for path in re.findall(r"examples/\S+", line):
            assert (ROOT / path).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_sentence_exists_with_its_options(page):
    for words in re.findall(r"`vton ([a-z][^`]*)`", prose(page)):
        command = COMMANDS[words.split()[0]]
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", words)) <= known, words
    for target in re.findall(r"`make ([a-z]+)", prose(page)):
        assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE), target


def test_the_two_commands_of_the_first_screen_are_the_first_of_the_readme():
    assert console(ROOT / "README.md")[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_a_command_stands_in_its_section_and_no_other_does(name):
    block = section("docs/cli.md", f"vton {name}")
    told = [option for row in cells(block) for option in re.findall(r"-{1,2}[a-z][a-z-]*", row[0])]
    params = COMMANDS[name].params
    options = [opt for param in params if param.param_type_name == "option" for opt in param.opts]
    assert sorted(told) == sorted(option for option in options if option not in {"--help", "-h"})
    arguments = [param for param in params if param.param_type_name == "argument"]
    assert all((param.name or "").upper() in block for param in arguments)


def test_every_command_has_a_section():
    told = re.findall(r"^## vton ([\w-]+)$", text("docs/cli.md"), re.MULTILINE)
    assert sorted(told) == sorted(COMMANDS)


def test_every_exit_code_is_told_in_order():
    told = [int(row[0]) for row in cells(section("docs/operations.md", "Exit codes"))]
    assert told == sorted(ExitCode)


#: What makes a failure, its kind by that name or in front.
MAKERS = {"Failure", "RowError", "Lost", "Gap", "_failure", "_refusal"}


def kinds_in(module: str) -> set[str]:
    """The kinds of failure that a module of Python names."""
    tree = ast.parse(module)
    words, kinds, makes = dict[str, ast.expr](), list[ast.expr](), False
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in MAKERS:
                makes = True
                kinds += [*args[:1], *(one.value for one in keywords if one.arg == "kind")]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                kinds += [value for name, value in zip(names, values, strict=True) if _is_kind(name)]
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                words[name] = value
                kinds += [value] * _is_kind(target)
    found = {words.get(each.id, each) if isinstance(each, ast.Name) else each for each in kinds}
    found |= {part for each in found if isinstance(each, ast.IfExp) for part in (each.body, each.orelse)}
    return {
        each.value
        for each in found
        if makes and isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _is_kind(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "kind"


def test_every_kind_of_failure_is_told_and_no_other():
    rows = cells(section("docs/operations.md", "Kinds of failure"))
    told = {row[0].strip("`") for row in rows} - {"vton_error"}
    modules = [*ROOT.glob("jobs/**/*.py"), *ROOT.glob("worker/**/*.py")]
    found = set().union(*(kinds_in(path.read_text("utf-8")) for path in modules))
    found |= set(HiDreamSettings().final_codes.values())
    for path in ROOT.glob("jobs/**/*.lua"):
        for said in re.findall(r"\bkind = ([^,\n]+)", path.read_text("utf-8")):
            found |= set(re.findall(r"'(\w+)'", said))
    assert told == found


def fields_of(record: type[msgspec.Struct], before: str = "") -> Iterator[tuple[str, str]]:
    """The keys of a result line, those of what it holds with a dot before them, and their types in words."""
    for field in msgspec.structs.fields(record):
        name = before + field.encode_name
        many = [one for one in get_args(field.type) if one is not type(None)]
        held = next((one for one in (field.type, *many) if isinstance(one, type(msgspec.Struct))), None)
        if held is None:
            yield name, in_words(field.type)
        else:
            yield from fields_of(held, f"{name}[]." if isinstance(field.default, tuple) else f"{name}.")


def in_words(kind: Any) -> str:
    """A type as the page calls it; a time is a text."""
    plain = {bool: "true or false", int: "number", float: "number", str: "text", dict: "object"}
    kind = getattr(kind, "__supertype__", kind)
    if get_origin(kind) is tuple:
        return f"list of {in_words(get_args(kind)[0])}"
    if type(None) in get_args(kind):
        return " or ".join([*dict.fromkeys(in_words(one) for one in get_args(kind)[:-1]), "null"])
    return plain.get(get_origin(kind) or kind, "text")


def test_every_field_of_a_result_and_every_column_of_the_tables_is_told_in_order():
    rows = cells(section("docs/operations.md", "What a result holds"))
    told = [(row[0].strip("`"), row[1].replace("time", "text")) for row in rows]
    fields = list(fields_of(ResultLine))
    assert told[: len(fields)] == fields
    assert [name for name, _ in told[len(fields) :]] == list(STATUS_COLUMNS)


def test_the_columns_of_failed_csv_are_marked():
    rows = cells(section("docs/operations.md", "What a result holds"))
    columns = {row[0].strip("`"): row[2] for row in rows if row[0].startswith("`vton_")}
    assert {name for name, in_failed in columns.items() if in_failed == "yes"} == set(REASON_COLUMNS)


def _defaults() -> list[tuple[str, str, object]]:
    content = yaml.safe_load(text("config.yaml"))
    folders = [("Folders", key, content.pop(key)) for key in ("output_dir", "data_dir", "output_mode")]
    return folders + [(name, key, value) for name, keys in content.items() for key, value in keys.items()]


@pytest.mark.parametrize(("heading", "key", "default"), _defaults())
def test_every_setting_is_told_with_its_default(heading, key, default):
    told = {row[0]: row[1] for row in cells(section("docs/configuration.md", heading))}
    cell = told[f"`{key}`"]
    assert default == "" if cell == "empty" else yaml.safe_load(cell.strip("`")) == default


def test_no_setting_is_told_that_does_not_exist():
    page = re.split(r"^## Folders$", text("docs/configuration.md"), flags=re.MULTILINE)[1]
    assert len(cells(page)) == len(_defaults())
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == set(Settings.model_fields) - {
        "output_dir",
        "data_dir",
        "output_mode",
    }


def test_every_word_of_the_glossary_is_bold_once_and_none_besides():
    assert sorted(re.findall(r"\*\*(.+?)\*\*", text("docs/glossary.md"))) == sorted(WORDS)


def test_every_failpoint_has_its_row_in_order():
    told = [row[0].strip("`") for row in cells(section("docs/architecture.md", "Where a process may die"))]
    assert told == list(NAMES)


def test_every_state_is_in_the_diagram():
    assert all(state in section("docs/architecture.md", "States of a job") for state in JobState)


def test_the_map_names_every_module_and_folder_and_nothing_else():
    block = section("docs/architecture.md", "The folders, in the order of the work")
    for package, part in zip(("jobs", "worker"), re.split(r"\| `(?:jobs|worker)/`", block)[1:], strict=True):
        folder = ROOT / package
        named = re.findall(r"`([a-z_/*]+(?:\.py|/))`", part)
        found = {path.name for name in named for path in folder.glob(name.rstrip("/"))}
        assert all(list(folder.glob(name)) for name in named)
        modules = {
            path.name for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        }
        assert modules - {"__init__.py"} == found - {"lua"}


def test_the_ledgers_keys_are_those_of_its_module():
    block = section("docs/architecture.md", "The ledger's keys")
    documented = " ".join(row[0] for row in cells(block))
    head = text("jobs/ledger/__init__.py").split('"""')[1].split("\n\n")[1]
    names = {name for line in head.splitlines() for name in re.split(r"[, ]+", line[:16]) if name}
    assert names
    assert all(f"`{name}`" in documented or name in documented for name in names)


def test_the_changelogs_newest_version_is_the_packages():
    version = re.search(r'^version = "(.+)"$', text("pyproject.toml"), re.MULTILINE)
    assert version
    assert (
        re.findall(r"^## \[(\d.+?)\] - \d{4}-\d\d-\d\d$", text("CHANGELOG.md"), re.MULTILINE)[0] == version[1]
    )


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/images/*")), ids=lambda path: path.name)
def test_a_picture_of_the_documents_is_small(path):
    assert path.stat().st_size <= 150_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_folder_of_the_machine_it_was_measured_on(page):
    assert not re.findall(r"/(?:tmp|home|root|work|var/folders)/[\w.-]+", page.read_text(encoding="utf-8"))
