"""`Fields`: an immutable mapping that hides what is in it."""

import pickle
from enum import IntEnum

import pytest

from altcraft_balance.errors import InvalidQuery
from altcraft_balance.fields import Fields, checked_integer


class Number(IntEnum):
    BIG = 2**62


def test_fields_are_a_mapping():
    """They are read like a dict, in the order in which they were given."""
    fields = Fields({"b": 1, "a": "x", "c": True})
    assert list(fields) == ["b", "a", "c"]
    assert dict(fields) == {"b": 1, "a": "x", "c": True}
    assert len(fields) == 3
    assert fields["a"] == "x"
    assert "z" not in fields
    with pytest.raises(KeyError):
        fields["z"]
    with pytest.raises(TypeError):
        fields["a"] = 1


def test_fields_compare_hash_and_pickle_by_value():
    """Equal fields are equal in any order; a dict of theirs is equal too."""
    fields = Fields({"a": "x", "b": 1})
    twin = Fields({"b": 1, "a": "x"})
    assert fields == twin == {"a": "x", "b": 1}
    assert hash(fields) == hash(twin)
    assert fields != Fields({"a": "x"})
    assert pickle.loads(pickle.dumps(fields)) == fields


def test_fields_keep_their_own_copy():
    """Whoever gave the dict may change it later."""
    given = {"a": "x"}
    fields = Fields(given)
    given["a"] = "y"
    assert fields["a"] == "x"


def test_no_repr_shows_a_field():
    """Neither names nor values show."""
    fields = Fields({"canary": "canary"})
    assert repr(fields) == str(fields) == "***"


@pytest.mark.parametrize(
    "name", ["", "1a", "-a", "a b", "a>", "<a", "a/", "@a", "#text", "a:b", "a\n", "имя", 5, None]
)
def test_a_name_is_letters_digits_and_underscores(name):
    """A name that could change the shape of a document is refused."""
    with pytest.raises(InvalidQuery, match=r"^a field's name must be made of letters, digits"):
        Fields({name: "x"})


@pytest.mark.parametrize("name", ["a", "_a", "a1", "field_name", "db-id", "a.b"])
def test_a_usual_name_is_taken(name):
    """Letters, digits, underscore, point and hyphen."""
    assert list(Fields({name: ""})) == [name]


@pytest.mark.parametrize("value", [1.5, None, b"x", [1], {}, 2**63, "\x00", "\ud800", "a\x7f"])
def test_a_value_is_text_or_an_integer_of_64_bits(value):
    """Nothing else has one meaning in both formats."""
    with pytest.raises(InvalidQuery, match=r"^field 'a' "):
        Fields({"a": value})


def test_a_member_of_an_enumeration_is_checked_at_once():
    """A subclass of int does not walk through all integers of 64 bits."""
    assert checked_integer(Number.BIG, "n") == 2**62
