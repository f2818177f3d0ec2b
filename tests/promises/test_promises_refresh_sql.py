"""Row 25: a refresh from and into a database that is killed goes on, and its tables do not show it.

Killed around every commit, before and after it was heard of, and at random moments; with a table
alone, and with files beside it, among them the changes since yesterday.
"""

import pytest

from tests.promises.child import in_child
from tests.promises.refresh_sql_points import SQL_POINTS

pytest.importorskip("sqlalchemy")
pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """The name of a kind of database, and the DSN of one that runs; "" for files."""
    if request.param == "sqlite":
        return request.param, ""
    return request.param, request.getfixturevalue("postgres_server").url


@pytest.mark.parametrize("files", [0, 1], ids=["alone", "files"])
def test_killed_at_any_commit_it_goes_on(promise, size, database, files):
    """Killed before, within and after each commit, a run ends with the tables of an unkilled one.

    And with the files: the rows, the errors, and exactly the changes.
    """
    name, dsn = database
    stated = promise(25, f"kill -9 at every commit: {name}{', and files' * files}")
    came = in_child(
        "refresh_sql_crash", limit_s=3600, dsn=dsn, files=files, step=size(4, 1), calls=size(0, 1)
    )
    stated.came(
        tried=came["tried"],
        failed=came["failed"],
        figure=f"{came['most_repeats']} asked again at most",
        why=came["broken"],
    )
    assert set(came["points"]) >= set(SQL_POINTS)
    assert came["tried"] >= size(10, 40)


@pytest.mark.parametrize("files", [0, 1], ids=["alone", "files"])
def test_killed_at_random_it_goes_on(promise, size, database, files):
    """Killed at random moments: also while the source is read, and while a block is written."""
    name, dsn = database
    stated = promise(25, f"kill -9 at random: {name}{', and files' * files}")
    options = {"rows": 800, "block_rows": 0, "key": "" if files else "id"}
    came = in_child(
        "refresh_sql_crash",
        limit_s=3600,
        dsn=dsn,
        files=files,
        random=size(10, 100),
        **options,
    )
    stated.came(
        tried=came["tried"],
        failed=came["failed"],
        figure=f"{came['most_repeats']} asked again at most for three kills",
        why=came["broken"],
    )
