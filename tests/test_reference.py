"""What the tables of docs/ say of options and settings is what the code says of them."""

import pytest

from jobs.cli.commands import COMMANDS, load
from tests.reference import ROOT, hold, options, settings

SETTINGS = settings((ROOT / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in COMMANDS if options(load(name))])
def test_the_options_of_a_command_are_described_as_its_help_describes_them(name):
    hold("docs/cli.md", f"vton {name}", ("option", "meaning"), options(load(name)))


@pytest.mark.parametrize("section", SETTINGS)
def test_the_settings_of_a_section_are_described_as_config_yaml_describes_them(section):
    hold("docs/configuration.md", section, ("key", "default", "meaning"), SETTINGS[section])
