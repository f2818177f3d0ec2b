"""What a server may send unasked, whole and cut, and a look whose answers are scripted."""

import pytest

from altcraft_balance.transport.look import has_arrived

STRAY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\nstray answer"
)
CUTS = {
    "one byte": STRAY[:1],
    "in the status line": STRAY[:12],
    "in the headers": STRAY[:30],
    "before the body": STRAY[:-12],
    "in the body": STRAY[:-5],
    "whole": STRAY,
    "two": STRAY * 2,
    "408": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no HTTP": b"\x00",
    "blank line": b"\r\n",
}
each_cut = pytest.mark.parametrize("stray", CUTS.values(), ids=CUTS)


class Scripted:
    """A look that gives these answers in turn, and then what is really there.

    An answer may be a function, called before the real look.
    """

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0

    def __call__(self, transport):
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer in {True, False}:
            return answer
        if answer is not None:
            answer()
        return has_arrived(transport)


def was_asked_once_on_a_new_connection(server, body):
    """That the request went out exactly once, as the first one of the second connection."""
    old, new = server.peers
    return [raw.endswith(body) for raw in (*old.requests[1:], *new.requests)] == [True]
