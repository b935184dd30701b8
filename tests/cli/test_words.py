"""Commands that cannot go on: one line, the right exit code, nothing bought and nothing recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from jobs.cli import main
from jobs.identity import batch_id as identify
from jobs.manifest import open_manifest
from jobs.results.jsonl import ResultsFile
from tests.runs.shop import PATIENCE_S, TOKEN

ROW = "sku,person,upper\na,https://cdn.example/p,https://cdn.example/g\n"


def one_line(ended):
    (line,) = ended.err.splitlines()
    assert line.startswith("vton: ")
    return line


def test_without_a_token_a_run_says_how_to_give_one(shop):
    shop.write("night.csv", ROW)
    ended = shop.vton("run", "night.csv", HIDREAM_TOKEN="")
    assert ended.code == 7
    assert "HIDREAM_TOKEN" in one_line(ended)


@pytest.mark.parametrize("command", ["run", "enqueue", "plan"])
def test_a_manifest_that_is_not_there_is_not_found(shop, command):
    ended = shop.vton(command, "nowhere.csv")
    assert ended.code == 4
    assert "nowhere.csv" in one_line(ended)


@pytest.mark.parametrize("command", ["status", "results", "retry", "cancel"])
def test_a_batch_that_is_not_there_is_not_found(shop, command):
    ended = shop.vton(command, "nothing-00000000")
    assert ended.code == 4
    assert "nothing-00000000" in one_line(ended)


@pytest.mark.parametrize("words", [("run",), ("enqueue", "--strict")], ids=" ".join)
def test_a_manifest_without_a_valid_row_is_refused_with_every_reason(shop, words):
    shop.write(
        "night.csv", "sku,person,upper\na,,https://cdn.example/g\nb,nowhere.jpg,https://cdn.example/g\n"
    )
    ended = shop.vton(words[0], "night.csv", *words[1:])
    assert ended.code == 2
    assert "night.csv:2: person: " in ended.err
    assert "night.csv:3: person: nowhere.jpg: there is no such file" in ended.err
    assert shop.vton("status").out.startswith("no batch yet")


def test_strict_refuses_a_manifest_with_one_bad_row_before_anything_is_recorded(shop):
    shop.write("night.csv", ROW + "b,,https://cdn.example/g\n")
    ended = shop.vton("run", "night.csv", "--strict")
    assert ended.code == 2
    assert "night.csv:3: person: " in ended.err
    assert shop.vton("status").out.startswith("no batch yet")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"VTON_LIMITS__IN_FLIGHT": "0"}, "limits.in_flight"),
        ({"VTON_LIMITS__IN_FLIGHT": "many"}, "limits.in_flight"),
        ({"VTON_LIMITS__IMAGES_PER_MINUTE": "nan"}, "limits.images_per_minute"),
        ({"VTON_LIMITS__SPEED": "9"}, "limits.speed"),
        ({"VTON_LIMIT__IN_FLIGHT": "9"}, "VTON_LIMIT__IN_FLIGHT"),
        ({"VTON_HIDREAM__BASE_URL": "hidreamai.com"}, "hidream.base_url"),
        ({"VTON_REDIS__URL": "localhost"}, "redis.url"),
        ({"VTON_REDIS__URL": "redis://127.0.0.1:1/0"}, "redis.url"),
        ({"VTON_DATA_DIR": "/dev/null/data"}, "/dev/null/data"),
    ],
    ids=lambda value: "=".join(*value.items()) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_one_line_that_names_it(shop, env, said):
    shop.write("night.csv", ROW)
    ended = shop.vton("run", "night.csv", **env)
    assert ended.code == 7
    assert said in one_line(ended)


def test_a_key_that_config_yaml_does_not_know_or_must_not_hold_is_named(shop):
    shop.write("config.yaml", "limits: {in_flight: 2, sped: 3}\n")
    ended = shop.vton("status")
    assert ended.code == 7
    assert "limits.sped" in one_line(ended)
    shop.write("config.yaml", "hidream: {token: abc}\n")
    ended = shop.vton("status")
    assert ended.code == 7
    assert "hidream.token" in one_line(ended)


@pytest.mark.parametrize(
    "words",
    [
        ("fly",),
        ("run",),
        ("run", "night.csv", "--speed", "9"),
        ("run", "night.csv", "--deadline", "soon"),
        ("run", "night.csv", "--batch", "../x"),
        ("run", "night.csv", "--faults", "x.yaml"),
    ],
    ids=" ".join,
)
def test_wrong_words_end_with_two(shop, words):
    shop.write("night.csv", ROW)
    assert shop.vton(*words).code == 2


def test_an_output_folder_that_cannot_be_one_is_refused_before_anything_is_bought(shop):
    shop.write("night.csv", ROW)
    shop.write("out", "a file of that name")
    ended = shop.vton("run", "night.csv", "-o", "out")
    assert ended.code in {2, 7}
    assert "out" in one_line(ended)


@pytest.mark.parametrize("words", [(), ("--batch", "mine")], ids=" ".join)
def test_a_run_over_results_of_another_ledger_is_refused_before_anything_is_recorded(shop, words):
    manifest = open_manifest(str(shop.write("night.csv", ROW)))
    batch = words[1] if words else identify(manifest.name, manifest.digest)
    folder = shop.folder / "out" / batch
    folder.mkdir(parents=True)
    file = ResultsFile(folder, "b" * 32)
    file.append(['{"row": 1}'], "9-0", lambda: None, after=file.begin(lambda: None))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ended = shop.vton("run", "night.csv", "-o", "out", *words)
    assert ended.code == 7
    line = one_line(ended)
    assert f"out/{batch} has results of another ledger" in line
    assert "--accept-new-ledger" in line
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert shop.vton("status").out.startswith("no batch yet")


@pytest.mark.parametrize("words", [("status",), ("config",)], ids=" ".join)
def test_a_standard_output_without_room_is_named_as_what_it_is(shop, words):
    with open("/dev/full", "w") as full:  # noqa: PTH123 no file of ours
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("vton")), *words],
            cwd=shop.folder,
            env=shop.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (7, "vton: No space left on device\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (
            UnicodeEncodeError("ascii", "衣", 0, 1, "ordinal not in range(128)"),
            "cannot be read or written here",
        ),
        (redis.ResponseError("DB index is out of range"), "redis: DB index is out of range"),
    ],
    ids=repr,
)
def test_a_cause_outside_is_told_in_one_line_and_is_no_internal_error(monkeypatch, capsys, error, said):
    def broken():
        raise error

    monkeypatch.setattr("jobs.cli.commands.cli", broken)
    before = os.umask(0o022)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        os.umask(before)
    (line,) = capsys.readouterr().err.splitlines()
    assert (ended.value.code, said in line, "internal error" in line) == (7, True, False)


def test_config_prints_every_setting_in_force_and_no_secret(shop):
    ended = shop.vton("config", VTON_REDIS__URL=f"redis://:{TOKEN}@127.0.0.1:1", VTON_LIMITS__IN_FLIGHT="7")
    assert ended.code == 0
    assert "in_flight: 7" in ended.out
    assert TOKEN not in ended.out
    assert not (shop.folder / ".vton").exists()
