"""The reply's envelope, the same behind both formats: a code, a text, and the data.

``{"error": 0, "error_text": "...", "data": {...}}`` (reference page). Code 0 is success and
nothing else says so: not the HTTP status, not the text, which may be empty. The code may be a
number or a numeric text; keys come in any order, and unknown ones are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.secret import HIDDEN

__all__ = ["MAX_ELEMENTS", "BadEnvelope", "Envelope", "NotAnEnvelope", "open_envelope"]

#: An envelope has six elements. What has more than this many is refused before it is parsed,
#: and since nothing nests deeper than it has elements, this bounds the depth as well.
MAX_ELEMENTS: Final = 256
_CODE = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\Z")


class NotAnEnvelope(Exception):
    """Not the platform's reply: empty, a gateway's page, or cut short. Worth a repeat."""


class BadEnvelope(Exception):
    """The platform's envelope, with content that cannot be trusted. A repeat changes nothing."""


@frozen
class Envelope:
    """What a reply said, before anybody asks whether that is good.

    Attributes:
        code: 0 is success.
        text: the platform's words, maybe empty; they may repeat the token or the member's address.
        data: the fields of ``data``; None when it is missing or empty.
    """

    code: int
    text: str = field(repr=lambda _: HIDDEN)
    data: Mapping[str, Any] | None = field(repr=lambda _: HIDDEN)


def open_envelope(fields: Any) -> Envelope:
    """The envelope in `fields`, which a parser made of a whole reply.

    Raises:
        NotAnEnvelope: there is no ``error`` in it.
        BadEnvelope: there is, but not as documented.
    """
    if not isinstance(fields, dict) or "error" not in fields:
        raise NotAnEnvelope("it has no field 'error'")
    text, data = fields.get("error_text"), fields.get("data")
    return Envelope(
        code=_code(fields["error"]),
        text=text if isinstance(text, str) else "",
        data=data if isinstance(data, dict) and data else None,
    )


def _code(value: Any) -> int:
    if type(value) is int and value == 0:
        return 0
    text = str(value) if isinstance(value, int) else value  # a bool's text is no number
    if isinstance(text, str) and _CODE.match(text.strip()):
        return int(text)
    raise BadEnvelope("its 'error' is not a whole number")
