"""README's lines for systemd, Kubernetes and Airflow: they parse, and their commands are right."""

import ast
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from altcraft_balance.cli import main
from altcraft_balance.cli.exits import ExitCode

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## Night after night\n")[2].partition("\n## ")[0]
NEXT_NIGHT = {ExitCode.STOPPED}
#: Codes after which the same command ends in the same way.
IN_VAIN = {ExitCode.USAGE, ExitCode.FAILURES, ExitCode.REFUSED}

pytestmark = pytest.mark.skipif(not SECTION, reason="README has no such section yet")


def block(kind):
    """The section's block in that language."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)
    return found


def units():
    """The files that the block for systemd has, by name."""
    parts = re.split(r"^# (\S+\.(?:service|timer))\n", block("ini"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def codes(unit, setting):
    return set(map(int, re.search(rf"^{setting}=(.*)$", unit, re.MULTILINE)[1].split()))


def cron_job():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(block("yaml"))


def container():
    return cron_job()["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def operator():
    """The arguments of Airflow's operator, which are plain values."""
    (statement,) = ast.parse(block("py")).body
    assert statement.value.func.id == "BashOperator"
    return {word.arg: ast.literal_eval(word.value) for word in statement.value.keywords}


def systemd_command():
    return shlex.split(re.search(r"^ExecStart=(.*)$", block("ini"), re.MULTILINE)[1])


def airflow_command():
    return shlex.split(re.sub(r"\{\{.*?\}\}", "2026-W48", operator()["bash_command"]))


COMMANDS = {
    "systemd": systemd_command,
    "kubernetes": lambda: container()["command"],
    "airflow": airflow_command,
}


@pytest.mark.parametrize("whose", COMMANDS)
def test_the_command_is_one(whose, tmp_path, monkeypatch, capsys):
    """With a file in the place of theirs, a dry run takes every option of it."""
    program, *arguments = COMMANDS[whose]()
    assert Path(program).name == "altcraft-balance"
    (tmp_path / "members.csv").write_text("email\nuser@example.com\n")
    monkeypatch.setenv("ALTCRAFT_BASE_URL", "https://altcraft.example")
    monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
    arguments = [word.replace("/srv/", f"{tmp_path}/") for word in arguments]
    assert main([*arguments, "--dry-run"]) == 0, capsys.readouterr().err
    assert {"--run-id", "--stop-at", "--time-zone"} <= set(arguments)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_takes_the_units(tmp_path):
    """It says nothing of them, but that the program is not installed here."""
    for name, text in units().items():
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in units()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_restarts_what_makes_sense():
    """A crash, but neither what goes on next night nor what would end in the same way."""
    service = units()["balances.service"]
    assert codes(service, "SuccessExitStatus") == NEXT_NIGHT  # and so no failure
    assert "Restart=on-failure" in service
    assert codes(service, "RestartPreventExitStatus") == IN_VAIN


def test_kubernetes_restarts_what_makes_sense():
    """A pod that has died is begun again; podFailurePolicy needs restartPolicy Never."""
    spec = cron_job()["jobTemplate"]["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["operator"] == "In"
    assert set(rule["onExitCodes"]["values"]) == NEXT_NIGHT | IN_VAIN
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    mounts = {mount["name"] for mount in container()["volumeMounts"]}
    assert mounts == {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert cron_job()["timeZone"] in container()["command"]


def test_airflow_skips_what_goes_on_next_night():
    """And repeats what has failed."""
    assert {operator()["skip_on_exit_code"]} == NEXT_NIGHT
    assert operator()["retries"] > 0
