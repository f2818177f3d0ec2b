"""What an ended attempt means: one word for each error, and which of them end a run."""

import pytest

from altcraft_balance import errors
from altcraft_balance.policy.classify import What, classify, is_fatal, was_dead_on_arrival

FATAL_CODES = frozenset({401, 402, 403})


def api(code, cls=errors.ApiError, **fields):
    return cls("m", code=code, status=200, **fields)


def http(status, cls=errors.HttpStatusError, **fields):
    return cls("m", status=status, **fields)


CASES = [
    # error, what it means, fatal for a run, dead on arrival
    (errors.AltcraftBalanceError("m"), What.FINAL, False, False),
    (errors.ConfigurationError("m"), What.FINAL, True, False),
    (errors.InvalidQuery("m"), What.FINAL, False, False),
    (errors.ClientClosed("m"), What.FINAL, True, False),
    (errors.CircuitOpen("m"), What.SERVER_TROUBLE, False, False),
    (errors.ConnectionFailed("m"), What.NEVER_SENT, False, False),
    (errors.ConnectionFailed("m", maybe_sent=True), What.MAYBE_SENT, False, True),
    (errors.ConnectionFailed("m", maybe_sent=True, transient=False), What.FINAL, False, False),
    (errors.TlsRefused("m"), What.FINAL, True, False),
    (errors.TlsRefused("m", maybe_sent=True), What.FINAL, True, False),
    (errors.AttemptTimeout("m"), What.NEVER_SENT, False, False),
    (errors.AttemptTimeout("m", maybe_sent=True), What.MAYBE_SENT, False, False),
    (errors.DeadlineExceeded("m", phase="slot"), What.SERVER_TROUBLE, False, False),
    (errors.RateLimited("m", status=429), What.THROTTLED, False, False),
    (errors.RateLimited("m", status=200, code=429), What.THROTTLED, False, False),
    (errors.RateLimited("m", retry_after_s=900.0), What.THROTTLED, False, False),
    (errors.RateLimited("m", retry_after_s=900.1), What.THROTTLED, True, False),
    (http(408, transient=True), What.SERVER_TROUBLE, False, True),
    (http(500, transient=True), What.SERVER_TROUBLE, False, False),
    (http(503, transient=True), What.SERVER_TROUBLE, False, False),
    (http(400), What.FINAL, False, False),
    (http(401), What.FINAL, True, False),
    (http(402), What.FINAL, True, False),
    (http(403), What.FINAL, False, False),
    (http(404), What.FINAL, True, False),
    (http(405), What.FINAL, False, False),
    (http(407), What.FINAL, True, False),
    (http(307, errors.RedirectRefused), What.FINAL, True, False),
    (errors.UnexpectedReply("m", transient=True), What.SERVER_TROUBLE, False, False),
    (errors.UnexpectedReply("m"), What.FINAL, False, False),
    (api(440), What.FINAL, False, False),
    (api(404), What.FINAL, False, False),
    (api(500, transient=True), What.SERVER_TROUBLE, False, False),
    (api(403, transient=True), What.SERVER_TROUBLE, True, False),
    (api(400, errors.BadRequest), What.FINAL, False, False),
    (api(401, errors.AuthenticationError), What.FINAL, True, False),
    (api(402, errors.TariffLimitReached), What.FINAL, True, False),
    (api(403, errors.AccessDenied), What.FINAL, True, False),
    (api(5, errors.NotAMember), What.FINAL, False, False),
    (api(403, errors.NotAMember), What.FINAL, False, False),
]
IDS = [
    f"{type(error).__name__}-{getattr(error, 'status', '')}-{i}"
    for i, (error, *_) in enumerate(CASES)
]


@pytest.mark.parametrize(("error", "what", "fatal", "dead"), CASES, ids=IDS)
def test_every_error_means_one_thing(error, what, fatal, dead):
    """Each error has one meaning, ends a run or not, and tells of a dead connection or not."""
    assert classify(error) is what
    assert is_fatal(error, FATAL_CODES) is fatal
    assert was_dead_on_arrival(error) is dead


def walk(cls):
    for child in cls.__subclasses__():
        yield child
        yield from walk(child)


def test_no_class_of_errors_is_forgotten():
    """Every public error of the tree stands in the table above."""
    ours = {c for c in walk(errors.AltcraftBalanceError) if c.__module__ == errors.__name__}
    public = {cls for cls in ours if not cls.__name__.startswith("_")}
    assert public <= {type(error) for error, *_ in CASES}


@pytest.mark.parametrize(
    ("codes", "fatal"), [({440}, True), ({401}, False), ((), False), ([440, 1], True)]
)
def test_the_user_says_which_codes_end_a_run(codes, fatal):
    """`fatal_codes` decides for envelopes, and for nothing else."""
    assert is_fatal(api(440), codes) is fatal
    assert is_fatal(api(440, transient=True), codes) is fatal
    assert not is_fatal(http(440), codes)
    assert not is_fatal(errors.RateLimited("m", code=440), codes)


def test_a_member_who_is_not_in_the_program_never_ends_a_run():
    """A code in both `not_a_member` and `fatal_codes` is an answer about one member."""
    assert not is_fatal(api(403, errors.NotAMember), {403})
