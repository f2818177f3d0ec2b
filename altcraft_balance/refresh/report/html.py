"""HTML that cannot be broken out of: what is not made here is text, and text is escaped.

A server's words may hold tags, quotes, control characters, and marks that turn the direction of
what follows; whatever is not printable is shown as its escape, as on a terminal.
"""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["Html", "figure", "harmless", "joined", "tag"]


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def harmless(text: str) -> str:
    """`text` with every character that is not printable as its escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def tag(name: str, *children: str, **attributes: str | None) -> Html:
    """An element; text among `children` is escaped, and ``data_figure`` is ``data-figure``."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(harmless(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """One after the other."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(harmless(child)) for child in children)
    )


def figure(path: str, value: Any, shown: str | None = None) -> Html:
    """A figure of the summary, exactly as it is there for programs, and as `shown` for people.

    Args:
        path: where it stands in the summary, ``statuses.found``.
        value: what stands there.
        shown: by default a count with its thousands apart, and text as it is.
    """
    exact = {None: "", True: "true", False: "false"}.get(value) if _is_word(value) else str(value)
    if shown is None:
        shown = f"{value:,}" if type(value) is int else exact or "-"
    return tag("data", shown, data_figure=path, value=exact)


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
