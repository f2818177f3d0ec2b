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
    assert (rate.kind, rate.name, rate.reveal_url()) == ("redis", "nightly", REDIS)
    assert (rate.per_s, rate.workers, rate.share_per_s) == (150.0, 4, 37.5)
    assert isinstance(rate.per_s, float)


def test_the_defaults():
    """A tenth of the rate alone; a split is made for 32."""
    for rate in (SharedRate.redis(REDIS, "any", 200), SharedRate.postgres(POSTGRES, "any", 200)):
        assert (rate.workers, rate.share_per_s) == (10, 20)
    split = SharedRate.split(200)
    assert (split.kind, split.workers, split.share_per_s) == ("split", 32, 6.25)


@pytest.mark.parametrize("make", [SharedRate.redis, SharedRate.postgres])
def test_a_rate_is_always_said(make):
    """None is agreed on by forgetting it."""
    with pytest.raises(TypeError, match="per_s"):
        make(POSTGRES if make == SharedRate.postgres else REDIS, "any")


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
WORKERS = "workers must be a whole number from 1 to 1,000,000, not "
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


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "4", None, 1_000_001])
def test_workers_are_counted(value):
    """A whole number of processes, one at least."""
    sentence = f"{WORKERS}{value!r}"
    assert refused(lambda: SharedRate.redis(REDIS, "any", 200, workers=value)) == sentence
    assert refused(lambda: SharedRate.split(200, workers=value)) == sentence


@pytest.mark.parametrize(("per_s", "workers"), [(5e-324, 10), (1e-320, 1_000_000)])
def test_a_share_is_more_than_nothing(per_s, workers):
    """A rate that cannot be divided is refused when it is made, not when a client is."""
    sentence = f"per_s is too small: divided by {workers} it is 0"
    assert refused(lambda: SharedRate.split(per_s, workers)) == sentence
    assert refused(lambda: SharedRate.from_url(REDIS, per_s, workers=workers)) == sentence


@pytest.mark.parametrize("value", ["", "a" * 41, "a b", "a:b", "a.b", 'a"b', "é", "a\n", 5, None])
def test_a_name_is_safe_as_a_key_and_as_a_table(value):
    """Letters, digits, '_' and '-', and not too many of them."""
    assert refused(lambda: SharedRate.redis(REDIS, value, 200)) == NAME
    assert refused(lambda: SharedRate.postgres(POSTGRES, value, 200)) == NAME
    assert SharedRate.redis(REDIS, "A" * 20 + "_-" + "9" * 18, 200).name


BAD = [
    (SharedRate.redis, f"http://:{CANARY}@cache", "must begin with redis://, rediss:// or unix"),
    (SharedRate.redis, f"REDIS://:{CANARY}@cache", "must begin with redis://"),
    (SharedRate.redis, f"postgres://u:{CANARY}@db", "must begin with redis://"),
    (SharedRate.postgres, f"redis://:{CANARY}@cache", "must begin with postgres:// or postgresql:"),
    (SharedRate.redis, CANARY, "must begin with redis://"),
    (SharedRate.redis, "", "must begin with redis://"),
    (SharedRate.redis, f"redis://:{CANARY}@", "names no host"),
    (SharedRate.redis, f"redis://:{CANARY}@cache:port", "has a port that"),
    (SharedRate.redis, f"redis://:{CANARY}@cache:0", "has a port that"),
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
    said = refused(lambda: make(url, "any", 200))
    assert said.startswith(f"url {sentence}") or sentence in said


NEVER_RIGHT = [
    ("redis://127.0.0.1:99999", "has a port that is not a number from 1 to 65535"),
    ("rediss://cache:+5", "has a port that is not a number from 1 to 65535"),
    ("redis://one:1,two:2", "has a port that is not a number from 1 to 65535"),
    ("postgres://db:5432,db2:0/main", "has a port that is not a number from 1 to 65535"),
    ("postgres:///main?host=/run/postgresql&port=99999", "has a port that is not a number from"),
    ("redis://h/abc", "has a path that is no database's number: write redis://host/0"),
    ("redis://h/0/1", "has a path that is no database's number"),
    ("redis://h/-1", "has a path that is no database's number"),
    ("redis:///0", "names no host: write redis://host:6379/0"),
    ("postgres://", "names no host: write postgresql://host/database"),
    ("postgresql://app@/?sslmode=require", "names no host: write postgresql://host/database"),
    ("unix://", "names no socket: write unix:///run/redis.sock"),
    ("unix://run/redis.sock", "names no socket: write unix:///run/redis.sock"),
    (f"redis://:se#{CANARY}@ret@h:1", "has a '#', or an '@' after its host: percent-encode"),
]


@pytest.mark.parametrize(("url", "sentence"), NEVER_RIGHT)
def test_a_url_that_can_never_be_right_is_refused_at_once(url, sentence, monkeypatch):
    """Later it would pass for a store that is away; a `Secret` that is there is looked at too."""
    assert refused(lambda: SharedRate.from_url(url, 200)).startswith(f"url {sentence}")
    monkeypatch.setenv("RATE_STORE_URL", url)
    secret = Secret.from_env("RATE_STORE_URL")
    assert refused(lambda: SharedRate.from_url(secret, 200)).startswith(f"url {sentence}")


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache:",
        "redis://cache/",
        "unix://app@/run/redis.sock?db=2",
        "postgresql:///main",
        "postgresql://?service=rates",
        "postgres://db1,db2:5433/main?target_session_attrs=read-write",
        "postgresql:///main?host=db1,db2&port=5432,",
        "postgresql://%2Frun%2Fpostgresql/main",
        "postgresql://[::1]:5432/main",
    ],
)
def test_a_place_may_be_named_in_every_way_that_the_stores_know(url):
    """Sockets, several hosts, hosts in the query, and defaults."""
    assert SharedRate.from_url(url, 200).reveal_url() == url


