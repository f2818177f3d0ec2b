"""The recorded score, and which survivors are explained.

`score.json` is what the last run of each module came to; `survivors.json` says by module and
change why nobody should notice it.
"""

import json

from tests.mutation.operators import mutants_of
from tests.mutation.runner import known
from tests.promises.table import ROOT

__all__ = ["lines_of", "read_score", "scored", "unexplained", "write_score"]

SCORE = ROOT / "tests" / "mutation" / "score.json"
SURVIVORS = ROOT / "tests" / "mutation" / "survivors.json"


def scored(target):
    """The target's line: how many mutants, tried, killed, and the survivors' names."""
    results = known(target, with_stale=True)
    mutants = list(mutants_of(target.path.read_text("utf-8")))
    tried = [m for m in mutants if m.name in results]
    survivors = [m.name for m in tried if results[m.name]["code"] == 0]
    return {
        "mutants": len(mutants),
        "tried": len(tried),
        "killed": len(tried) - len(survivors),
        "past_the_limit": sum(results[m.name]["code"] is None for m in tried),
        "survived": survivors,
    }


def read_score():
    return json.loads(SCORE.read_text("utf-8")) if SCORE.exists() else {}


def write_score(lines):
    """Record `lines`; modules that were not run keep theirs."""
    score = read_score() | {module: line for module, line in lines.items() if line["tried"]}
    SCORE.write_text(json.dumps(score, indent=2) + "\n", "utf-8")


def unexplained(lines):
    """The survivors without a reason, as `module:line: change`; the line may move."""
    reasons = json.loads(SURVIVORS.read_text("utf-8"))
    for module, line in lines.items():
        known_here = reasons.get(module, {})
        for name in line["survived"]:
            if name.partition(": ")[2] not in known_here:
                yield f"{module}:{name}"


def lines_of(score):
    """The score as lines of text."""
    for module, line in score.items():
        share = line["killed"] / line["tried"] if line["tried"] else 0
        yield f"{module:24} {line['killed']:4} of {line['tried']:4} killed, {share:6.1%}" + (
            f", {line['mutants'] - line['tried']} not tried"
            if line["tried"] < line["mutants"]
            else ""
        )
