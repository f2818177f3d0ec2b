"""TLS sessions that are taken up again, so that a further connection costs a cheaper handshake.

asyncio and uvloop wrap a connection by `ssl.SSLContext.wrap_bio` and have no argument for a
session; this context adds it. A server that does not know the session any more makes a whole
handshake of it. Certificates are verified once for each session, and a session never leaves
its context.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

__all__ = ["ResumingContext", "resuming"]


class ResumingContext(ssl.SSLContext):
    """A context that offers the last session it was given.

    Attributes:
        session: what the next connection offers; None: nothing.
    """

    session: ssl.SSLSession | None = None

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As `ssl.SSLContext.wrap_bio`, with the session."""
        return super().wrap_bio(*args, **{"session": self.session, **kwargs})

    def keep_session(self, transport: asyncio.Transport) -> None:
        """Keep the session of a connection that has carried a reply: TLS 1.3 tells it late."""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.session is not None:
            self.session = tls.session


def resuming(context: ssl.SSLContext) -> ResumingContext:
    """`context`, with all that it was told, as one that takes up sessions again."""
    # There is no way to copy a context; to make it anew would repeat Python's own defaults.
    context.__class__ = ResumingContext
    assert isinstance(context, ResumingContext)  # noqa: S101 - for the type checkers
    return context
