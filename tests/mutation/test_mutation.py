"""The mutants are what they say, and what is recorded is about the code as it is."""

import ast
import json
import subprocess
import sys

import pytest

from tests.fast import fast_environment
from tests.mutation.operators import mutants_of
from tests.mutation.score import SURVIVORS, read_score
from tests.mutation.targets import TARGETS
from tests.promises.table import ROOT

SOURCE = '''
"""Says nothing."""
__all__ = ["f"]
LIMIT: int = 2

@wraps("f")
def f(a: int = 1) -> str:
    """Says nothing."""
    if a < LIMIT and not a.b:
        raise ValueError(f"{a} is too small to be one")
    call(a)
    return "x" if a else "y"
'''
CHANGES = {
    "4: 2 -> 3",
    "7: 1 -> 2",
    "9: a < LIMIT and (not a.b) -> a < LIMIT or not a.b",
    "9: a < LIMIT -> a <= LIMIT",
    "9: not a.b -> a.b",
    "10: raise ValueError(f'{a} is too small to be one') -> pass",
    "11: call(a) -> pass",
    "12: return 'x' if a else 'y' -> return None",
    "12: 'x' if a else 'y' -> 'x' if not a else 'y'",
    "12: 'x' -> 'xX'",
    "12: 'y' -> 'yX'",
}


def test_each_mutant_is_one_change_that_a_program_could_notice():
    """Annotations, docstrings, decorators, `__all__` and sentences are left alone."""
    found = list(mutants_of(SOURCE))
    assert {mutant.name for mutant in found} == CHANGES
    plain = ast.unparse(ast.parse(SOURCE))
    for mutant in found:
        differing = sum(
            a != b for a, b in zip(plain.splitlines(), mutant.source.splitlines(), strict=True)
        )
        assert differing == 1, mutant.name


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.module)
def test_every_module_has_mutants_and_tests(target):
    """No two of them have one name, by which the results are kept."""
    names = [mutant.name for mutant in mutants_of(target.path.read_text("utf-8"))]
    assert len(names) == len(set(names)) > 5
    recorded = read_score()[target.module]
    assert recorded["mutants"] == len(names), "run it again: python -m tests.mutation --only ..."
    assert target.tests
    assert all((ROOT / test).exists() for test in target.tests)


def test_reasons_are_given_for_what_survived_and_nothing_else():
    """Each reason belongs to a survivor in the recorded score."""
    score = read_score()
    for module, reasons in json.loads(SURVIVORS.read_text("utf-8")).items():
        survived = {name.partition(": ")[2] for name in score[module]["survived"]}
        assert reasons.keys() <= survived, module
        assert all(reasons.values())


def test_the_command_refuses_a_module_that_is_not_mutated():
    """One sentence, and nothing is recorded."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--only", "nothing"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=fast_environment(),
    )
    assert ended.returncode == 1
    assert ended.stderr == "no module that is mutated begins with 'nothing'\n"
