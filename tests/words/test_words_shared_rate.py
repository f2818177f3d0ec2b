"""A rate that several processes share: one value, which shows and carries no password."""

import copy
import pickle
import traceback

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import Secret
from altcraft_balance.shared_rate import SharedRate

CANARY = "canary-pass-5f1e"
REDIS = "redis://cache:6379/0"
POSTGRES = "postgresql://app@db/main"

WITH_PASSWORD = [
    f"redis://:{CANARY}@cache/0",
    f"redis://{CANARY}@cache/0",
    f"rediss://user:{CANARY}@cache/0",
    f"redis://cache/0?password={CANARY}",
    f"unix://:{CANARY}@/run/redis.sock",
    f"postgres://app:{CANARY}@db/main",
    f"postgresql://app:{CANARY}@db1:5432,db2:5433/main",
    f"postgresql://db/main?user=app&password={CANARY}",
    f"postgresql://db/main?sslkey=k.pem&sslpassword={CANARY}",
]
WITHOUT = [
    REDIS,
    "rediss://cache",
    "redis://[::1]:6379/0?db=2",
    "unix:///run/redis.sock",
    POSTGRES,
    "postgres://db1:5432,db2:5433/main",
    "postgresql:///main?host=/run/postgresql",
]


def test_what_is_agreed_and_what_each_may_do_alone():
    """The rate of all, and while the store is away the share of one."""
    rate = SharedRate.redis(REDIS, "nightly", 150, workers=4)
    assert (rate.kind, rate.name, rate.url) == ("redis", "nightly", REDIS)
    assert (rate.per_s, rate.workers, rate.share_per_s) == (150.0, 4, 37.5)
    assert isinstance(rate.per_s, float)


def test_the_defaults():
    """200 per second, and a tenth of it alone; a split is made for 32."""
    for rate in (SharedRate.redis(REDIS, "any"), SharedRate.postgres(POSTGRES, "any")):
        assert (rate.per_s, rate.workers) == (200, 10)
    split = SharedRate.split(200)
    assert (split.kind, split.workers, split.share_per_s, split.url) == ("split", 32, 6.25, None)


@pytest.mark.parametrize("url", WITHOUT + WITH_PASSWORD)
def test_the_scheme_says_which_store(url):
    """From a URL alone, as on a command line."""
    rate = SharedRate.from_url(url, 200)
    make = SharedRate.postgres if url.startswith("postgres") else SharedRate.redis
    assert rate == make(url, "altcraft-balance", 200, workers=10)
    assert SharedRate.from_url(Secret(url), 200).kind == rate.kind


