"""Output by URL: object stores that are known, none of their keys shown, state in this folder."""

import json

import pytest

from altcraft_balance.refresh.files.lake import Lake
from tests.cli.refreshing import address, one_sentence, write_members

pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
lakes = pytest.importorskip("tests.refresh.lakes")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with members, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    lakes.use_folders(monkeypatch)
    write_members(tmp_path / "m.csv", 20)
    return tmp_path


def refresh(command, *arguments):
    return command("refresh", "m.csv", "--by", "email", *arguments)


def members_in(url):
    return [row["member"] for part in lakes.parts_of(url).values() for row in part]


def test_a_url_is_an_output(command, server, folder):
    """A second time nothing is sent; the summary names the place."""
    url = lakes.url_of(folder / "lake")
    ended = refresh(command, "--out", url, "--summary", "s.json")
    assert ended.code == 0, ended.err
    assert members_in(url) == [address(number) for number in range(20)]
    assert json.loads((folder / "s.json").read_text())["output"] == url
    assert (folder / ".altcraft-balance").is_dir()
    again = refresh(command, "--out", url)
    assert (again.code, f"{url} has its rows" in " ".join(again.out.split())) == (0, True)


def test_a_store_that_is_away_is_exit_74(command, server, folder, monkeypatch):
    """One sentence, and the same command goes on."""
    url, put = lakes.url_of(folder / "lake"), Lake.put

    def away(lake, name, data):
        with lake.explained():
            if "part-" in name:
                raise OSError("AWS Error NETWORK_CONNECTION (Request ID: abc)\nmore")
            put(lake, name, data)

    monkeypatch.setattr(Lake, "put", away)
    ended = refresh(command, "--out", url, "--progress", "off")
    assert ended.code == 74
    assert ended.err.splitlines()[-1] == (
        f"Error: {url} cannot be written: AWS Error NETWORK_CONNECTION; nothing is lost: "
        "see to it, and run the same command again"
    )
    monkeypatch.setattr(Lake, "put", put)
    assert refresh(command, "--out", url).code == 0
    assert len(members_in(url)) == 20


def test_a_store_that_refuses_is_exit_2(command, server, folder, monkeypatch):
    """No loop begins it again and again."""

    def refused(lake, name):
        with lake.explained():
            raise OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")

    monkeypatch.setattr(Lake, "read", refused)
    url = lakes.url_of(folder / "lake")
    ended = refresh(command, "--out", url, "--progress", "off")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(
        f"Error: {url} cannot be written: AWS Error ACCESS_DENIED during HeadObject operation: No "
        "response body; no waiting helps: see to the name, to the keys"
    )


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (("--out", "s3://KEY:c4nary@b/x/"), "a URL must not hold a key or a password"),
        (("--out", "ftp://b/x/"), "a URL must begin with one of file://, s3://, gs://"),
        (("--out", "s3://b/x.csv"), "s3://b/x.csv is a file's name: an object store gets a folder"),
        (("--out", "s3://b/x/", "--output-format", "csv"), "an object store gets Parquet, not csv"),
        (("--out", "s3://b/x/", "--errors-to", "s3://b/x"), "--out and --errors-to are the same"),
        (("--out", "s3://b/x/", "--summary", "s3://b/y"), "--summary must be on this machine"),
    ],
)
def test_what_cannot_be_is_told(command, server, folder, arguments, begins):
    """Before anything is sent or made, and without a secret."""
    sentence = one_sentence(refresh(command, *arguments))
    assert sentence.startswith(begins)
    assert "c4nary" not in sentence
    assert [entry.name for entry in folder.iterdir()] == ["m.csv"]


def test_an_input_by_url_is_told(command, server, folder):
    """It is not read."""
    ended = command("refresh", "s3://b/m/", "--by", "email", "--out", "o.csv")
    assert one_sentence(ended).startswith("INPUT must be on this machine: a URL is for the output")


def test_a_file_s_url_is_its_path(command, server, folder):
    """In and out, in any format; it is not told apart from the path."""
    (folder / "out").mkdir()
    ended = command(
        "refresh", f"file://{folder}/m.csv", "--by", "email",
        "--out", f"file://{folder}/out/o.csv",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert (folder / "out" / "o.csv").exists()
    same = refresh(command, "--out", f"file://{folder}/m.csv")
    assert one_sentence(same).startswith("INPUT and --out are the same")
