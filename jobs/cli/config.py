"""`vton config`: the settings in force."""

import json
import sys

import yaml

from jobs.cli.options import ConfigOpt
from jobs.cli.session import command_settings


def show_config(*, config: ConfigOpt = None) -> None:
    """Print the settings in force, secrets left out."""
    settings = command_settings(config)
    content = json.loads(settings.model_dump_json())
    yaml.safe_dump(content, sys.stdout, sort_keys=False, allow_unicode=True)
