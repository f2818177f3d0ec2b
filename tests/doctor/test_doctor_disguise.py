"""A kept balance is nobody's, in whatever spelling it came."""

import pytest

from altcraft_balance.doctor.disguise import disguised

BODIES = {
    "plain": b'{"error":0,"data":{"total_balance":"98765.43","active_balance":"98"}}',
    "blank": b'{"error":0,"data":{"total_balance":" 98765.43","active_balance":98.5}}',
    "escaped value": b'{"error":0,"data":{"total_balance":"\\u00398765.43","active_balance":98}}',
    "escaped key": b'{"error":0,"data":{"total_\\u0062alance":"98765.43","active_balance":0}}',
    "other keys": b'{"error":0,"data":{"total_balance":"98765.43","available":"98765.43",'
    b'"owner":"Ann Smith"},"who":["Ann Smith"]}',
    "xml": b"<xml><error>0</error><data><total_balance>98765.43</total_balance></data></xml>",
    "cdata": b"<xml><data><total_balance><![CDATA[98765.43]]></total_balance></data></xml>",
    "attribute": b'<xml><data><total_balance of="Ann Smith">98765.43</total_balance></data></xml>',
    "comment": b"<xml><data><total_balance><!-- Ann Smith -->98765.43</total_balance></data></xml>",
}


@pytest.mark.parametrize("name", BODIES)
def test_nobody_is_seen_and_the_shape_is_kept(name):
    """Amounts are of as many digits, and are told."""
    kept, amounts = disguised(BODIES[name])
    for told in (b"98765", b"Ann", b"Smith", b"98.5"):
        assert told not in kept
    assert amounts["total_balance"] == "11111.11"
    assert b"total_balance" in kept


@pytest.mark.parametrize("body", [b"<xml>", b"no", b"[1]", b'{"error":'])
def test_what_cannot_be_read_is_not_kept(body):
    """It is an error of the caller's to look at."""
    with pytest.raises(ValueError, match=r"\w"):
        disguised(body)
