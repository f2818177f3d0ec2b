"""The error tree: whose fault, what next; and it crosses a process border whole."""

import copy
import inspect
import pickle

import pytest

from altcraft_balance import errors
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery, ByEmail


def walk(cls):
    yield cls
    for child in cls.__subclasses__():
        yield from walk(child)


CLASSES = sorted(
    {c for c in walk(AltcraftBalanceError) if c.__module__.startswith("altcraft_balance.")},
    key=lambda cls: cls.__qualname__,
)
PUBLIC = [cls for cls in CLASSES if not cls.__name__.startswith("_")]
COMMON = {"retry_after_s": 2.5, "attempts": 3, "elapsed_s": 1.25}
WANTED = {
    "code": 440,
    "text": "no such member",
    "status": 404,
    "phase": "backoff",
    "last_error": errors.AttemptTimeout("slow", maybe_sent=True, attempts=2),
}


def wanted_by(cls):
    """The keyword arguments that the constructors of a class name, from the class to the root."""
    names = {
        name
        for c in cls.__mro__
        if "__init__" in vars(c) and issubclass(c, AltcraftBalanceError)
        for name in inspect.signature(c).parameters
    }
    return {name: value for name, value in WANTED.items() if name in names}


def fields_of(error):
    fields = dict(vars(error))
    if isinstance(last := fields.get("last_error"), AltcraftBalanceError):
        fields["last_error"] = (type(last), last.args, fields_of(last))
    return fields


def make(cls, **further):
    return cls("a plain sentence", **wanted_by(cls), **{**COMMON, **further})


@pytest.mark.parametrize(
    "copier", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_travels_with_all_its_fields(cls, copier):
    """An error that was pickled or copied has the same class, sentence and fields."""
    error = make(cls, transient=True, maybe_sent=True)
    error.unsent = (BalanceQuery(ByEmail("a@b")),)
    error.add_note("noted")
    copied = copier(error)
    assert type(copied) is cls
    assert copied.args == error.args
    assert str(copied) == "a plain sentence"
    assert fields_of(copied) == fields_of(error)
    assert {**COMMON, **wanted_by(cls)}.items() <= {**vars(error)}.items()


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_the_common_fields(cls):
    """`kind`, `transient`, `retry_after_s`, `attempts`, `elapsed_s`, `maybe_sent`, `unsent`."""
    needed = {
        n: v
        for n, v in wanted_by(cls).items()
        if n in {"code", "phase"} and cls is not errors.RateLimited
    }
    error = cls("m", **needed)
    assert (error.retry_after_s, error.attempts, error.elapsed_s) == (None, 0, 0.0)
    assert error.unsent == ()
    assert isinstance(error.transient, bool)
    assert isinstance(error.maybe_sent, bool)
    assert isinstance(error.kind, str)


def test_kinds_are_unique_stable_words():
    """A kind names one class, in rows and metrics that outlive a release."""
    kinds = {cls.kind: cls for cls in PUBLIC}
    assert len(kinds) == len(PUBLIC)
    assert {cls.__name__: kind for kind, cls in kinds.items()} == {
        "AccessDenied": "access_denied",
        "AltcraftBalanceError": "error",
        "ApiError": "api_error",
        "AttemptTimeout": "attempt_timeout",
        "AuthenticationError": "authentication",
        "BadRequest": "bad_request",
        "CircuitOpen": "circuit_open",
        "ClientClosed": "client_closed",
        "ConfigurationError": "configuration",
        "ConnectionFailed": "connection_failed",
        "DeadlineExceeded": "deadline_exceeded",
        "HttpStatusError": "http_status",
        "InvalidQuery": "invalid_query",
        "NotAMember": "not_a_member",
        "RateLimited": "rate_limited",
        "RedirectRefused": "redirect_refused",
        "TariffLimitReached": "tariff_limit",
        "TlsRefused": "tls_refused",
        "UnexpectedReply": "unexpected_reply",
    }
    assert {cls.__name__ for cls in PUBLIC} == set(errors.__all__) - {"API_ERRORS"}


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (errors.ConfigurationError, ValueError),
        (errors.InvalidQuery, ValueError),
        (errors.ClientClosed, RuntimeError),
        (errors.TlsRefused, errors.ConnectionFailed),
        (errors.RedirectRefused, errors.HttpStatusError),
        *[(cls, errors.ApiError) for cls in (*errors.API_ERRORS.values(), errors.NotAMember)],
    ],
)
def test_an_error_is_what_its_like_is_elsewhere(cls, base):
    """Code that catches the built-in error, or the wider one, catches ours."""
    assert issubclass(cls, base)
    assert issubclass(cls, AltcraftBalanceError)


@pytest.mark.parametrize(
    ("error", "transient", "maybe_sent"),
    [
        (errors.ConfigurationError("m"), False, False),
        (errors.InvalidQuery("m"), False, False),
        (errors.ClientClosed("m"), False, False),
        (errors.CircuitOpen("m"), True, False),
        (errors.ConnectionFailed("m"), True, False),
        (errors.TlsRefused("m"), False, False),
        (errors.AttemptTimeout("m"), True, False),
        (errors.DeadlineExceeded("m", phase="slot"), True, False),
        (errors.RateLimited("m"), True, True),
        (errors.HttpStatusError("m"), False, True),
        (errors.UnexpectedReply("m"), False, True),
        (errors.ApiError("m", code=1), False, True),
    ],
)
def test_an_error_says_whether_to_ask_again_and_whether_it_left(error, transient, maybe_sent):
    """The defaults follow from what the error is: a reply means that the request arrived."""
    assert error.transient is transient
    assert error.maybe_sent is maybe_sent


def test_the_documented_codes_have_classes():
    """400 to 403, as the reference page lists them."""
    assert {code: cls.__name__ for code, cls in errors.API_ERRORS.items()} == {
        400: "BadRequest",
        401: "AuthenticationError",
        402: "TariffLimitReached",
        403: "AccessDenied",
    }
