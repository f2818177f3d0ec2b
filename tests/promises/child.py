"""Promises of many lookups run as programs of their own, `python -m tests.promises.<name>`."""

import argparse
import json
import subprocess
import sys

from tests.fast import fast_environment
from tests.promises.table import ROOT


def in_child(program, *, limit_s=300, **options):
    """What the program answers, with `options` as its arguments; warnings are errors in it."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-W", "error", "-m", f"tests.promises.{program}", *arguments]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env=fast_environment(),
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def options_of(description, **defaults):
    """A program's options: their names, and their values when they are not given."""
    parser = argparse.ArgumentParser(description=description)
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args()


def answer(result):
    """Hand `result` to whoever started this program."""
    sys.stdout.write(json.dumps(result))


def is_right(sandbox, query, balance):
    """Whether that is what the sandbox has for whom `query` asks about."""
    right = sandbox.balance_of(query, loyalty_program_id=123)
    return (right.total_balance, right.active_balance) == (
        balance.total_balance,
        balance.active_balance,
    )
