"""Every command of the pages is done in one folder, against the simulator; or it is named, with the reason.

The tutorial's are in tests/test_tutorial.py; that a program takes all of them, in tests/test_written_commands.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.local.redis_server import find_server
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(?:sh|console|crontab)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: In this order, since one goes on from what another did: an order, its judging, what is left of it, another ledger.
PAGES = (
    *("health.md", "cli.md", "README.md", "operations.md", "money.md", "logs.md", "review.md", "delivery.md"),
    *(
        "dashboard.md",
        "monitoring.md",
        "notices.md",
        "scaling.md",
        "tracing.md",
        "pruning.md",
        "deploy.md",
        "backups.md",
    ),
)
#: Those of which most commands are runs: a minute more.
LONG = {"cli.md", "README.md", "operations.md", "deploy.md"}
BATCH = "catalog-a7af0311"
CRON = re.compile(r"^[\d*/]+ [\d*]+ \* \* [\d*]+ +")
#: What is not done, by how it begins.
NOT_DONE = {
    "make ": "the product's own tests and demo; the demo's commands are the tutorial's",
    "docker ": "wants an engine; tests/test_dockerfile.py and tests/test_written_commands.py run what the containers run",
    "sudo ": "changes owners; the files are made, and the compose file is compared with them",
    "dramatiq ": "tests/test_worker_process.py and tests/faults start these",
    "vton run examples/catalog.csv --simulate": "tests/test_tutorial.py does the same with fewer rows",
    "vton deliver catalog-a7af0311 --to s3:": "wants a bucket; tests/delivery has a store of its own",
}
#: What a page's command ends with, if not with 0.
CODES = {
    # Three of its rows are unknown.
    f"vton status {BATCH} --wait": 5,
}
#: What serves until it is ended.
SERVES = re.compile(r"^vton (serve|metrics --serve)")
#: What a command of a page needs that the page leaves to its reader.
BEFORE = {
    "vton settle catalog-a7af0311 --csv": "sed -i '2,$s/,,\\r*$/,leave,/' unknown.csv && ",
    f"vton review apply review-{BATCH}-Ana.csv": '"$PYTHON" ../judge.py && ',
    f"vton deliver {BATCH} --to handover --simulate": (
        f'"$PYTHON" ../judge.py --all && vton review apply review-{BATCH}-Ana.csv --simulate && '
    ),
    "vton enqueue tonight.csv": "cp ../catalog/tonight.csv tonight.csv && ",
    "vton restore": "mkdir ../fresh && cp ledger.backup ../fresh && cd ../fresh && ",
    # Where no worker has lived within the last 15 s.
    "vton move-ledger redis": "mkdir ../moved && cd ../moved && vton enqueue ../catalog/tonight.csv && ",
    "vton move-ledger embedded": "cd ../moved && VTON_REDIS__URL=redis://127.0.0.1:6379 ",
}
#: Here nobody is asked.
ASKS = re.compile(r"^vton (settle \S+ --row \d+ --not-bought|retake)")
MARK = "--- ended with"
JUDGE = f"""
import json, pathlib, sys
with open("review-{BATCH}-Ana.csv", "w") as table:
    print("row,sku,request_id,picture_sha256,verdict,reasons,note,reviewer,at", file=table)
    for text in pathlib.Path("out/{BATCH}/results.jsonl").read_text().splitlines():
        line = json.loads(text)
        for image in line["images"][:1]:
            word = "reject,colour" if line["row"] == 1 and "--all" not in sys.argv else "approve,"
            said = line["row"], line["sku"], line["request_id"], image["sha256"], word, "", "Ana", "2026-11-28T10:00:00Z"
            print(*said, sep=",", file=table)
