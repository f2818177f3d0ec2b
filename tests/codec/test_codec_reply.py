"""A status and a body to a balance or an error: who decides, and what is worth a repeat."""

import gc
from decimal import Decimal

import pytest

from altcraft_balance import errors
from altcraft_balance.codec.envelope import BadEnvelope, NotAnEnvelope, open_envelope
from altcraft_balance.models import Balance, CurrencyEid
from tests.codec.replies import error_of

SUCCESS = b'{"error":0,"error_text":"","data":{"total_balance":"10","active_balance":"5"}}'
NO_DATA = b'{"error":0,"error_text":"Successful operation"}'
BAD_AMOUNT = b'{"error":0,"data":{"total_balance":"x","active_balance":"5"}}'
TWICE = b'{"error":0,"error":0,"data":{"total_balance":"1","active_balance":"5"}}'
DOCTYPE = b"<!DOCTYPE xml><xml><error>0</error></xml>"
NOT_ENVELOPES = [b"", b"  \r\n", b"\xef\xbb\xbf", b"upstream timed out", b"<html></html>", b"{}"]


def test_a_balance_carries_what_was_asked(read):
    """The reply names neither currency nor program, so the balance carries the request's."""
    balance = read(SUCCESS)
    assert (balance.total_balance, balance.active_balance) == (Decimal(10), Decimal(5))
    assert balance.currency == CurrencyEid("starts")
    assert balance.loyalty_program_id == 123
    assert balance.looked_up_at.isoformat() == "2026-01-02T12:00:00+00:00"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_status_of_success_is_one(status, read):
    """Any 2xx with code 0 and the data is a success."""
    assert read(SUCCESS, status).total_balance == 10


# ── precedence: status x envelope ────────────────────────────────────────────────────────────

PRECEDENCE = [
    # status, body, class, kind of text in the message
    (200, error_of(400), errors.BadRequest),
    (404, error_of(400), errors.BadRequest),
    (500, error_of(400), errors.BadRequest),
    (302, error_of(403), errors.AccessDenied),
    (429, error_of(403), errors.AccessDenied),
    (200, error_of(440), errors.ApiError),
    (429, error_of(440), errors.RateLimited),
    (200, error_of(429), errors.RateLimited),
    (400, error_of(429), errors.RateLimited),
    (500, error_of(-1), errors.ApiError),
    (199, SUCCESS, errors.HttpStatusError),
    (300, SUCCESS, errors.RedirectRefused),
    (307, b"", errors.RedirectRefused),
    (399, NO_DATA, errors.RedirectRefused),
    (400, SUCCESS, errors.HttpStatusError),
    (404, b"<html>", errors.HttpStatusError),
    (404, NO_DATA, errors.HttpStatusError),
    (500, BAD_AMOUNT, errors.HttpStatusError),
    (500, TWICE, errors.HttpStatusError),
    (502, DOCTYPE, errors.HttpStatusError),
    (429, b"", errors.RateLimited),
    (429, SUCCESS, errors.RateLimited),
    (200, NO_DATA, errors.UnexpectedReply),
    (200, BAD_AMOUNT, errors.UnexpectedReply),
    (200, TWICE, errors.UnexpectedReply),
    (200, DOCTYPE, errors.UnexpectedReply),
    *[(200, body, errors.UnexpectedReply) for body in NOT_ENVELOPES],
]


@pytest.mark.parametrize(("status", "body", "kind"), PRECEDENCE)
def test_the_envelope_decides_then_the_status_then_the_body(status, body, kind, failure):
    """An envelope's error wins at any status; then a status outside 2xx; then what the body is."""
    error = failure(body, status)
    assert type(error) is kind
    assert error.status == status
    assert error.maybe_sent


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.AuthenticationError),
        (402, errors.TariffLimitReached),
        (403, errors.AccessDenied),
        (404, errors.ApiError),
        (440, errors.ApiError),
        (1, errors.ApiError),
        (-5, errors.ApiError),
        (500, errors.ApiError),
        (429, errors.RateLimited),
    ],
)
def test_an_api_error_carries_code_text_and_status(code, kind, failure):
    """What the platform said stands on the error, and in its sentence."""
    error = failure(error_of(code, "так нельзя"), 409)
    assert type(error) is kind
    assert (error.code, error.text, error.status) == (code, "так нельзя", 409)
    assert str(error).startswith(f"the platform answered error {code}: так нельзя (HTTP 409)")


