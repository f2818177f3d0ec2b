"""The command that replays a seed."""

import json

import pytest

from tests.simulation.__main__ import main


def printed(capsys, *arguments):
    code = main(arguments)
    return code, capsys.readouterr().out


def test_a_seed_is_replayed_with_a_readable_trace(capsys):
    """Every line of the trace has a time and who it was, and fits on a line; figures follow."""
    code, text = printed(capsys, "--seed", "5", "--scenario", "faults", "--items", "10")
    trace, _, summary = text.partition("\n\n")
    assert code == 0
    for line in trace.splitlines():
        time, who, what = line.split(maxsplit=2)
        assert (float(time) >= 0, who in {"client", "server"}, bool(what)) == (True, True, True)
        assert len(line) < 120
    assert "trace hash" in summary


def test_a_replay_repeats_itself(capsys):
    """The same seed prints the same, twice in one process."""
    assert printed(capsys, "--seed", "3") == printed(capsys, "--seed", "3")


def test_figures_come_as_json(capsys):
    """With --json there is one object, with the hash and what the run is measured by."""
    _, text = printed(capsys, "--seed", "5", "--scenario", "healthy", "--items", "10", "--json")
    figures = json.loads(text)
    assert figures["items"] == 10
    assert len(figures["trace_hash"]) == 64
    assert figures["bounds"] == []


def test_many_seeds_come_to_one_report(capsys):
    """A span of seeds is run one after another and summed up."""
    code, text = printed(capsys, "--seeds", "5:7", "--json")
    assert code == 0
    assert json.loads(text)["count"] == 2


def test_scenarios_are_listed(capsys):
    """--list names each scenario with what it is."""
    code, text = printed(capsys, "--list")
    assert code == 0
    assert "quota" in text
    assert all(len(line.split()) > 3 for line in text.splitlines())


def test_an_unknown_scenario_is_refused(capsys):
    """A name that does not exist is said to be one."""
    with pytest.raises(SystemExit):
        main(["--scenario", "nothing"])
    assert "invalid choice" in capsys.readouterr().err