"""


def commands(page: str) -> list[str]:
    """A page's commands; what one line of a crontab, or of a shell, does is one."""
    path = ROOT / page if (ROOT / page).exists() else ROOT / "docs" / page
    text = "\n".join(FENCE.findall(path.read_text("utf-8"))).replace("\\\n", " ")
    # A document that the shell reads belongs to its command.
    text = re.sub(
        r"<<EOF\n.*?\nEOF\n", lambda found: found[0][:-1].replace("\n", "\0") + "\n", text, flags=re.DOTALL
    )
    lines = [line.removeprefix("$ ").replace("\0", "\n") for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


class World:
    """A shop in `/srv/vton` of a folder that stands for `/`, its account a simulator's; one batch has unknown rows."""

    def __init__(self, root: Path, simulator: str, redis_port: int) -> None:
        self.root, self.simulator, self.redis_port = root, simulator, redis_port
        self.home = root / "srv" / "vton"
        self.task = ""
        #: Results of the simulated shop do not lie beside those that were bought.
        self.demo = root / "srv" / "demo"
        self.simulated = "cd ../demo && "
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(root),
            "PYTHON": sys.executable,
            "HIDREAM_TOKEN": "sk-simulator",
            "VTON_HIDREAM__BASE_URL": simulator,
            "VTON_PICTURES__PRIVATE_HOSTS": "allow",
            "VTON_LIMITS__IN_FLIGHT": "20",
            "VTON_LIMITS__IMAGES_PER_MINUTE": "6000",
            "VTON_LIMITS__PRICE_PER_IMAGE": "0.5",
            "VTON_NOTIFY__COMMAND": '["cat"]',
            "VTON_METRICS__ALL_PORT": str(free_port()),
            "VTON_REVIEW__PORT": str(free_port()),
            "VTON_DASHBOARD__PORT": str(free_port()),
            # What a page's sum of a notice is made of.
            "stamp": "1",
            "secret": "two",
        }

    def prepare(self) -> None:
        """The files that the pages speak of, and the batches."""
        for folder in (
            "etc/vton",
            "path/to",
            "var/log",
            "var/lib/node_exporter",
            "srv/catalog",
            "srv/vton/new-arrivals/tops",
        ):
            (self.root / folder).mkdir(parents=True)
        (self.home / ".venv").mkdir()
        (self.home / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        for folder in ("examples", "people", "garments"):
            source = ROOT / ("" if folder == "examples" else "examples") / folder
            shutil.copytree(source, self.home / folder)
        for name in ("etc/vton/token", "etc/vton/account-7", "path/to/token"):
            (self.root / name).write_text("sk-simulator\n")
        head, *rows = (self.home / "examples" / "catalog.csv").read_text().splitlines()
        few = [f"{head},season,account", *(f"{row},ss26,7" for row in rows[:16])]
        ordered = [*few, *(f"{row},ss26,7" for row in rows[16:19])]
        for name, lines in {"few": few, "ordered": ordered, "catalog": [*few, f"{rows[0]},ss25,8"]}.items():
            (self.home / f"{name}.csv").write_text("\n".join(lines) + "\n")
        for name in ("tonight", "today"):
            urls = f"sku,person,dress,account\n{name},https://cdn.example/p.jpg,https://cdn.example/{name}.jpg,7\n"
            (self.root / "srv" / "catalog" / f"{name}.csv").write_text(urls)
        shutil.copy(
            ROOT / "examples" / "garments" / "oxford-shirt.png",
            self.home / "new-arrivals" / "tops" / "T-1.png",
        )
        (self.home / "products.csv").write_text("sku,image,category\nT-2,garments/sage-blazer.png,Tops\n")
        people = (
            "people:\n  - {name: ines, picture: people/ines.jpg}\n  - {name: mei, picture: people/mei.jpg}\n"
        )
        (self.home / "people.yaml").write_text(people)
        (self.home / "body.json").write_text("{}")
        (self.home.parent / "judge.py").write_text(JUDGE)
        self.vton("run few.csv --batch catalog-1f2e3d4c")
        self._strike([{"at": "submit", "do": "reset-after", "when": {"every": 1}}])
        self.vton(f"run ordered.csv --batch {BATCH}", code=5)
        self._strike([])
        unknown = json.loads((self.home / "out" / BATCH / "results.jsonl").read_text().splitlines()[16])
        (self.task,) = [
            one["task_id"]
            for one in self._ask("ledger")["tasks"]
            if one["request_id"] == unknown["request_id"]
        ]
        self.vton("enqueue few.csv --batch catalog-9a8b7c6d")
        self.vton("results catalog-9a8b7c6d")
        self.demo.mkdir()
        done = self.shell(
            f"{self.simulated}vton run ../vton/few.csv --only sku=AW-TOP-1001 --batch {BATCH} --simulate"
        )
        assert done.returncode == 0, done.stdout

    def vton(self, words: str, code: int = 0) -> None:
        done = self.shell(f"vton {words}")
        assert done.returncode == code, (words, done.returncode, done.stdout)

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def here(self, command: str) -> str:
        """A command as it is typed in this folder instead of in `/`, with what this account gave out."""
        here = re.sub(r"(?<![\w.])/(?=srv|etc/vton|var/|path/to)", f"{self.root}/", command)
        here = here.replace("7f1c2e", self.task)
        if CRON.match(command):
            # cron knows no other folders.
            return f"(PATH=/usr/bin:/bin; {CRON.sub('', here)})"
        before = next((text for begin, text in BEFORE.items() if command.startswith(begin)), "")
        before = (self.simulated if command.endswith(" --simulate") else "") + before
        here += " --yes" if ASKS.match(command) else ""
        if before or command.startswith("cd "):
            here = f"({before}{here})"
        return here.replace("127.0.0.1:6379", f"127.0.0.1:{self.redis_port}")

    def serve(self, command: str) -> str:
        """What is wrong with a command that serves: it says no address that answers, or does not end when it is asked to."""
        with subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=self.demo if command.endswith(" --simulate") else self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            said, answered = "", False
            for line in process.stdout or ():
                said += line
                if found := re.search(r"http://127\.0\.0\.1:\d+[^\s\"]*", line):
                    try:
                        urllib.request.urlopen(found[0], timeout=60).close()
                    except urllib.error.HTTPError as error:
                        # The token stands behind the #, which is never sent.
                        answered = error.code == 401
                    else:
                        answered = True
                    break
            process.terminate()
            said += "".join(process.stdout or ())
            code = process.wait(60)
            return "" if answered and code in {0, 130, 143, -signal.SIGTERM} else f"{said}code {code}"

    def _ask(self, what: str) -> dict:
        with urllib.request.urlopen(f"{self.simulator}/_sim/{what}", timeout=60) as answer:
            return json.load(answer)

    def _strike(self, rules: list) -> None:
        request = urllib.request.Request(
            f"{self.simulator}/_sim/faults", json.dumps(rules).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200


@contextmanager
def running(*argv: str, until: str) -> Iterator[str]:
    """A process that says `until` once it is ready; the line that it said."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield next(line for line in process.stdout or () if until in line)
        finally:
            process.terminate()


@contextmanager
def world(root: Path) -> Iterator[World]:
    port = free_port()
    simulator = (
        sys.executable,
        "-m",
        "worker.simulator",
        "--port",
        "0",
        "--latency-s",
        "0.1",
        "--plain-pictures",
    )
    server = (
        str(find_server()),
        "--port",
        str(port),
        "--dir",
        str(root),
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    )
    with running(*simulator, until="ready") as ready, running(*server, until="eady to accept"):
        made = World(root, ready.split()[-1], port)
        made.prepare()
        yield made


def parts(page: str) -> Iterator[list[str]]:
    """A page's commands that are done, those of one shell together; one that serves is alone."""
    together = list[str]()
    before = {
        each for earlier in PAGES[: PAGES.index(page)] if earlier not in LONG for each in commands(earlier)
    }
    for command in commands(page):
        if command.startswith(tuple(NOT_DONE)) or command in before:
            continue
        if SERVES.match(command):
            yield from filter(None, [together, [command]])
            together = []
        else:
            together.append(command)
    if together:
        yield together


def faults_of(made: World, page: str) -> Iterator[str]:
    for together in parts(page):
        if SERVES.match(together[0]):
            if why := made.serve(together[0]):
                yield f"{page}: {together[0]}: {why}"
            continue
        enter = "cd .vton/logs\n" if page == "logs.md" else ""
        done = made.shell(enter + "".join(f'{made.here(each)}\necho "{MARK} $?"\n' for each in together))
        said = re.split(rf"^{MARK} (\d+)\n", done.stdout, flags=re.MULTILINE)
        for command, words, code in zip(together, said[::2], said[1::2], strict=False):
            if int(code) != CODES.get(command, 0):
                yield f"{page}: {command}\n{words}code {code}"
        if len(said) != 2 * len(together) + 1:
            yield f"{page}: ended after {len(said) // 2} of {len(together)} commands\n{done.stdout}"


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([page for page in PAGES if page not in LONG], id="most"),
        pytest.param(PAGES, id="all", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(1800)
def test_every_command_of_the_pages_ends_as_it_should(pages, tmp_path_factory):
    with world(tmp_path_factory.mktemp("w")) as made:
        faults = [fault for page in pages for fault in faults_of(made, page)]
    assert not faults, "\n\n".join(faults)


def test_no_page_with_commands_is_left_out_and_no_exception_is_stale():
    names = {path.name for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}
    with_commands = {name for name in names if commands(name)}
    assert with_commands - {"tutorial.md", "CONTRIBUTING.md"} == set(PAGES)
    every = [command for page in PAGES for command in commands(page)]
    for begin in NOT_DONE:
        assert any(command.startswith(begin) for command in every), begin
    assert set(CODES) <= set(every)
