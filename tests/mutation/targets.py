"""Which modules are mutated, and the tests that have to notice."""

from attrs import frozen

from tests.promises.table import ROOT

__all__ = ["TARGETS", "Target"]

PACKAGE = ROOT / "altcraft_balance"


@frozen
class Target:
    """A module below the package's root, and its tests: those most likely to notice come first."""

    module: str
    tests: tuple[str, ...]

    @property
    def path(self):
        return PACKAGE / self.module


def _of_a_room(room):
    """Each module of a folder of the same name as its tests', its own tests first."""
    for path in sorted((PACKAGE / room).glob("*.py")):
        if path.stem != "__init__":
            files = sorted((ROOT / "tests" / room).glob("test_*.py"))
            own = [file for file in files if f"_{path.stem}" in file.stem]
            others = [file for file in files if file not in own]
            names = (str(file.relative_to(ROOT)) for file in own + others)
            yield Target(f"{room}/{path.name}", tuple(names))


def _of_rules():
    """Each rule by the tests that speak of it: the rules know little of each other."""
    for target in _of_a_room("policy"):
        name = f"altcraft_balance.policy.{target.path.stem} "
        about = [test for test in target.tests if name in (ROOT / test).read_text("utf-8")]
        yield Target(target.module, tuple(about))


def _of_refresh(module, *names):
    return Target(f"refresh/{module}", tuple(f"tests/refresh/test_refresh_{n}.py" for n in names))


TARGETS = (
    *_of_a_room("codec"),
    Target(
        "secret.py", ("tests/words/test_words_secret.py", "tests/session/test_session_tokens.py")
    ),
    *_of_rules(),
    _of_refresh("state/checkpoint.py", "checkpoint", "states", "folder"),
    _of_refresh("sql/checkpoint.py", "states", "sql_state", "sql_turns"),
    _of_refresh("sql/state.py", "states", "sql_state", "sql_turns"),
    _of_refresh("state/folder.py", "folder", "states", "checkpoint"),
    _of_refresh("state/lock.py", "lock"),
)
