"""Help pages and shell completion."""

import shlex
import subprocess
import sys

import pytest

from altcraft_balance.cli.app import _COMMANDS
from altcraft_balance.cli.examples import EXAMPLES
from tests.cli.conftest import ROOT


def test_every_command_has_examples():
    """To copy."""
    assert EXAMPLES.keys() == _COMMANDS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_help_page_shows_its_examples(command, name):
    """Each on a line of its own, on 80 columns."""
    ended = command(name, "--help")
    assert ended.code == 0
    lines = [line.strip() for line in ended.out.splitlines()]
    assert all(example in lines for example in EXAMPLES[name])


@pytest.mark.parametrize("example", [one for lines in EXAMPLES.values() for one in lines])
def test_an_example_is_understood(command, example):
    """With ``--help`` behind it: that no option is unknown is what is tested."""
    _, name, *arguments = shlex.split(example)
    ended = command(name, *arguments, "--help")
    assert (ended.code, ended.err) == (0, "")
    for word in arguments:
        assert not word.startswith("--") or word in ended.out


def test_without_colours_when_asked(command, monkeypatch):
    """By NO_COLOR, whatever the terminal can do."""
    monkeypatch.setenv("TERM", "xterm-256color")
    ended = command("--help", FORCE_COLOR="", NO_COLOR="1")
    assert "\x1b[3" not in ended.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(shell):
    """By the words that the shell's own function hands over."""
    words = "altcraft-balance re"
    told = {
        "PYTHONPATH": str(ROOT),
        "_ALTCRAFT_BALANCE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ended = subprocess.run(
        [sys.executable, "-c", "from altcraft_balance.cli import program; program()"],
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "refresh" in ended.stdout


def test_completion_can_be_shown(command):
    """To put it wherever a shell looks."""
    # By name: which shell this is cannot be seen where none is above the tests.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    ended = command("--show-completion", "bash", **named)
    assert ended.code == 0
    assert "_altcraft_balance_completion" in ended.out
