"""``altcraft-balance doctor``: what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.text import Text

from altcraft_balance.cli import options
from altcraft_balance.cli.exits import CannotWrite, ExitCode, code_of
from altcraft_balance.cli.get import Custom, CustomInt, Email, Phone, ProfileId, one_member
from altcraft_balance.cli.show import Screen, harmless, screen, show_json
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.doctor.asking import Seen, asking
from altcraft_balance.doctor.examine import ON_THE_WAY, examine, without_settings
from altcraft_balance.doctor.finding import Finding
from altcraft_balance.doctor.keeping import Samples
from altcraft_balance.doctor.probe import Fact, Probe
from altcraft_balance.doctor.versions import check_versions
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.models import Matching
from altcraft_balance.settings import ClientSettings

__all__ = ["doctor"]

#: For an idle connection's end, which few servers leave open for longer without saying so.
WAIT_S: Final = 20.0
_MARKS: Final = {"ok": "ok", "warning": "look", "failed": "WRONG", "skipped": "-"}
_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}

AsJson: TypeAlias = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print all of it as JSON.", show_envvar=False),
]
Probing: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--probe",
        metavar="",
        help="Also ask what is documented nowhere: at most 15 lookups, which change nothing.",
        show_envvar=False,
    ),
]
Save: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--save",
        metavar="FOLDER",
        help="Of a probe: keep the replies, with *** for what was asked, for Sandbox(samples=...).",
        show_envvar=False,
    ),
]


def doctor(
    context: typer.Context,
    email: Email = None,
    phone: Phone = None,
    profile_id: ProfileId = None,
    custom: Custom = None,
    custom_int: CustomInt = None,
    probe: Probing = False,
    save: Save = None,
    json: AsJson = False,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    allow_http: options.AllowHttp = None,
    ca_file: options.CaFile = None,
    client_cert: options.ClientCert = None,
    proxy: options.Proxy = None,
    trust_env: options.TrustEnv = None,
    program: options.Program = None,
    currency_eid: options.CurrencyEid = None,
    currency_iid: options.CurrencyIid = None,
    format: options.Format = None,  # noqa: A002 - Altcraft's word
    auth: options.Auth = None,
    not_a_member: options.NotAMember = None,
    attempt_timeout: options.AttemptTimeout = None,
    rate: options.Rate = None,
) -> None:
    """Check settings, network, TLS, token, program and clock, with one lookup.

    Without a member it asks about one who does not exist.
    """
    report = _Report(screen(), as_json=json)
    try:
        if save is not None and not probe:
            raise ConfigurationError("--save keeps what a probe is answered: give --probe as well")
        ways = (email, phone, profile_id, custom, custom_int)
        matching = one_member(*ways) if any(way is not None for way in ways) else None
        samples = None if save is None else Samples(save)
    except AltcraftBalanceError as error:
        if json:
            report.found(Finding(check="settings", state="failed", says=str(error), error=error))
            show_json(report.as_dict())
        raise
    keeping = _Keeping(samples)
    try:
        if (settings := _settings(context, report)) is not None:
            run_until_signal(_look(settings, matching, report, probe=probe, keeping=keeping))
    finally:  # what was found before a signal, too
        if json:
            show_json(report.as_dict())
        elif report.settings:
            _show_settings(report)
    if keeping.trouble:
        raise CannotWrite(f"--save {save} cannot be written: {keeping.trouble}")
    raise typer.Exit(report.code)


def _settings(context: typer.Context, report: _Report) -> ClientSettings | None:
    try:
        arguments = options.client_arguments(context)
        with options.called_as_given(context):
            settings = ClientSettings(**arguments)
    except ConfigurationError as error:
        report.found(check_versions())
        for finding in without_settings(error):
            report.found(finding)
        return None
    return settings


async def _look(
    settings: ClientSettings,
    matching: Matching | None,
    report: _Report,
    *,
    probe: bool,
    keeping: _Keeping,
) -> None:
    async for finding in examine(settings, matching):
        report.found(finding)
    if not probe:
        return
    if report.is_unreachable:
        report.not_probed()
        return
    if not report.as_json:
        screen(stderr=True).print(f"\nAsking on; it takes up to {WAIT_S + 10:g} s.")
    async with asking(settings) as asker:
        asker.asked = 1  # the check's
        async for fact in Probe(asker, matching, wait_s=WAIT_S, keep=keeping.keep).facts():
            report.learnt(fact)


class _Keeping:
    """Keeps samples, if they are wanted, until that fails; the probe goes on all the same."""

    def __init__(self, samples: Samples | None) -> None:
        self._samples, self.trouble = samples, ""

    def keep(self, case: str, seen: Seen) -> None:
        if self._samples is None or self.trouble:
            return
        try:
            self._samples.keep(case, seen)
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__


class _Report:
    """Shows each result as it comes, or keeps them for JSON."""

    def __init__(self, out: Screen, *, as_json: bool) -> None:
        self._out, self.as_json = out, as_json
        self._findings: list[Finding] = []
        self._facts: list[Fact] = []

    def found(self, finding: Finding) -> None:
        self._findings.append(finding)
        if self.as_json:
            return
        line = Text(f"{_MARKS[finding.state]:<6}", style=_STYLES[finding.state])
        line.append(f"{finding.check:<10}", style="not bold default")
        line.append(harmless(finding.says), style="not bold default")
        self._out.print(line, soft_wrap=True)
        if finding.advice:
            self._out.print(f"{'':16}-> {harmless(finding.advice)}", soft_wrap=True)

    def learnt(self, fact: Fact) -> None:
        self._facts.append(fact)
        if not self.as_json:
            if len(self._facts) == 1:
                self._out.print("\nWhat the documentation does not say:\n")
            self._out.print(f"  {fact.question}: {harmless(fact.answer)}", soft_wrap=True)

    def not_probed(self) -> None:
        """It was asked for, and there is nobody to ask."""
        if not self.as_json:
            self._out.print("\nNothing more was asked: the server gave no answer to go by.")

    @property
    def failed(self) -> bool:
        return any(finding.state == "failed" for finding in self._findings)

    @property
    def code(self) -> ExitCode:
        """That of a lookup which met the first trouble."""
        failed = next((one for one in self._findings if one.state == "failed"), None)
        if failed is None:
            return ExitCode.DONE
        if failed.error is not None:
            return code_of(failed.error)
        return ExitCode.UNREACHABLE if failed.check in ON_THE_WAY else ExitCode.FAILURES

    @property
    def is_unreachable(self) -> bool:
        return any(
            finding.state in {"failed", "skipped"}
            for finding in self._findings
            if finding.check == "endpoint"
        )

    @property
    def settings(self) -> list[str]:
        return [line for fact in self._facts for line in fact.settings]

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": not self.failed,
            "checks": [finding.as_dict() for finding in self._findings],
            "facts": [{"question": fact.question, "answer": fact.answer} for fact in self._facts],
            "settings": self.settings,
        }


def _show_settings(report: _Report) -> None:
    out = screen()
    out.print("\nSettings that fit this server:\n")
    for line in report.settings:
        out.print(f"  {line}")