def test_an_error_without_a_text_says_so(failure):
    """An empty text leaves no gap in the sentence."""
    assert str(failure(b'{"error":9}')) == "the platform answered error 9: no text (HTTP 200)"


@pytest.mark.parametrize("code", [400, 403, 429, 440, 500])
def test_a_code_that_the_user_names_says_that_the_member_is_unknown(code, failure):
    """`not_a_member` turns a code into an answer, final at any status."""
    error = failure(error_of(code), 503, not_a_member={code}, retry_after_s=5.0)
    assert type(error) is errors.NotAMember
    assert not error.transient


@pytest.mark.parametrize(
    "value", ["0.0", "true", "null", '""', '"zero"', '"1.0"', "[]", '"\u0660"']
)
def test_a_code_that_is_no_whole_number_is_no_success(value, failure):
    """Nothing but the number 0 is success: not null, not false, not an empty text."""
    error = failure(SUCCESS.replace(b'"error":0', f'"error":{value}'.encode()))
    assert type(error) is errors.UnexpectedReply
    assert not error.transient


@pytest.mark.parametrize("code", ["999999999", "1000000000", "-1", "123456789012345678901"])
def test_both_formats_read_the_same_codes(code, outcome):
    """A code that XML refuses for its length is refused in JSON as well."""
    results = [
        outcome(body.encode())
        for body in (
            f'{{"error":{code}}}',
            f'{{"error":"{code}"}}',
            f'{{"error":{code},"x":"\\n"}}',
            f"<xml><error>{code}</error></xml>",
        )
    ]
    kinds = [(kind, fields) for kind, _, fields in results]
    assert all(kind == kinds[0] for kind in kinds)


@pytest.mark.parametrize(("fields", "kind"), [([], NotAnEnvelope), ({"error": []}, BadEnvelope)])
def test_what_parses_is_not_yet_an_envelope(fields, kind):
    """A list, or an error that is one, is no envelope."""
    with pytest.raises(kind):
        open_envelope(fields)


# ── what is worth a repeat: rule 8 ───────────────────────────────────────────────────────────

API_FINAL = [
    (c, s) for c in (400, 401, 402, 403, 404) for s in (200, 204, 302, 400, 404, 408, 429, 500, 503)
]
TRANSIENCE = [
    *[(False, status, error_of(code)) for code, status in API_FINAL],
    *[(False, status, error_of(440)) for status in (200, 400, 403, 404, 440)],
    *[(True, status, error_of(440)) for status in (408, 429, 500, 502, 503, 599)],
    *[(True, status, error_of(429)) for status in (200, 400, 429, 500)],
    *[(True, status, error_of(code)) for code in (500, 503, 599) for status in (200, 400)],
    *[(False, 200, error_of(code)) for code in (399, 405, 408, 499, 600, 1, -1)],
    *[(True, status, b"") for status in (408, 429, 500, 502, 503, 504, 599)],
    *[(False, status, b"") for status in (301, 307, 400, 401, 403, 404, 405, 407, 413, 499)],
    *[(True, 200, body) for body in NOT_ENVELOPES],
    *[(True, 200, body) for body in (SUCCESS[:-1], b"<xml><error>0</error>", b"<b>x</b>")],
    *[(False, 200, body) for body in (NO_DATA, BAD_AMOUNT, TWICE, DOCTYPE)],
    (True, 503, error_of(399)),
    (True, 503, error_of(405)),
    (False, 404, SUCCESS),
    (True, 500, SUCCESS),
]


@pytest.mark.parametrize(("transient", "status", "body"), TRANSIENCE)
def test_only_what_a_repeat_may_cure_is_transient(transient, status, body, failure):
    """Throttling, server trouble and what gateways send are repeated; answers are final."""
    assert failure(body, status).transient is transient


