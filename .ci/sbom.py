"""Writes the pinned packages as a CycloneDX 1.6 document to stdout; asks nobody."""

import json
import re
import sys
from importlib import metadata
from pathlib import Path

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+))?")


def component(pin: re.Match[str]) -> dict[str, object]:
    """One package; its licence is known where it is installed."""
    name, version = pin["name"], pin["version"]
    found: dict[str, object] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        told = None
    if told is not None and told.get("License-Expression"):
        found["licenses"] = [{"expression": told["License-Expression"]}]
    if pin["marker"]:
        found["properties"] = [{"name": "python:marker", "value": pin["marker"].strip()}]
    return found


def main(requirements: str) -> None:
    """Prints the document."""
    pins = filter(None, map(PIN.match, Path(requirements).read_text(encoding="utf-8").splitlines()))
    subject = {"type": "application", "name": "vton-batch", "version": metadata.version("vton-batch")}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": subject},
        "components": [component(pin) for pin in pins],
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main(sys.argv[1])
