"""What tests of refreshes share: a database of each kind, and a place in a store."""

import pytest

from tests.refresh.databases import Postgres, Sqlite


@pytest.fixture
def postgres(postgres_server):
    """An empty database of a PostgreSQL that runs."""
    return Postgres(postgres_server)


@pytest.fixture
def sqlite(tmp_path):
    """An SQLite file that is not there yet."""
    return Sqlite(tmp_path / "night.db")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def database(request):
    """Each kind of database in turn, an empty one."""
    return request.getfixturevalue("sqlite" if request.param == "sqlite" else "postgres")


@pytest.fixture
def url(monkeypatch, tmp_path):
    """An empty place in an object store, which is a folder."""
    from tests.refresh import lakes

    lakes.use_folders(monkeypatch)
    return lakes.url_of(tmp_path / "lake")
