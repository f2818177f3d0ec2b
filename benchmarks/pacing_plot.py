"""The figures of `benchmarks/pacing.py` as a picture: a panel for each figure."""

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from benchmarks.pacing_table import gave_up

PANELS = (
    ("requests_per_item", "requests an item", "log"),
    ("time_of_ideal", "time / ideal (hollow: gave items up)", "log"),
    ("worst_100_ms", "requests in the worst 100 ms", "log"),
    ("lost", "items lost, %", "linear"),
)
#: From the palette of Okabe and Ito, which the colour-blind can tell apart.
COLOURS = {
    "no policy": "#999999",
    "per-item backoff": "#E69F00",
    "aiohttp-retry": "#CC79A7",
    "tenacity + semaphore": "#D55E00",
    "this client": "#0072B2",
    "this client, rate known": "#56B4E9",
}


def draw(rows, file):
    """Write the picture to `file`; its ending says in what format."""
    figure = Figure(figsize=(11, 13), layout="tight")
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (name, title, scale) in zip(axes, PANELS, strict=True):
        _panel(axis, rows, name)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_yscale(scale)
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.grid(axis="y", alpha=0.3)
    axes[1].axhline(1, color="black", linewidth=0.8)
    axes[0].legend(ncols=3, fontsize=8, loc="upper right")
    figure.savefig(file, dpi=120)


def _panel(axis, rows, name):
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    width = 0.8 / len(COLOURS)
    for place, (client, colour) in enumerate(COLOURS.items()):
        own = [row for row in rows if row["client"] == client and _value(row, name) is not None]
        hollow = [name == "time_of_ideal" and gave_up(row) for row in own]
        axis.scatter(
            [scenarios.index(row["scenario"]) + (place - 2.5) * width for row in own],
            [_value(row, name) for row in own],
            label=client,
            edgecolors=colour,
            facecolors=["none" if empty else colour for empty in hollow],
        )
    axis.set_xticks(range(len(scenarios)), [scenario.replace("_", " ") for scenario in scenarios])
    for between in range(1, len(scenarios)):
        axis.axvline(between - 0.5, color="black", alpha=0.1, linewidth=0.8)


def _value(row, name):
    if name == "lost":
        return 100 * row["lost"] / row["items"]
    return row[name] or None  # no burst where nobody asked any more
