"""Asks pip-audit about the pinned packages; no answer is no verdict, and is said in one line."""

import json
import subprocess
import sys
from pathlib import Path

#: pip-audit asks once per package; a slow service must not hold up the tests.
PATIENCE_S = 60


def main(requirements: str) -> int:
    """Returns 1 if a package is known to be vulnerable, else 0."""
    program = Path(sys.executable).with_name("pip-audit")
    options = [
        "--progress-spinner",
        "off",
        "--timeout",
        "10",
        "--disable-pip",
        "--require-hashes",
        "-f",
        "json",
    ]
    command = [program, *options, f"--requirement={requirements}"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return skipped(f"no answer within {PATIENCE_S} s")
    except (OSError, ValueError):
        return skipped("the service cannot be reached")
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return skipped("the service knows none of the packages")
    vulnerable = [package for package in audited if package["vulns"]]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    print(f"{len(audited)} of {len(packages)} packages looked up, {len(vulnerable)} known to be vulnerable")
    return 1 if vulnerable else 0


def skipped(why: str) -> int:
    """Says that there is no verdict."""
    print(f"skipped: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
