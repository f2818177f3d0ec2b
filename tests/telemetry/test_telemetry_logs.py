"""Events as log records: one tree, words for people, fields for machines."""

import json
import logging

import attrs
import pytest

from altcraft_balance.telemetry import events as all_events
from altcraft_balance.telemetry.events import BreakerChanged, RateStoreChanged
from altcraft_balance.telemetry.logs import log_events
from tests.session.fakes import opened
from tests.telemetry.story import live_through


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG, logger="altcraft_balance")
    return caplog


async def told_of_a_run(wire, **settings):
    async with opened(wire, on_event=log_events, **settings) as client:
        await live_through(wire, client)


async def test_a_run_can_be_followed(wire, log):
    """In words, from its first event to its last."""
    await told_of_a_run(wire)
    lines = [(record.name, record.levelname, record.getMessage()) for record in log.records]
    assert lines[0] == ("altcraft_balance.client", "INFO", "open: asks https://altcraft.example")
    third = [line for line in lines if line[2].startswith("lookup 3:")]
    lookup, request = "altcraft_balance.lookup", "altcraft_balance.request"
    took = "lookup 3: a request took 0.000 s: status"
    assert third == [
        (lookup, "DEBUG", "lookup 3: begun"),
        (request, "DEBUG", f"{took} 429, error rate_limited"),
        (lookup, "INFO", "lookup 3: rate_limited; asks again in 0.000 s"),
        (lookup, "DEBUG", "lookup 3: waited 2.100 s for gate"),
        (request, "DEBUG", f"{took} 200, error None"),
        (lookup, "DEBUG", "lookup 3: found in 2.100 s with 2 requests"),
    ]
    warned = [line for line in lines if line[1] == "WARNING"]
    said = "the server asks for a pause: nobody sends for 2.1 s"
    assert warned == [("altcraft_balance.server", "WARNING", said)]
    assert lines[-1] == ("altcraft_balance.client", "INFO", "closed: 0 lookups were cut off")


async def test_a_record_has_the_events_fields(wire, log):
    """As attributes, so that a formatter that writes JSON needs to know nothing of us."""
    await told_of_a_run(wire, log_key="a-log-key")
    plain = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    ends = [
        {name: value for name, value in vars(record).items() if name not in plain}
        for record in log.records
        if record.balance_event in {"lookup_started", "lookup_ended"} and record.lookup == 5
    ]
    refs = [end.pop("member_ref") for end in ends]
    assert refs[0] == refs[1]
    assert len(refs[0]) == 8
    assert ends == [
        {"balance_event": "lookup_started", "lookup": 5, "call": True},
        {
            "balance_event": "lookup_ended",
            "lookup": 5,
            "kind": "api_error",
            "code": 440,
            "attempts": 1,
            "requests": 1,
            "elapsed_s": 0.0,
        },
    ]
    json.dumps(ends)


async def test_the_server_is_shown_in_whatever_way(wire, log):
    """A formatter that logs a field's repr shows it as well."""
    await told_of_a_run(wire)
    [opened] = [one for one in log.records if one.balance_event == "opened"]
    assert repr(opened.base_url) == repr("https://altcraft.example")


async def test_structlog_has_them_too(wire):
    """By its own `ExtraAdder`, without a word of ours."""
    structlog = pytest.importorskip("structlog")
    told, formatter = (
        [],
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processor=structlog.processors.JSONRenderer(),
        ),
    )

    class Keeper(logging.Handler):
        def emit(self, record):
            told.append(json.loads(formatter.format(record)))

    logger, keeper = logging.getLogger("altcraft_balance"), Keeper()
    logger.addHandler(keeper)
    logger.setLevel(logging.DEBUG)
    try:
        await told_of_a_run(wire)
    finally:
        logger.removeHandler(keeper)
        logger.setLevel(logging.NOTSET)
    [ended] = [one for one in told if one["balance_event"] == "lookup_ended" and one["lookup"] == 6]
    assert (ended["kind"], ended["event"]) == (
        "http_status",
        "lookup 6: http_status after 0.000 s and 1 requests",
    )


async def test_it_is_quiet_unless_asked(wire, caplog):
    """At the level that programs have by default only what concerns everybody."""
    caplog.set_level(logging.WARNING)
    await told_of_a_run(wire)
    assert [record.balance_event for record in caplog.records] == ["gate_closed"]


@pytest.mark.parametrize(
    ("event", "level", "said"),
    [
        (
            BreakerChanged(state="open", retry_after_s=3.0),
            "WARNING",
            "the breaker is open: the server does not answer; retry_after_s 3.0",
        ),
        (BreakerChanged(state="closed", retry_after_s=None), "INFO", "the breaker is closed"),
        (
            RateStoreChanged(away=True, rate_per_s=5.0),
            "WARNING",
            "the store of the shared rate is away: 5.0 requests/s are this process's",
        ),
        (
            RateStoreChanged(away=False, rate_per_s=5.0),
            "INFO",
            "the store of the shared rate is back",
        ),
    ],
)
def test_trouble_is_louder_than_its_end(log, event, level, said):
    """What stops everybody, and that it is over."""
    log_events(event)
    [record] = log.records
    assert (record.levelname, record.getMessage()) == (level, said)


def test_every_event_has_a_line(log):
    """Also one that is new."""
    made = {
        kind for kind in vars(all_events).values() if isinstance(kind, type) and attrs.has(kind)
    }
    for kind in made:
        log_events(kind(**dict.fromkeys(attrs.fields_dict(kind), 1)))
    assert len(log.records) == len(made)
    assert len({record.balance_event for record in log.records}) == len(made)
