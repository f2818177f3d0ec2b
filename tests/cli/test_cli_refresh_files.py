"""Bad files and settings: each gets one sentence and exit 2, and nothing is left behind."""

import gzip
import os
import sys
from contextlib import contextmanager

import pytest

from tests.cli.refreshing import one_sentence, write_members

GOOD = "email\na@example.com\n"


def _text(text, encoding="utf-8"):
    return lambda path: path.write_bytes(text.encode(encoding))


def _gzipped(path):
    path.write_bytes(gzip.compress(GOOD.encode())[:-6])


#: Name, what makes it, further arguments, how the sentence begins or what it has.
BAD = {
    "wrong encoding": ("m.csv", _text("email\nßü\n", "latin-1"), (), "--encoding must be given"),
    "unknown encoding": ("m.csv", _text(GOOD), ("--encoding", "x"), "--encoding 'x' is not known"),
    "other delimiter": ("m.csv", _text("id;email\n"), (), "--delimiter must be given for m.csv"),
    "tab": ("m.csv", _text("id\temail\n"), (), "--delimiter must be given for m.csv"),
    "long delimiter": ("m.csv", _text(GOOD), ("--delimiter", "::"), "--delimiter must be one"),
    "missing column": ("m.csv", _text(GOOD), ("--column", "mail"), "--column 'mail' is not in m.c"),
    "no column": ("m.csv", _text("a,b\n1,2\n"), (), "--column must say which of m.csv"),
    "missing program": ("m.csv", _text(GOOD), ("--program-column", "p"), "--program-column 'p' is"),
    "missing kept": ("m.csv", _text(GOOD), ("--keep", "id"), "--keep 'id' is not in m.csv"),
    "a clash": ("m.csv", _text("email,status\n"), ("--keep", "all"), "--prefix is needed"),
    "empty": ("m.csv", _text(""), (), "m.csv is empty"),
    "empty lines of JSON": ("m.jsonl", _text(""), (), "m.jsonl is empty"),
    "no JSON": ("m.jsonl", _text("x\n"), (), "m.jsonl has no JSON object"),
    "cut gzip": ("m.csv.gz", _gzipped, (), "m.csv.gz cannot be read: its compressed data"),
    "no gzip": ("m.csv.gz", _text(GOOD), (), "m.csv.gz cannot be read"),
    "a quote": ("m.csv", _text('email\n"a\n'), (), "m.csv is no CSV"),
    "a folder as text": (
        "m.csv",
        lambda path: path.mkdir(),
        ("--input-format", "csv"),
        "m.csv cannot be read: is a directory",
    ),
    "no such file": ("m.csv", lambda path: None, (), "m.csv cannot be read: no such file"),
    "unknown suffix": ("m.xlsx", _text(GOOD), (), "m.xlsx ends in none of .csv, .tsv, .jsonl"),
    "unknown format": ("m.x", _text(GOOD), ("--input-format", "x"), "--input-format must be csv"),
    "unknown way": ("m.csv", _text(GOOD), ("--by", "name"), "--by must be email, phone"),
    "output exists": ("m.csv", _text(GOOD), ("--out", "there.csv"), "there.csv exists: name"),
    "errors exist": ("m.csv", _text(GOOD), ("--errors-to", "there.csv"), "there.csv exists: name"),
    "output is a folder": ("m.csv", _text(GOOD), ("--out", "d.csv", "--output-format", "csv"),
                           "d.csv cannot be written: it is a folder"),
    "no folder": ("m.csv", _text(GOOD), ("--out", "no/o.csv"), "no/o.csv cannot be written"),
    "unknown output": ("m.csv", _text(GOOD), ("--out", "o.xlsx"), "o.xlsx ends in none of"),
    "output is the input": ("m.csv", _text(GOOD), ("--out", "./m.csv"), "INPUT and --out are the"),
    "errors are the output": ("m.csv", _text(GOOD), ("--errors-to", "o.csv"), "--out and --errors"),
    "summary is the output": ("m.csv", _text(GOOD), ("--summary", "o.csv"), "--out and --summary"),
    "summary in no folder": ("m.csv", _text(GOOD), ("--summary", "no/s"), "--summary no/s cannot"),
    "packed Parquet": ("m.csv", _text(GOOD), ("--out", "o.parquet.gz"), "o.parquet.gz: Parquet is"),
    "Parquet to a pipe": (
        "m.csv", _text(GOOD), ("--out", "-", "--output-format", "parquet"), "Parquet is read from"
    ),
    "delimiter of JSON": ("m.jsonl", _text("{}"), ("--delimiter", ";"), "--delimiter is for CSV"),
    "scale of CSV": ("m.csv", _text(GOOD), ("--amount-scale", "2"), "--amount-scale is for Parq"),
    "no limit": ("m.csv", _text(GOOD), ("--limit", "0"), "--limit must be a whole number"),
    "limit in letters": ("m.csv", _text(GOOD), ("--limit", "x"), "Invalid value for '--limit'"),
    "sample of all": ("m.csv", _text(GOOD), ("--sample", "2"), "--sample must be a share"),
    "max failed in letters": ("m.csv", _text(GOOD), ("--max-failed", "x"), "--max-failed must be"),
    "run id with a slash": ("m.csv", _text(GOOD), ("--run-id", "a/b"), "--run-id must be made of"),
    "unknown progress": ("m.csv", _text(GOOD), ("--progress", "x"), "--progress must be one of"),
    "a currency twice": (
        "m.csv", _text(GOOD), ("--currency-eid", "a", "--currency-eid", "a"), "--currency-eid name"
    ),
    "currencies of all kinds": (
        "m.csv", _text("email,c\n"),
        ("--currency-eid", "a", "--currency-eid", "b", "--currency-column", "c"),
        "--currency-eid and --currency-column cannot",
    ),
    "both kinds of currency": (
        "m.csv", _text(GOOD), ("--currency-eid", "a", "--currency-iid", "1"), "give --currency-eid "
    ),
    "no currency": ("m.csv", _text(GOOD), ("--currency-eid", ""), "--currency-eid is empty"),
    "concurrency": ("m.csv", _text(GOOD), ("--concurrency", "0"), "--concurrency must be"),
    "row deadline": ("m.csv", _text(GOOD), ("--row-deadline", "x"), "--row-deadline='x' cannot"),
    "no authorities": (
        "m.csv", _text(GOOD), ("--base-url", "https://127.0.0.1:9", "--ca-file", "/nowhere"),
        "/nowhere",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which the command runs, with a file that is in the way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "d.csv").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_one_sentence(command, server, folder, case):
    """Exit 2, one line on stderr, no request, and the folder is as it was."""
    name, make, arguments, words = BAD[case]
    make(folder / name)
    before = sorted(folder.rglob("*"))
    usual = () if "--out" in arguments else ("--out", "o.csv")
    usual += () if "--by" in arguments else ("--by", "email")
    said = one_sentence(command("refresh", name, *usual, *arguments))
    assert words in said
    assert server.requests == 0
    assert sorted(folder.rglob("*")) == before
    assert (folder / "there.csv").read_text() == "mine"


def test_no_output_is_one_sentence(command, server, folder):
    """--out is needed."""
    write_members(folder / "m.csv", 1)
    assert one_sentence(command("refresh", "m.csv", "--by", "email")).startswith("--out must say")


def test_a_folder_without_parquet_is_one_sentence(command, server, folder):
    """A folder is one of Parquet."""
    pytest.importorskip("pyarrow")
    said = one_sentence(command("refresh", "d.csv", "--by", "email", "--out", "o.csv"))
    assert "folder without *.parquet files" in said


@pytest.mark.parametrize("names", [("m.parquet", "o.csv"), ("m.csv", "o.parquet")])
def test_without_pyarrow_the_extra_is_named(command, server, folder, monkeypatch, names):
    """The rest works; who asks for Parquet is told what to install."""
    for module in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write_members(folder / names[0], 1)
    said = one_sentence(command("refresh", names[0], "--by", "email", "--out", names[1]))
    assert "'altcraft-balance[parquet]'" in said
    assert not (folder / ".altcraft-balance").exists()


@pytest.fixture
def as_nobody(tmp_path):
    """Nothing is refused to root: a part of a test runs as somebody else."""

    @contextmanager
    def dropped():
        if os.geteuid():
            yield
            return
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    return dropped


@pytest.mark.skipif(os.name == "nt", reason="needs permissions")
@pytest.mark.parametrize("what", ["input", "folder"])
def test_no_permission_is_one_sentence(command, server, folder, as_nobody, what):
    """What may not be read, and where nothing may be written, is named."""
    path = write_members(folder / "m.csv", 1)
    # What is imported on demand is imported by now, whoever may read it.
    assert command("refresh", "m.csv", "--by", "email", "--out", "d.csv/o.csv").code == 0
    path.chmod(0 if what == "input" else 0o644)
    folder.chmod(0o777 if what == "input" else 0o555)
    with as_nobody():
        ended = command("refresh", "m.csv", "--by", "email", "--out", "o.csv")
    folder.chmod(0o755)
    assert one_sentence(ended).startswith(f"{'m' if what == 'input' else 'o'}.csv cannot be ")
    assert one_sentence(ended).endswith("permission denied")
    assert server.requests == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_74(child, server, folder):
    """What cannot be written is said."""
    write_members(folder / "m.csv", 5)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = child("refresh", "m.csv", "--by", "email", "--out", "-", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 74
    assert "Error: standard output cannot be written: no space left on device" in err
    assert "Traceback" not in err


def test_a_closed_standard_input_is_said(child, server, folder):
    """It is not empty: there is none."""
    process = child(
        *("refresh", "-", "--by", "email", "--out", "o.csv"),
        stdin=None,
        preexec_fn=lambda: os.close(0),
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "standard input is closed: name a file, or send one there" in err


@pytest.mark.parametrize("which", ["input", "output"])
def test_a_file_name_that_is_not_utf_8_is_refused(child, server, folder, which):
    """What a run keeps names it, in UTF-8."""
    write_members(folder / "m.csv", 2)
    odd = os.fsdecode(b"odd\xff.csv")
    if which == "input":
        (folder / "m.csv").rename(folder / odd)
    names = (odd, "o.csv") if which == "input" else ("m.csv", odd)
    process = child("refresh", names[0], "--by", "email", "--out", names[1])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert r"the name of the file 'odd\udcff.csv' is not UTF-8: rename it" in err