def refused(make):
    """The sentence of the refusal, once nothing of it shows the password."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in shown.stack if frame.filename != __file__]
    assert ours
    assert CANARY not in f"{caught.value!r} {ours}"
    assert caught.value.__context__ is None
    return str(caught.value)


PER_S = "per_s must be a number greater than 0, up to a billion, not "
WORKERS = "workers must be a whole number from 1 to a million"
NAME = "name must be 1 to 40 characters: letters without accents, digits, '_' and '-'"


@pytest.mark.parametrize(
    "value", [0, -1, float("nan"), float("inf"), 1e10, 10**400, True, "200", None]
)
def test_a_rate_is_a_number_above_zero(value):
    """Neither nothing, nor too much, nor something else."""
    for make in (
        lambda: SharedRate.redis(REDIS, "any", value),
        lambda: SharedRate.postgres(POSTGRES, "any", value),
        lambda: SharedRate.split(value),
        lambda: SharedRate.from_url(REDIS, value),
    ):
        assert refused(make) == f"{PER_S}{value!r}"


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "4", None])
def test_workers_are_counted(value):
    """A whole number of processes, one at least."""
    assert refused(lambda: SharedRate.redis(REDIS, "any", workers=value)) == WORKERS
    assert refused(lambda: SharedRate.split(200, workers=value)) == WORKERS


@pytest.mark.parametrize("value", ["", "a" * 41, "a b", "a:b", "a.b", 'a"b', "é", "a\n", 5, None])
def test_a_name_is_safe_as_a_key_and_as_a_table(value):
    """Letters, digits, '_' and '-', and not too many of them."""
    assert refused(lambda: SharedRate.redis(REDIS, value)) == NAME
    assert refused(lambda: SharedRate.postgres(POSTGRES, value)) == NAME
    assert SharedRate.redis(REDIS, "A" * 20 + "_-" + "9" * 18).name


BAD = [
    (SharedRate.redis, f"http://:{CANARY}@cache", "must begin with redis:// or rediss:// or unix"),
    (SharedRate.redis, f"REDIS://:{CANARY}@cache", "must begin with redis://"),
    (SharedRate.redis, f"postgres://u:{CANARY}@db", "must begin with redis://"),
    (SharedRate.postgres, f"redis://:{CANARY}@cache", "must begin with postgres:// or postgresql:"),
    (SharedRate.redis, CANARY, "must begin with redis://"),
    (SharedRate.redis, "", "must begin with redis://"),
    (SharedRate.redis, f"redis://:{CANARY}@", "names no host"),
    (SharedRate.redis, f"redis://:{CANARY}@cache:port", "is not a URL"),
    (SharedRate.redis, f"redis://:{CANARY}@cache:0", "is not a URL"),
    (SharedRate.redis, f"redis://:{CANARY}@[::1", "is not a URL"),
    (SharedRate.redis, f"redis://:{CANARY}@cache/0\n", "is not a URL"),
    (SharedRate.redis, f"redis://:{CANARY} x@cache/0", "is not a URL"),
    (SharedRate.redis, f"redis://:{CANARY}/x@cache", "percent-encode"),
    (SharedRate.redis, f"redis://:x?{CANARY}@cache", "percent-encode"),
    (SharedRate.postgres, f"postgres://u:x#{CANARY}@db", "percent-encode"),
    (SharedRate.postgres, f"postgres://u:x/{CANARY}@db", "percent-encode"),
]


@pytest.mark.parametrize(("make", "url", "sentence"), BAD)
def test_a_wrong_url_is_one_sentence_that_does_not_quote_it(make, url, sentence):
    """What is wrong with it, and nothing of what stands in it."""
    said = refused(lambda: make(url, "any"))
    assert said.startswith(f"url {sentence}") or sentence in said


@pytest.mark.parametrize("url", [None, 5, b"redis://cache", ["redis://cache"]])
def test_a_url_is_text_or_a_secret(url):
    """Anything else is told what to be."""
    assert refused(lambda: SharedRate.redis(url, "any")) == "url must be text (str) or a Secret"


@pytest.mark.parametrize("url", [f"http://:{CANARY}@cache", f"{CANARY}://cache", "", None, 5])
def test_an_unknown_scheme_is_told_the_known_ones(url):
    """Which store it is cannot be guessed."""
    assert "must begin with redis://, rediss://" in refused(lambda: SharedRate.from_url(url, 200))


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_is_not_shown(url):
    """Neither by repr nor by str, of the value or of what holds it."""
    for given in (url, Secret(url)):
        rate = SharedRate.from_url(given, 200)
        assert CANARY not in f"{rate!r} {rate} {[rate]} {rate.url!r}"
        assert rate.reveal_url() == url
        assert repr(rate.reveal_url()) == "***"


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_does_not_travel(url):
    """A pickle would carry it, so there is none."""
    with pytest.raises(TypeError, match=r"does not pickle.*Secret\.from_env") as caught:
        pickle.dumps(SharedRate.from_url(url, 200))
    assert CANARY not in str(caught.value)
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(SharedRate.from_url(Secret(url), 200))


@pytest.mark.parametrize("rate", [SharedRate.from_url(url, 200) for url in WITHOUT])
def test_a_rate_without_a_password_travels_and_shows_its_url(rate):
    """It comes back equal."""
    assert pickle.loads(pickle.dumps(rate)) == rate
    assert rate.url in repr(rate)


def test_a_reference_travels(monkeypatch):
    """Of a secret made by reference the name goes, and the value is found where it arrives."""
    rate = SharedRate.redis(Secret.from_env("RATE_STORE_URL"), "any", 50, workers=3)
    arrived = pickle.loads(pickle.dumps(rate))
    assert (arrived.kind, arrived.name, arrived.per_s, arrived.workers) == ("redis", "any", 50, 3)
    monkeypatch.setenv("RATE_STORE_URL", WITH_PASSWORD[0])
    assert arrived.reveal_url() == WITH_PASSWORD[0]
    assert pickle.loads(pickle.dumps(SharedRate.split(200))) == SharedRate.split(200)


def test_a_secret_is_looked_at_when_it_is_revealed(monkeypatch):
    """Not before, since it may stand on another machine; then as strictly as a text."""
    rate = SharedRate.postgres(Secret.from_env("RATE_STORE_URL"), "any")
    assert "is not to be had from Secret.from_env('RATE_STORE_URL')" in refused(rate.reveal_url)
    monkeypatch.setenv("RATE_STORE_URL", WITH_PASSWORD[0])
    assert "must begin with postgres://" in refused(rate.reveal_url)
    assert refused(SharedRate.split(200).reveal_url) == "a split rate has no store, and so no URL"


def test_a_rate_is_a_value():
    """Equal by what it says, hashable, not to be changed; a copy is the same."""
    one, other = (SharedRate.from_url(WITH_PASSWORD[0], 200) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != SharedRate.from_url(WITH_PASSWORD[0], 201)
    assert copy.copy(one) is one
    assert copy.deepcopy([one])[0] is one
    with pytest.raises(AttributeError):
        one.per_s = 5


def test_a_kind_is_one_of_three():
    """Also when it is made without the class methods."""
    sentence = "kind must be one of redis, postgres, split"
    assert refused(lambda: SharedRate(kind="etcd", per_s=1, workers=1)) == sentence
    assert "split has no URL" in refused(
        lambda: SharedRate(kind="split", per_s=1, workers=1, url=REDIS)
    )
