"""Output that nobody reads, or that has not all characters: the work goes on, and the exit code is the run's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

VTON = Path(sys.executable).with_name("vton")


def started(shop, *words, stdout, stderr, **env):
    process = subprocess.Popen(
        [VTON, *words],
        cwd=shop.folder,
        env=shop.env | env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )
    shop.running.append(process)
    return process


def test_a_run_whose_output_nobody_reads_any_more_completes(shop):
    """As `vton run … 2>&1 | head -1` has it."""
    shop.vendor.set(latency_s=2)
    reader, writer = os.pipe()
    process = started(shop, "run", shop.urls(4), "-o", "out", stdout=writer, stderr=writer)
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert process.wait(90) == 0
    shop.agree(shop.only_batch())


def test_a_run_started_with_closed_streams_completes(shop):
    line = f"exec '{VTON}' run {shop.urls(2)} -o out 0<&- 1>&- 2>&-"
    process = subprocess.Popen(["/bin/sh", "-c", line], cwd=shop.folder, env=shop.env)
    assert process.wait(90) == 0
    shop.agree(shop.only_batch())


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}], ids=lambda env: next(iter(env))
)
def test_what_a_stream_of_ascii_cannot_say_is_said_in_escapes(shop, env):
    shop.write("batch.csv", "sku,person,upper\n连衣裙,模特.jpg,https://cdn.example/g\n")
    ended = shop.vton("plan", "batch.csv", **env)
    assert ended.code == 2
    assert "there is no such file" in ended.out
    said = json.loads(shop.vton("plan", "batch.csv", "--json", **env).out)
    assert said["invalid"] == 1
    ended = shop.vton("enqueue", "batch.csv", **env)
    assert (ended.code, "internal error" in ended.err) == (2, False)


def test_data_that_cannot_be_stored_is_an_error(tmp_path):
    line = (
        "import sys; from jobs.cli.output import make_output_safe, print_json;"
        "make_output_safe(); print_json({}); sys.stdout.flush()"
    )
    with open("/dev/full", "w") as full:  # noqa: PTH123 a device
        done = subprocess.run(
            [sys.executable, "-c", line], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode != 0
    assert "No space left" in done.stderr
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -c '{line}' 2>&1 | true"], check=True, capture_output=True
    )
    assert done.stdout + done.stderr == b""


def test_results_go_into_a_folder_of_any_name(shop):
    out = os.fsdecode(b"sorti\xe9")
    assert shop.vton("run", shop.urls(1), "-o", out, "--batch", "b").code == 0
    assert (shop.folder / out / "b" / "results.csv").is_file()
