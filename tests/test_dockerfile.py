"""The Dockerfile's lines executed without an engine: its user, folders, variables, a root that nobody writes to, its check.

A mount namespace stands in for the container: this system below an overlay, in place of the base image; the environment of
these tests as /opt/vton, in place of what pip would install.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_written_commands import healthcheck

ROOT = Path(__file__).parents[1]
#: The stage that is shipped, without comments, each instruction in one line.
STAGE = [
    line
    for line in re.sub(
        r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")[-1]
    ).splitlines()
    if not line.startswith("#")
]
ROWS = 3
#: So long that a busy machine finds time for the check while they run.
SLOW = "- {at: task, do: slow, factor: 10, when: {ordinals: [3]}}"
MANIFEST = "sku,person,upper\n" + "".join(
    f"S{n},https://cdn.example/p.jpg,https://cdn.example/g{n}.png\n" for n in range(ROWS)
)

#: What the kernel and an engine do before the first process of a container; "$1" is a folder for it.
CONTAINER = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mkdir -p opt/vton opt/source etc/vton
mount --bind "$VENV" opt/vton
mount --bind "$SOURCE" opt/source
cp "$SOURCE/config.yaml" etc/vton/config.yaml
chroot . /bin/sh -ec "$RUN"
printf %s "$MANIFEST" > catalog/tonight.csv
folder=".$PYTHON_BASE"
while [ "$folder" != . ]; do chmod a+rx "$folder"; folder=$(dirname "$folder"); done
chmod -R a+rX catalog
for folder in opt/vton opt/source .; do mount -o remount,bind,ro "$folder"; done
mount -t tmpfs -o mode=1777,size=256m tmpfs tmp
for folder in out data; do mount -t tmpfs -o "mode=0750,uid=$UID_,gid=$GID_" tmpfs "$folder"; done
mount -t proc proc proc
mount --rbind /dev dev
exec chroot . setpriv --reuid="$UID_" --regid="$GID_" --clear-groups --no-new-privs --bounding-set=-all \
  --inh-caps=-all env -i $ENVIRONMENT /bin/sh -ec "$INSIDE"
"""

#: What is done inside; `vton run` is every process of the product.
INSIDE = """
cd "$WORKDIR"
echo "user $(id -u):$(id -g)"
for place in / /etc /etc/vton /opt/vton /opt/source /catalog /usr/bin; do
  if touch "$place/written" 2>/dev/null; then echo "written: $place"; fi
done
health() { $HEALTH; }
health 2>/dev/null && echo "well before anything runs"
vton() { python -c 'from jobs.cli import main; main()' "$@"; }
echo "$FAULTS" >/tmp/slow.yaml
vton run tonight.csv --simulate --faults /tmp/slow.yaml >/tmp/run.out 2>/tmp/run.err &
until health 2>/dev/null; do
  kill -0 $! 2>/dev/null || { cat /tmp/run.err; exit 1; }
  sleep 0.2
done
echo "well while it runs"
wait $! || { cat /tmp/run.err; exit 1; }
health 2>/dev/null || echo "not well afterwards"
cat /out/*/summary.json
"""


def instruction(name: str) -> str:
    """The words of the only such instruction of the stage that is shipped."""
    (found,) = [line.removeprefix(f"{name} ") for line in STAGE if line.startswith(f"{name} ")]
    return found


def can_confine() -> str:
    """Why no container can be stood in for; empty when one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces with another user's rights need Linux and root"
    if missing := [name for name in ("unshare", "setpriv", "chroot", "mount") if shutil.which(name) is None]:
        return f"no {missing[0]} here"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"],
        capture_output=True,
        check=False,
    )
    return tried.stderr.decode().strip() if tried.returncode else ""


def test_the_containers_user_works_on_a_root_that_nobody_can_write_to(tmp_path):
    if why := can_confine():
        pytest.skip(f"namespaces are not allowed here: {why}")
    user, group = instruction("USER").split(":")
    variables = dict(word.split("=", 1) for word in shlex.split(instruction("ENV")))
    variables["PATH"] = variables["PATH"].replace("$PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    assert variables["VTON_CONFIG"] == "/etc/vton/config.yaml"
    assert (variables["VTON_OUTPUT_DIR"], variables["VTON_DATA_DIR"]) == ("/out", "/data")
    extra = {
        # In place of an installation: the packages as they lie here.
        "PYTHONPATH": "/opt/source",
        # Only this manifest's pictures would be fetched, from a host that there is not.
        "VTON_PICTURES__THUMBNAIL_HOSTS": "[]",
        "WORKDIR": instruction("WORKDIR"),
        "FAULTS": SLOW,
        "HEALTH": shlex.join(["python", *healthcheck()[1:]]),
    }
    given = {
        "VENV": sys.prefix,
        "SOURCE": str(ROOT),
        # In place of the base image's Python, which everybody may run; what is changed lies in the overlay only.
        "PYTHON_BASE": sys.base_prefix,
        "RUN": instruction("RUN"),
        "MANIFEST": MANIFEST,
        "UID_": user,
        "GID_": group,
        "ENVIRONMENT": " ".join(f"{name}={value}" for name, value in variables.items()),
        "INSIDE": "".join(f"{name}={shlex.quote(value)}; export {name}\n" for name, value in extra.items())
        + INSIDE,
    }
    command = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "/bin/sh",
        "-ec",
        CONTAINER,
        "container",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if "overlay" in done.stderr and "user " not in done.stdout:
        pytest.skip(f"no overlay of this system's root here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    said, _, summary = done.stdout.partition("{")
    assert said.splitlines() == [f"user {user}:{group}", "well while it runs", "not well afterwards"]
    assert json.loads("{" + summary)["status"] == {"succeeded": ROWS}
