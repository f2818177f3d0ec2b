"""A query that is left while its connection comes leaves none behind."""

import gc

import pytest

from altcraft_balance.refresh.files.file_source import Interrupted
from tests.refresh.databases import source, with_members


@pytest.mark.parametrize("moment", ["do_connect", "connect", "first_connect", "checkout", "begin"])
async def test_it_is_left_as_it_connects(database, monkeypatch, moment):
    """SQLAlchemy loses a connection that is cancelled as it comes, and warns when it is freed."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    with_members(database, 3)
    found = source(database, "select id from members")
    engine_of = found._database.engine

    def engine(came):
        made = engine_of(came)
        sqlalchemy.event.listen(made.sync_engine, moment, lambda *_: found.interrupt())
        return made

    monkeypatch.setattr(found._database, "engine", engine)
    with pytest.raises(Interrupted):
        await found.describe()
    gc.collect()