@pytest.mark.parametrize("url", [None, 5, b"redis://cache", ["redis://cache"]])
def test_a_url_is_text_or_a_secret(url):
    """Anything else is told what to be."""
    assert (
        refused(lambda: SharedRate.redis(url, "any", 200)) == "url must be text (str) or a Secret"
    )


@pytest.mark.parametrize("url", [f"http://:{CANARY}@cache", f"{CANARY}://cache", "", None, 5])
def test_an_unknown_scheme_is_told_the_known_ones(url):
    """Which store it is cannot be guessed."""
    assert "must begin with redis://, rediss://" in refused(lambda: SharedRate.from_url(url, 200))


def vars_of(rate):
    return {name: getattr(rate, name) for name in dir(rate) if not name.startswith("_")}


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_no_attribute_has_the_url(url):
    """`str` of it would show the password, in a log line for one: it has to be asked for."""
    rate = SharedRate.from_url(url, 200)
    assert url not in [str(value) for value in vars_of(rate).values()]
    assert not hasattr(rate, "url")


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_is_not_shown(url):
    """Neither by repr nor by str, of the value or of what holds it."""
    for given in (url, Secret(url)):
        rate = SharedRate.from_url(given, 200)
        assert CANARY not in f"{rate!r} {rate} {[rate]} {vars_of(rate)}"
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
    assert rate.reveal_url() in repr(rate)


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
    rate = SharedRate.postgres(Secret.from_env("RATE_STORE_URL"), "any", 200)
    assert "is not to be had from Secret.from_env('RATE_STORE_URL')" in refused(rate.reveal_url)
    monkeypatch.setenv("RATE_STORE_URL", WITH_PASSWORD[0])
    assert "must begin with postgres://" in refused(rate.reveal_url)
    assert refused(SharedRate.split(200).reveal_url) == "a split rate has no store, and so no URL"


@pytest.mark.parametrize(
    ("value", "trouble"),
    [(f"redis://:p {CANARY}@h", "has blanks or control characters in it"), (None, "is empty or")],
)
def test_a_secret_that_is_not_to_be_had_says_why(value, trouble, monkeypatch):
    """Whoever set the variable learns what to mend, and no log line what stands in it."""
    monkeypatch.delenv("RATE_STORE_URL", raising=False)
    if value:
        monkeypatch.setenv("RATE_STORE_URL", value)
    said = refused(lambda: SharedRate.from_url(Secret.from_env("RATE_STORE_URL"), 200))
    where = "the URL of the rate's store is not to be had from Secret.from_env('RATE_STORE_URL')"
    assert said.startswith(f"{where}: it {trouble}")
    assert "token" not in said


def test_a_file_that_is_not_to_be_had_says_why(tmp_path):
    """As a variable does."""
    secret = Secret.from_file(tmp_path / "none")
    said = refused(lambda: SharedRate.from_url(secret, 200))
    assert said.endswith(": it cannot be read: No such file or directory")


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
    sentence = "kind must be one of redis, postgres, split, not 'etcd'"
    assert refused(lambda: SharedRate(kind="etcd", per_s=1, workers=1)) == sentence


@pytest.mark.parametrize("url", [REDIS, "", 5, Secret("redis://cache")])
def test_a_split_has_neither_url_nor_name(url):
    """They would mean nothing, and whoever gave one meant something."""
    split = {"kind": "split", "per_s": 1, "workers": 1}
    assert refused(lambda: SharedRate(**split, url=url)) == "url must be None: split has no URL"
    sentence = "name must be empty: split has no name"
    assert refused(lambda: SharedRate(**split, name="nightly")) == sentence
