"""What reaches a terminal, a pipe and the list of processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from altcraft_balance.cli import main
from altcraft_balance.cli.show import harmless
from altcraft_balance.cli.stopping import Stopped, run_until_signal

EMAIL = ("get", "--email", "user@example.com")
EVIL = "[bold red]pwned[/] \x1b[31m\x1b]0;title\x07 \x9b2J \u202e end"
MISSING = (
    "Error: the command line needs the extra 'cli': python -m pip install 'altcraft-balance[cli]'\n"
)


# ── the server's text ────────────────────────────────────────────────────────────────────────


def test_a_servers_text_cannot_speak_to_the_terminal(command, server):
    """Escape codes and markup in error_text arrive as harmless text, in words and in JSON."""
    body = json.dumps({"error": 400, "error_text": EVIL}).encode()
    server.answer(None, body=body, headers={"Content-Type": "application/json"})
    ended = command(*EMAIL, "--json")
    assert ended.code == 3
    assert "[bold red]pwned[/]" in ended.err
    assert ended.err.count("\n") == 1
    assert all(text.rstrip("\n").isprintable() for text in (ended.err, ended.out))
    assert ended.out.isascii()
    assert "pwned" in json.loads(ended.out)["error"]["text"]


def test_stdout_outlives_the_reader_of_stderr(child, server):
    """Whoever reads only the answers gets them all, and the exit code."""
    process = child("demo", "--members", "50")
    process.stderr.close()
    out = process.stdout.read()
    assert process.wait(30) == 0
    assert "0 wrong, 0 lost" in out


def test_harmless_text_shows_what_was_there():
    """Every character that is not printable becomes its escape; the rest stays."""
    assert harmless("a\x1b[1mb\nc\u202e é") == r"a\x1b[1mb\nc\u202e é"


# ── pipes ────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_that_leaves_early_is_no_trouble(child):
    """`demo | head -1` ends with demo's own code and without a traceback."""
    process = child("demo", "--members", "200")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert "Traceback" not in (err := process.stderr.read())
    assert "BrokenPipe" not in err


@pytest.mark.parametrize("arguments", [EMAIL, ("--help",), (*EMAIL, "--json")])
def test_a_reader_that_has_left_is_no_trouble(child, server, arguments):
    """Nothing is said about a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    process = child(*arguments, stdout=writing)
    os.close(writing)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [(*EMAIL, "--json"), ("get", "--help"), ("--version",)])
def test_a_full_disk_is_one_sentence(child, server, command):
    """What cannot be written is said, and is not success."""
    with Path("/dev/full").open("w") as full:
        process = child(*command, stdout=full)
        assert process.wait(30) == 74
    assert process.stderr.read() == "Error: the system refused: No space left on device\n"


def test_a_poor_encoding_is_no_trouble(child, server):
    """A character that stdout cannot encode is shown as its escape."""
    options = {"env": {**os.environ, "PYTHONIOENCODING": "ascii"}}
    process = child(*EMAIL, "--currency-eid", "звёзды", **options)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3  # the sandbox has no such currency
    process = child("sandbox", "--help", **options)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "--faults" in out


# ── secrets ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ps_shows_no_token_and_ctrl_c_gives_75(child, serve, monkeypatch, tmp_path):
    """While a lookup waits, its command line has no token; Ctrl-C ends it at once."""
    path = tmp_path / "token"
    path.write_text("canary-token")
    with serve(token="canary-token", latency_s=30) as sandbox:
        process = child(
            *EMAIL, "--base-url", sandbox.url, "--program", "1", "--token-file", str(path)
        )
        _wait_for(lambda: sandbox.requests == 1 or process.poll() is not None)
        assert b"canary-token" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (75, "", "Error: stopped\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_is_asked_for_the_token(prompted):
    """With no other source the token is typed, and nothing of it is echoed."""
    process, terminal = prompted
    os.write(terminal, b"sandbox-token\n")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert "Total balance" in out
    assert "sandbox-token" not in out
    assert b"sandbox-token" not in _echoed_on(terminal)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
def test_the_question_for_the_token_can_be_left(prompted, key):
    """Ctrl-C and Ctrl-D at the prompt stop the command: 75, and one word."""
    process, terminal = prompted
    if key == "Ctrl-D":
        os.write(terminal, b"\x04")
    else:
        process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out.splitlines()[-1]) == (75, "Error: stopped")


@pytest.fixture
def prompted(child, server, monkeypatch):
    """A child that waits for the token on a pseudo-terminal, and our end of that."""
    monkeypatch.delenv("ALTCRAFT_TOKEN")
    ours, theirs = os.openpty()
    # Without a terminal of its session, getpass asks on stdin and says so on stderr.
    process = child(*EMAIL, stdin=theirs, stderr=subprocess.STDOUT, start_new_session=True)
    os.close(theirs)
    prompt = "API token: "
    assert process.stdout.read(len(prompt)) == prompt
    yield process, ours
    os.close(ours)


# ── the extra ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_sentence_names_it(child, tmp_path, monkeypatch, missing):
    """`python -m altcraft_balance` says what to install; the package itself still imports."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules['{missing}'] = None  # as if it were not installed\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    process = child("get", "--email", "user@example.com")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (2, "", MISSING)


def test_the_sentence_is_about_the_extra_alone(monkeypatch, capsys):
    """In this process: a missing extra is said, any other missing module is a bug that raises."""
    for name in [name for name in sys.modules if name.startswith("altcraft_balance.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(["--help"]) == 2
    assert capsys.readouterr().err == MISSING
    monkeypatch.setitem(sys.modules, "altcraft_balance.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        main(["--help"])


def test_importing_the_command_line_imports_neither_typer_nor_rich():
    """The entry point is light until it is called."""
    code = (
        "import sys, altcraft_balance.cli\n"
        "print(sorted({'typer', 'rich', 'aiohttp'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n"


# ── signals ──────────────────────────────────────────────────────────────────────────────────


def test_a_signal_lets_the_work_clean_up():
    """The coroutine is cancelled and awaited; then `Stopped` comes out."""
    cleaned = []

    async def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(Stopped, match="SIGTERM"):
        run_until_signal(work())
    assert cleaned == [True]


def test_a_cancel_without_a_signal_is_no_stop():
    """Only a signal means "stopped"; any other cancel goes on as it is."""

    async def work():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_until_signal(work())


def _echoed_on(terminal):
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 1000)
    except OSError:  # nothing: the other end is closed
        return b""


def _wait_for(condition, limit_s=30):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