@pytest.mark.parametrize(
    ("status", "body", "asked_s", "kind"),
    [
        (503, b"", 5.0, errors.RateLimited),
        (503, b"", 0.0, errors.RateLimited),
        (503, b"", None, errors.HttpStatusError),
        (503, error_of(440), 5.0, errors.RateLimited),
        (503, error_of(500), 5.0, errors.RateLimited),
        (503, error_of(500), None, errors.ApiError),
        (503, error_of(401), 5.0, errors.AuthenticationError),
        (500, b"", 5.0, errors.HttpStatusError),
        (500, error_of(500), 5.0, errors.ApiError),
        (429, b"", None, errors.RateLimited),
        (200, error_of(429), 7.0, errors.RateLimited),
    ],
)
def test_503_is_throttling_when_it_says_until_when(status, body, asked_s, kind, failure):
    """A 503 with ``Retry-After`` asks for a pause; without one it is trouble."""
    error = failure(body, status, retry_after_s=asked_s)
    assert type(error) is kind
    assert error.retry_after_s == (None if kind is errors.AuthenticationError else asked_s)


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "another token"), (404, "v75 or newer"), (407, "the proxy"), (302, "correct base_url")],
)
def test_a_status_that_setup_explains_says_what_to_look_at(status, hint, failure):
    """The sentence names the setting that is probably wrong."""
    assert hint in str(failure(b"", status))


@pytest.mark.parametrize(
    ("headers", "stale"),
    [
        ({}, False),
        ({"duplicate-request": "true"}, True),
        ({"x-duplicate-request": "true"}, True),
        ({"duplicate-request": " True "}, True),
        ({"x-duplicate-request": "1"}, True),
        ({"duplicate-request": "false"}, False),
        ({"duplicate-request": ""}, False),
        ({"duplicate-request": "false", "x-duplicate-request": "true"}, True),
    ],
)
def test_a_reply_marked_as_a_repetition_may_be_stale(headers, stale, read):
    """The platform's mark, old or new, stands on the balance."""
    assert read(SUCCESS, headers=headers).possibly_stale is stale


def test_the_content_type_only_words_the_error(read, failure):
    """The parser is chosen by the first character; the header decides nothing."""
    assert isinstance(read(SUCCESS, headers={"content-type": "text/html"}), Balance)
    message = str(failure(b"oops", headers={"content-type": "text/html"}))
    assert message.endswith("it is neither JSON nor XML (text/html, 4 bytes)")


@pytest.mark.parametrize(
    "start", [b"<html>", b"<HTML lang=ru>", b"<!DOCTYPE html>", b" \n<!doctype HTML PUBLIC x>"]
)
def test_an_html_page_is_told_from_xml(start, failure):
    """A gateway's page is worth a repeat although it begins like XML, or with a DOCTYPE."""
    error = failure(start + b"<p>&nbsp;<br></html>")
    assert "HTML page" in str(error)
    assert error.transient


@pytest.mark.parametrize("body", [b"", b"{", b"<xml>", error_of(5), DOCTYPE, NO_DATA])
def test_a_failed_reply_leaves_no_garbage_behind(body, outcome):
    """No error holds on to the frames that made it: a run with many failures needs no collector.

    Threads of the test runner make garbage of their own now and then, which only adds.
    """

    def left():
        gc.collect()
        outcome(body)
        return gc.collect()

    gc.disable()
    try:
        assert min(left() for _ in range(5)) == 0
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("code", "hint"),
    [(401, "is the token right?"), (402, "tariff allows"), (403, "may this token"), (400, None)],
)
def test_a_code_that_setup_explains_says_what_to_look_at(code, hint, failure):
    """Beside the platform's own words; a code that explains itself has none."""
    message = str(failure(error_of(code, "No")))
    after = message.partition("(HTTP 200)")[2]
    assert hint in after if hint else not after


@pytest.mark.parametrize("first", ["X", "n", "\x0b", "\u00a0"])
def test_only_blanks_and_a_bom_may_stand_before_the_reply(first, failure):
    """Anything else before it makes it a text that is no envelope."""
    assert "neither JSON nor XML" in str(failure(first.encode() + SUCCESS))
