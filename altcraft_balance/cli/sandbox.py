"""``altcraft-balance sandbox``: a server that speaks the documented protocol, to try things on."""

from __future__ import annotations

import asyncio
import ipaddress
import shlex
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias

import typer

from altcraft_balance.cli.show import Screen, rows, screen
from altcraft_balance.cli.stopping import Stopped, run_until_signal
from altcraft_balance.sandbox import FAULTS, PointsCurrency, Sandbox
from altcraft_balance.sandbox.programs import PROGRAMS
from altcraft_balance.secret import Secret
from altcraft_balance.wording import called, renamed

__all__ = ["Faults", "Seed", "faults_help", "sandbox"]

_TOKEN: Final = "sandbox-token"  # noqa: S105 - opens nothing but the sandbox
#: Setting -> option.
_OPTIONS: Final = {
    "latency_s": "--latency",
    "jitter_s": "--jitter",
    "slow_s": "--slow",
    "rate_per_s": "--rate",
    "retry_after_s": "--retry-after",
    "error_status": "--error-status",
}

Faults: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--faults",
        metavar="NAME=RATE,...",
        help="How often to misbehave; rates from 0 to 1.",
        show_envvar=False,
    ),
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="NUMBER",
        help="Decides which request meets which fault.",
        show_envvar=False,
    ),
]


def _replies(flag: str, metavar: str, says: str) -> Any:
    return typer.Option(
        flag, metavar=metavar, help=says, show_envvar=False, rich_help_panel="Replies"
    )


def _listening(flag: str, metavar: str, says: str) -> Any:
    return typer.Option(
        flag, metavar=metavar, help=says, show_envvar=False, rich_help_panel="Listening"
    )


def sandbox(
    port: Annotated[int, _listening("--port", "NUMBER", "0 takes a free one.")] = 8085,
    host: Annotated[
        str,
        _listening("--host", "ADDRESS", "0.0.0.0 lets other machines ask as well."),
    ] = "127.0.0.1",
    token_file: Annotated[
        str | None,
        _listening("--token-file", "PATH", f"The right token, in the place of {_TOKEN}."),
    ] = None,
    faults: Faults = None,
    seed: Seed = 0,
    latency: Annotated[float, _replies("--latency", "SECONDS", "How long each takes.")] = 0.0,
    jitter: Annotated[float, _replies("--jitter", "SECONDS", "Up to so much longer.")] = 0.0,
    slow: Annotated[
        float, _replies("--slow", "SECONDS", "How much longer under the fault latency.")
    ] = 0.2,
    rate: Annotated[
        float | None, _replies("--rate", "PER_SECOND", "Answer HTTP 429 above this rate.")
    ] = None,
    retry_after: Annotated[
        int, _replies("--retry-after", "SECONDS", "What HTTP 429 and 503 ask for.")
    ] = 1,
    error_status: Annotated[
        str,
        _replies(
            "--error-status", "ok|envelope", "HTTP status of an error: 200, or the envelope's code."
        ),
    ] = "ok",
) -> None:
    """Start a server to develop and test against; nothing leaves this machine.

    Every well-formed member exists there and has a balance.
    """
    with called(_OPTIONS):
        server = Sandbox(
            token=_TOKEN if token_file is None else Secret.from_file(token_file),
            faults=faults,
            seed=seed,
            host=host,
            port=port,
            latency_s=latency,
            jitter_s=jitter,
            slow_s=slow,
            rate_per_s=rate,
            retry_after_s=retry_after,
            error_status=error_status,  # type: ignore[arg-type]  # checked there
        )
    out = screen()
    try:
        run_until_signal(_serve(server, out, host=host, faults=faults, token_file=token_file))
    except Stopped:
        _sum_up(server, out)


async def _serve(
    server: Sandbox, out: Screen, *, host: str, faults: str | None, token_file: str | None
) -> None:
    async with server:
        out.print(rows(_facts(server.url, faults, token_file)))
        out.print("\nTry it in another terminal:\n")
        out.print(f"  {_example(server.url, host, token_file)}\n", soft_wrap=True)
        out.print("Ctrl-C ends it.")
        await asyncio.Event().wait()


def _facts(url: str, faults: str | None, token_file: str | None) -> Iterator[tuple[str, str]]:
    yield "URL", url
    yield "Token", _TOKEN if token_file is None else f"the one in {token_file}"
    for index, (program, currencies) in enumerate(PROGRAMS.items()):
        names = ", ".join(map(_currency, currencies))
        yield "" if index else "Programs", f"{program}: {names}"
    yield "Faults", faults or "none"


def _currency(currency: PointsCurrency) -> str:
    if currency.eid is None:
        return f"(iid {currency.iid})"
    return currency.eid if currency.iid is None else f"{currency.eid} (iid {currency.iid})"


def _example(url: str, host: str, token_file: str | None) -> str:
    """A line for the shell that looks a member up here."""
    program = next(iter(PROGRAMS))
    words = ["altcraft-balance", "get", "--base-url", url, "--program", str(program)]
    if token_file is not None:
        words += ["--token-file", token_file]
    if not _is_loopback(host):
        words.append("--allow-http")
    line = shlex.join([*words, "--email", "user@example.com"])
    return line if token_file is not None else f"ALTCRAFT_TOKEN={_TOKEN} {line}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sum_up(server: Sandbox, out: Screen) -> None:
    requests, connections = server.requests, server.connections
    out.print(
        f"\nStopped. {_plural(requests, 'request')} over {_plural(connections, 'connection')}."
    )
    if server.counts:
        out.print(rows((name, f"{count:,}") for name, count in server.counts.most_common()))


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def faults_help() -> str:
    """The faults and what they do, for ``--help`` on 80 columns."""
    entries = [
        textwrap.fill(
            renamed(says, _OPTIONS), 76, initial_indent=f"  {name:<20}", subsequent_indent=" " * 22
        )
        for name, says in FAULTS.items()
    ]
    return "\n".join(["Faults, for --faults reset=0.05,status503=0.05:\n", *entries])
