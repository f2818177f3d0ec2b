"""matplotlib, which only reports need, and what it draws made part of a page.

It is told nothing that lasts: no backend, no setting. Colours are the page's, by name, so that one
drawing is right in light and in dark; letters are letters, in the page's own type.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.report.html import Html, harmless, joined, tag

__all__ = ["COLOURS", "check_extra", "drawn", "plain"]

#: What the page calls its colours, and what stands for each while it is drawn.
COLOURS: Final = MappingProxyType(
    {
        name: f"#{number:02x}{number:02x}01"
        for number, name in enumerate(
            (
                *("ink", "faint", "line", "good", "bad", "first", "second"),
                *("rate", "gate", "breaker", "budget", "slots", "source", "sink", "other"),
            ),
            start=16,
        )
    }
)
_NAMES: Final = {colour: name for name, colour in COLOURS.items()}
_WIDTH: Final = 420
_POINTS_PER_INCH: Final = 72
_SETTINGS: Final = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelcolor": COLOURS["faint"],
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["faint"],
    "ytick.labelcolor": COLOURS["faint"],
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}
_EXTRA: Final = (
    "a report needs the extra 'report': python -m pip install 'altcraft-balance[report]'"
)


def check_extra() -> None:
    """See whether there is something to draw with.

    Raises:
        ConfigurationError: it is not installed.
    """
    _matplotlib()


def drawn(name: str, title: str, told: str, draw: Callable[[Any], object], height: int) -> Html:
    """A chart.

    Args:
        name: a word that no other chart of the page has.
        title: what it shows.
        told: what it shows, in words, for who does not see it.
        draw: is given matplotlib's axes.
        height: in units of which the width has 420.

    Raises:
        ConfigurationError: there is nothing to draw with.
    """
    matplotlib, figures, svg = _matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the user's own settings are for their own drawings
        matplotlib.rcParams.update({**_SETTINGS, "svg.hashsalt": name})
        size = (_WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
        canvas = svg.FigureCanvasSVG(figures.Figure(figsize=size, layout="constrained"))
        draw(canvas.figure.add_subplot())
        text = io.StringIO()
        canvas.print_svg(text)
    return _inlined(text.getvalue(), name, title, told, height)


def _matplotlib() -> tuple[Any, Any, Any]:
    try:
        return (
            importlib.import_module("matplotlib"),
            importlib.import_module("matplotlib.figure"),
            importlib.import_module("matplotlib.backends.backend_svg"),
        )
    except ModuleNotFoundError:
        pass
    raise ConfigurationError(_EXTRA)


#: What a page does not need: the file's head, its metadata, a style for all of the document, types.
_DROPPED: Final = re.compile(
    r"""\A.*?<svg[^>]*> | </svg>\s*\Z | <metadata>.*?</metadata> | <style.*?</style> | <!--.*?-->
    | font-family:[^;"]*;?""",
    re.VERBOSE | re.DOTALL,
)
#: As matplotlib wrote it until 3.9.
_SHORT_FONT: Final = re.compile(r"font: ([0-9.]+px) [^;\"]*")
_REFERENCE: Final = re.compile(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)')
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}\b")
_SPACE: Final = re.compile(r"\s*\n\s*")


def _inlined(svg: str, name: str, title: str, told: str, height: int) -> Html:
    svg = _SHORT_FONT.sub(r"font-size: \1", _DROPPED.sub("", svg)).replace("xlink:href", "href")
    svg = _REFERENCE.sub(f"{name}-", svg)
    svg = _COLOUR.sub(lambda found: f"var(--{_NAMES.get(found[0], 'ink')})", svg)
    body = joined(
        tag("title", title, id=f"{name}-title"),
        tag("desc", told, id=f"{name}-desc"),
        Html(_SPACE.sub("\n", svg)),
    )
    labels = f'aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Html(f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" {labels}>{body}</svg>')


def plain(text: str) -> str:
    """`text` for a drawing, whose font knows ASCII for certain."""
    return harmless(text).encode("ascii", "replace").decode()[:28]
