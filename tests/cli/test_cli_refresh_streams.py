"""`refresh -` reads standard input, `--out -` writes standard output, and neither breaks."""

import gzip
import json
import subprocess
import sys

import pytest

from tests.cli.refreshing import address, one_sentence, rows_of, write_members

COMMAND = (sys.executable, "-W", "error", "-m", "altcraft_balance")
BY = ("--by", "email")


@pytest.fixture
def piped(server, tmp_path, monkeypatch):
    """Run the command in a folder of its own with this on its standard input."""
    monkeypatch.chdir(tmp_path)

    def run(text, *arguments):
        done = subprocess.run(
            [*COMMAND, "refresh", "-", *arguments],
            input=text.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


def test_standard_input_goes_to_standard_output(piped, tmp_path):
    """CSV in and CSV out, nothing else on stdout, and nothing is left behind."""
    code, out, err = piped(f"email\n{address(1)}\n", *BY, "--out", "-")
    assert code == 0, err
    assert out.splitlines()[0].startswith("member,total_balance,")
    assert out.splitlines()[1].startswith(f"{address(1)},")
    assert len(out.splitlines()) == 2
    assert err.startswith("Standard output has no checkpoint")
    assert "found 1" in err
    assert list(tmp_path.iterdir()) == []


def test_formats_of_streams_are_given(piped):
    """--input-format and --output-format stand for the suffixes."""
    line = json.dumps({"email": address(1)})
    formats = ("--input-format", "jsonl", "--output-format", "jsonl")
    code, out, err = piped(line + "\n", *BY, "--out", "-", *formats)
    assert code == 0, err
    assert json.loads(out)["member"] == address(1)


def test_standard_input_is_kept_only_while_it_is_needed(piped, tmp_path):
    """When the run has finished, the state holds nothing of the input."""
    code, _, err = piped(f"email\n{address(1)}\n", *BY, "--out", "out.csv.gz")
    assert code == 0, err
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).count(b"\n") == 2
    (state,) = (tmp_path / ".altcraft-balance").iterdir()
    assert [path.name for path in state.iterdir()] == ["finished.json"]


def test_wrong_input_leaves_nothing(piped, tmp_path):
    """One sentence, which speaks of standard input, and no state."""
    code, out, err = piped("id;email\n", *BY, "--out", "out.csv")
    assert (code, out) == (2, "")
    assert err == "Error: --delimiter must be given for standard input: its header holds ';'\n"
    assert list(tmp_path.iterdir()) == []


def test_the_same_input_goes_on(piped, server, tmp_path):
    """A run that was stopped by a wrong token goes on when it is given the same again."""
    text = f"email\n{address(1)}\n"
    server.answer(None, status=401, body=b"no", times=1)
    assert piped(text, *BY, "--out", "out.csv")[0] == 77
    (spool,) = (tmp_path / ".altcraft-balance").glob("stdin-*")
    assert spool.stat().st_mode & 0o777 == 0o600
    (run,) = (tmp_path / ".altcraft-balance").glob("*/checkpoint.sqlite")
    assert piped(text, *BY, "--out", "out.csv")[0] == 0
    assert (run.parent / "finished.json").exists()
    assert not spool.exists()


def test_a_reader_that_leaves_stops_it(child, server, tmp_path):
    """`refresh ... --out - | head` ends with 75, and without a word about the pipe."""
    path = write_members(tmp_path / "m.csv", 20_000)
    process = child("refresh", str(path), *BY, "--out", "-", "--progress", "off")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 75
    assert process.stderr.read() == ""
    assert server.requests < 20_000


def test_an_empty_standard_input_is_one_sentence(command, server, tmp_path, monkeypatch):
    """In this process, whose standard input is nothing."""
    monkeypatch.chdir(tmp_path)
    assert one_sentence(command("refresh", "-", *BY, "--out", "o.csv")) == "standard input is empty"
    assert list(tmp_path.iterdir()) == []


def test_standard_output_in_this_process(child, server, tmp_path):
    """Errors go to a file beside it, whose claim is gone at the end."""
    path = tmp_path / "m.csv"
    path.write_text(f"email\n{address(1)}\nnobody\n")
    bad = tmp_path / "bad.csv"
    process = child("refresh", str(path), *BY, "--out", "-", "--errors-to", str(bad))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert len(out.splitlines()) == 3
    assert [row["email"] for row in rows_of(bad)] == ["nobody"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "m.csv"]
