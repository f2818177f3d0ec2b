"""What a lookup cannot be made of is in no frame of the refusal."""

import pickle
import traceback

import pytest

from altcraft_balance.errors import InvalidQuery
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    RawMatching,
)

WHO = "canary@example.com"
FRIEND = ByEmail("friend@example.com")
REFUSED = [
    lambda: ByEmail(WHO + "\n"),
    lambda: ByPhone(" " + WHO),
    lambda: ByProfileId(WHO + "\0"),
    lambda: ByCustomField("card", WHO + "\0"),
    lambda: RawMatching({"matching": "x", "email": WHO + "\0"}),
    lambda: RawMatching({"matching": "x", "token": WHO}),
    lambda: BalanceQuery(WHO),
    lambda: BalanceQuery(FRIEND, tag=WHO, loyalty_program_id=0),
    lambda: BalanceQuery(FRIEND, extra={"note": WHO + "\0"}),
]
MISSPELT = [lambda: ByEmail(WHO, WHO), lambda: BalanceQuery(FRIEND, tagg=WHO)]


@pytest.mark.parametrize(
    ("make", "raised"),
    [*((make, InvalidQuery) for make in REFUSED), *((make, TypeError) for make in MISSPELT)],
)
def test_a_refusal_has_no_frame_with_what_was_given(make, raised):
    """Error trackers send local variables away; our own frames have none of an address."""
    with pytest.raises(raised) as caught:
        make()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "altcraft_balance" in frame.filename]
    assert ours
    assert WHO not in str([frame.locals for frame in ours])
    assert caught.value.__context__ is None


def test_a_bug_of_ours_keeps_its_frames(monkeypatch):
    """Only a refusal loses them."""
    query = BalanceQuery(FRIEND)
    assert pickle.loads(pickle.dumps(query)) == query
    monkeypatch.setattr("altcraft_balance.models.checked_id", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        BalanceQuery(FRIEND, loyalty_program_id=1)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "__attrs_post_init__" in names
