"""Standard output is an output like others, only that it cannot be taken up again."""

import sys
from pathlib import Path

import pytest

from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.port import Column, Opening


def test_a_full_one_is_told(monkeypatch):
    """One sentence, which does not promise that the run can go on."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        sink = CsvSink("-")
        sink.open(Opening(run_id="a", columns=(Column("email"),)))
        sink.write([["a@example.com"]])
        with pytest.raises(
            OSError, match="standard output cannot be written: no space left"
        ) as told:
            sink.sync()
        sink.close()
    assert "cannot be taken up again" in str(told.value)
    assert "nothing is lost" not in str(told.value)
