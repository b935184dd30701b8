"""docs/tutorial.md is done from its first command to its last, in one folder; it and README show what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:`(\w+\.\w+)`:\n\n)?^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
#: What the page lets `make` and pip do from the network; the environment of the tests has it.
INSTALLED = ("make demo", ".venv/bin/pip install 'vton-batch[deliver]'")
MARK = "--- the next command ---"
#: What the person at the sheet does: approves the newest picture of each row, but the first one of DRESS-2.
JUDGE = """
import json, pathlib, sys
lines = map(json.loads, pathlib.Path("out/catalog-d5643330/results.jsonl").read_text().splitlines())
print("row,sku,request_id,picture_sha256,verdict,reasons,note,reviewer,at")
for line in lines:
    for image in line["images"]:
        bad = line["sku"] == "DRESS-2" and line["version"] == 1
        word = "reject,colour" if bad else "approve,"
        at = f"2026-11-28T10:00:0{line['version']}Z"
        print(line["row"], line["sku"], line["request_id"], image["sha256"], word, "", "Ana", at, sep=",")
"""


def script() -> tuple[str, list[tuple[str, list[str]]]]:
    """The page as one script of the shell; each command with the lines that it must print."""
    words, told = list[str](), list[tuple[str, list[str]]]()
    for name, kind, text in BLOCKS:
        if kind in {"csv", "yaml"}:
            words.append(f"cat > {name} <<'END'\n{text}END")
        elif kind == "text":
            told[-1][1].extend(line for line in text.splitlines() if line != "...")
        else:
            commands = [line.removeprefix("$ ") for line in text.splitlines()]
            for command in [one for one in commands if one not in INSTALLED]:
                if "review apply" in command:
                    words.append(f'"$PYTHON" ../judge.py > {command.split()[3]}')
                # The code of the command before is what `echo $?` must see.
                words.append(f'echo "{MARK}"; (exit $code)\n{command}\ncode=$?')
                told.append((command, []))
    return "\n".join(words), told


def plain(line: str) -> str:
    """Without the moment."""
    return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "TIME", line)


def shown(lines: list[str], output: str) -> list[str]:
    """Which of the page's lines are not printed in their order."""
    left = iter([plain(line) for line in output.splitlines()])
    return [line for line in lines if plain(line) not in left]


# Four runs, one after the other.
@pytest.mark.timeout(1800)
def test_every_command_of_the_tutorial_prints_what_the_page_shows(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / "judge.py").write_text(JUDGE)
    text, told = script()
    (tmp_path / "tutorial.sh").write_text(text)
    done = subprocess.run(
        ["/bin/sh", "tutorial.sh"],
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = done.stdout.split(f"{MARK}\n")[1:]
    assert len(said) == len(told), done.stdout
    for (command, lines), output in zip(told, said, strict=True):
        assert shown(lines, output) == [], f"{command}\n{done.stdout}"


def test_the_plan_of_the_readme_is_what_is_printed(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```text\n(catalog.yaml: .*?)^```$", readme, re.DOTALL | re.MULTILINE)
    # Whether it fits depends on the hour.
    lines = [line for line in block.splitlines() if line != "  ..." and "deadline" not in line]
    command = [str(Path(sys.executable).with_name("vton")), "plan", str(ROOT / "examples" / "catalog.yaml")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert shown(lines, done.stdout) == [], done.stdout


def test_the_tutorial_shows_what_is_printed():
    _, told = script()
    assert len(told) > 15
    assert sum(bool(lines) for _, lines in told) > 8
