"""Opening a store: what is wrong is said at once, and nothing is connected."""

import subprocess
import sys

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.pace.reason import reason_of
from altcraft_balance.pace.store import open_store
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.shared_rate import SharedRate

CANARY = "canary-pass-5f1e"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{CANARY}@localhost/0?socket_timeout=soon",
        f"redis://:{CANARY}@localhost/0?no_such_option=1",
        f"postgresql://u:{CANARY}@localhost/db?no_such_option=1",
        f"postgresql://u:{CANARY}%zz@localhost/db",
    ],
)
def test_an_option_that_the_package_refuses_is_one_sentence(url):
    """A URL with an unknown option is a wrong setting, and its password stays hidden."""
    with pytest.raises(ConfigurationError, match=r"^url is not one that") as caught:
        open_store(SharedRate.from_url(url, 200))
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "postgresql://127.0.0.1:1/db"])
def test_opening_connects_to_nothing(url):
    """No server and no event loop is needed before the first take."""
    assert open_store(SharedRate.from_url(url, 200)) is not None


def test_a_secret_is_read_when_the_store_is_opened(monkeypatch):
    """By reference nothing is known before; then what is wrong with it is said."""
    rate = SharedRate.redis(Secret.from_env("RATE_STORE_URL"), "any", 200)
    with pytest.raises(ConfigurationError, match=r"is not to be had from .*RATE_STORE_URL"):
        open_store(rate)
    monkeypatch.setenv("RATE_STORE_URL", f"postgres://u:{CANARY}@localhost/db")
    with pytest.raises(ConfigurationError, match="url must begin with redis://") as caught:
        open_store(rate)
    assert CANARY not in str(caught.value)
    monkeypatch.setenv("RATE_STORE_URL", "redis://localhost")
    open_store(rate)


def test_a_split_rate_has_no_store():
    """Each process keeps to its share, with nobody to ask."""
    with pytest.raises(ConfigurationError, match="a split rate has no store"):
        open_store(SharedRate.split(200))


@pytest.mark.parametrize(
    ("url", "missing"),
    [
        ("redis://localhost", "pyrate_limiter"),
        ("redis://localhost", "redis"),
        ("postgres://localhost", "pyrate_limiter"),
        ("postgres://localhost", "psycopg"),
    ],
)
def test_a_missing_package_names_the_extra(url, missing):
    """Without the extra the sentence says what to install."""
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from altcraft_balance.pace.store import open_store\n"
        "from altcraft_balance.shared_rate import SharedRate\n"
        f"open_store(SharedRate.from_url({url!r}, 200))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    sentence = f"needs {missing}: pip install 'altcraft-balance[shared-rate]'"
    assert ended.stderr.rstrip().endswith(sentence)


def test_the_packages_are_imported_by_who_opens_a_store():
    """Whoever shares no rate through a server pays nothing for it."""
    code = (
        "import sys, altcraft_balance.shared_rate, altcraft_balance.pace.store\n"
        "sys.exit(any(name in sys.modules for name in ('pyrate_limiter', 'redis', 'psycopg')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{CANARY}@localhost/0",
        f"redis://{CANARY}@localhost/0",
        f"unix:///run/redis.sock?password={CANARY}",
        f"postgres://u:{CANARY}@localhost/db",
        f"postgres://localhost/db?user=u&password={CANARY}",
        "postgres://u:canary%2Dpass%2D5f1e@localhost/db",
    ],
)
def test_a_reason_is_one_line_without_the_password(url):
    """Whatever an error quotes: as it stands in the URL, or as it is meant."""
    error = ValueError(f"no\n\x1b[31mway: {url} {CANARY} {CANARY.upper()}\n" + "x" * 500)
    reason = reason_of(error, HiddenStr(url))
    assert CANARY not in reason.lower()
    assert "canary%2D" not in reason
    assert reason.startswith("no [31mway: *** *** ***")
    assert reason.isprintable()
    assert len(reason) == 200


def test_an_error_without_words_is_named():
    """Its type is better than nothing."""
    assert (
        reason_of(ConnectionResetError(), HiddenStr("redis://localhost")) == "ConnectionResetError"
    )
