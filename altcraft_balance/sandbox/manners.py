"""How a real server answers what is documented nowhere, as `doctor --probe --save` recorded it.

A folder of samples, one for each of `CASES` that was met, in the shape of the package's own
(``tests/samples/replies``): ``expected.json`` names the HTTP status, ``headers.json`` the headers,
and ``body.bin``, or ``json.bin`` and ``xml.bin``, the body.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.sandbox.replies import Format
from altcraft_balance.sandbox.scripts import RawReply, raw_reply

__all__ = ["CASES", "Manners", "manners_in"]

#: Sample -> what was asked.
CASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "body-token": "with the token in the body",
        "header-token": "with the token in the Authorization header",
        "xml": "in XML",
        "unknown-member": "about a member who does not exist",
        "unknown-program": "about a loyalty program that does not exist",
        "unknown-currency": "about a points currency that does not exist",
        "no-currency": "without a currency",
    }
)
#: Those in which a member is asked about who may be unknown.
_OF_SOMEBODY: Final = frozenset({"body-token", "header-token", "xml", "no-currency"})
_BODIES: Final = ("body.bin", "json.bin", "xml.bin")
#: Headers that belong to how the reply travels here.
_OURS: Final = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection"})


@frozen
class Manners:
    """What the samples say.

    Attributes:
        refusals: the replies to those of `CASES` that were refused.
        answers_xml_in: the format of the reply to a request in XML.
    """

    refusals: Mapping[str, RawReply] = field(factory=dict)
    answers_xml_in: Format = "xml"

    def takes(self, case: str) -> bool:
        """Whether the server answered this case with a balance, as far as is known."""
        return case not in self.refusals


def manners_in(folder: str | os.PathLike[str]) -> Manners:
    """The manners that the samples in `folder` show.

    Raises:
        ConfigurationError: it is no folder of samples, or one of them cannot be read.
    """
    samples = {case: Path(folder) / case for case in CASES if (Path(folder) / case).is_dir()}
    if not samples:
        raise ConfigurationError(
            f"samples: {os.fspath(folder)} has none: a folder that doctor --probe --save made"
        )
    refusals: dict[str, RawReply] = {}
    answers_xml_in: Format = "xml"
    meant: dict[str, str | bytes] = {}
    for case, path in samples.items():
        status, expected, body, headers = _read(path)
        if case == "xml" and body.lstrip()[:1] == b"{":
            answers_xml_in = "json"
        if "raises" in expected:
            refusals[case] = raw_reply(status, body, headers)
            meant[case] = expected.get("says", body)
    for case in _OF_SOMEBODY & meant.keys():
        if meant[case] == meant.get("unknown-member"):  # nobody was named: it was taken
            del refusals[case]
    return Manners(MappingProxyType(refusals), answers_xml_in)


def _read(path: Path) -> tuple[int, Mapping[str, Any], bytes, Mapping[str, str]]:
    """A sample's status, what must come of it, its body and its headers."""
    try:
        [(status, expected), *_] = json.loads((path / "expected.json").read_bytes()).items()
        headers = path / "headers.json"
        told = json.loads(headers.read_bytes()) if headers.exists() else {}
        body = next(one for name in _BODIES if (one := path / name).exists()).read_bytes()
        kept = {name: value for name, value in told.items() if name.lower() not in _OURS}
        return int(status), dict(expected), body, kept
    except (OSError, ValueError, TypeError, AttributeError, StopIteration, RecursionError):
        trouble = f"samples: {path} cannot be read: expected.json and body.bin must be there"
    raise ConfigurationError(trouble)
