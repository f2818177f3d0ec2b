"""The commands, and what becomes of whatever they raise: one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Final

import typer
from rich.markup import escape

from altcraft_balance.cli.examples import EXAMPLES
from altcraft_balance.cli.exits import MEANINGS, CannotWrite, ExitCode, code_of
from altcraft_balance.cli.loops import hold_standard_streams
from altcraft_balance.cli.show import say_error, screen, silence, tolerate_encodings
from altcraft_balance.cli.stopping import Stopped
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.refresh.sql.trouble import DatabaseAway
from altcraft_balance.version import __version__

__all__ = ["PROGRAM", "run"]

PROGRAM: Final = "altcraft-balance"
_PREFIX: Final = "ALTCRAFT_BALANCE"
_DEBUG: Final = "ALTCRAFT_BALANCE_DEBUG"
#: Each command, which is a function in a module of its name, and an option to explain variables by.
_COMMANDS: Final = {
    "get": "--email",
    "refresh": "--by",
    "status": "--json",
    "report": "--out",
    "sandbox": "--port",
    "demo": "--members",
    "doctor": "--probe",
}
#: Of what is written: the disk is full, or fails.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_CTRL_C: Final = 130  # typer's own translation of KeyboardInterrupt


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` name and give its exit code."""
    hold_standard_streams()
    tolerate_encodings()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = _app(*arguments[:1])(arguments, prog_name=PROGRAM, standalone_mode=False)
        return ExitCode.STOPPED if code == _CTRL_C else int(code or 0)
    except (Stopped, typer.Abort, KeyboardInterrupt):
        say_error("stopped")
        return ExitCode.STOPPED
    except SystemExit:  # typer and rich leave like this when the reader of the help has left
        silence(sys.stdout)
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last one to see it
        return _explain(error)


def _app(named: str = "") -> typer.Typer:
    """The commands; the one that is `named` alone, since to import all of them takes its time."""
    app = typer.Typer(
        name=PROGRAM,
        help="Loyalty points balances on the Altcraft marketing platform.",
        epilog=_epilog("get"),
        add_completion=True,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={
            "auto_envvar_prefix": _PREFIX,
            "help_option_names": ["-h", "--help"],
        },
    )
    app.callback()(_main)
    for name in [named] if named in _COMMANDS else _COMMANDS:
        module = import_module(f"altcraft_balance.cli.{name}")
        before = module.faults_help() if name == "sandbox" else ""
        app.command(name, epilog=_epilog(name, before))(getattr(module, name))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        screen().print(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            help="Print the version.",
            callback=_print_version,
            is_eager=True,
            show_envvar=False,
            allow_from_autoenv=False,  # such a variable is likely to hold a number
        ),
    ] = False,
) -> None:
    """Options before the command's name."""


def _epilog(command: str, before: str = "") -> str:
    """What stands below the options: examples, exit codes, and how variables are named."""
    option = _COMMANDS[command]
    variable = f"{command}_{option.lstrip('-')}".upper()
    codes = "\n".join(f"  {code:>2}  {meaning}" for code, meaning in MEANINGS.items())
    rule = f"Each option has a variable: {command} {option} has {_PREFIX}_{variable}."
    examples = "\n".join(f"  {line}" for line in EXAMPLES[command])
    shown = [f"Examples:\n\n{examples}", before, f"Exit codes:\n\n{codes}", rule]
    paragraphs = filter(None, shown)
    return escape("\n\n".join(paragraphs))


# ── what went wrong ──────────────────────────────────────────────────────────────────────────


def _explain(error: Exception) -> ExitCode:
    """Say `error` in one line on stderr and give its exit code."""
    if isinstance(error, AltcraftBalanceError):
        say_error(str(error))
        return code_of(error)
    if isinstance(error, CannotWrite):
        say_error(str(error))
        return ExitCode.CANNOT_WRITE
    if (usage := _usage_sentence(error)) is not None:
        if usage:
            say_error(usage)
        return ExitCode.USAGE
    if isinstance(error, DatabaseAway):
        say_error(f"{error.strerror}; run the same command again when it is back")
        return ExitCode.STOPPED
    if isinstance(error, OSError):
        silence(sys.stdout)
        say_error(f"the system refused: {error.strerror or type(error).__name__}")
        return ExitCode.CANNOT_WRITE if error.errno in _FULL else ExitCode.FAILURES
    return _explain_bug(error)


def _usage_sentence(error: Exception) -> str | None:
    """What typer has to say about wrong usage; "" when it has shown the help, None if not its.

    By its methods: the class is click's in some versions of typer, and typer's own in others.
    """
    say = getattr(error, "format_message", None)
    if say is None:
        return None
    sentence = " ".join(say().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = PROGRAM if context is None else context.command_path
    return sentence and f"{sentence} (see {path} --help)"


def _explain_bug(error: Exception) -> ExitCode:
    """The type alone: the text of an unforeseen exception may hold anything, a token too."""
    say_error(f"a bug, {type(error).__name__}: set {_DEBUG}=1 to see where, and report it, please")
    if os.environ.get(_DEBUG):
        traceback.print_exception(error)
    return ExitCode.BUG
