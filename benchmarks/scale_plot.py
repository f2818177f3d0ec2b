"""The simulation of `benchmarks/scale.py` as a picture: hours by workers, a line for each rate."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.scale_model import MEMBERS, QUOTAS

#: From the palette of Okabe and Ito, which the colour-blind can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73")


def draw(simulated, file):
    """Write the picture to `file`; its ending says in what format."""
    figure = Figure(figsize=(8, 5), layout="tight")
    axis = figure.subplots()
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    for quota, colour in zip(QUOTAS, COLOURS, strict=True):
        own = [one for one in simulated if one["quota"] == quota]
        figures = [one["workers"] for one in own], [one["hours"] for one in own]
        axis.loglog(*figures, "o-", color=colour, label=f"{quota:,} requests/s allowed")
        axis.axhline(MEMBERS / quota / 3600, color=colour, linewidth=0.8, linestyle=":")
    axis.set_xlabel("workers")
    axis.set_title(f"hours for {MEMBERS:,} members (dotted: what the rate alone takes)", loc="left")
    axis.xaxis.set_major_formatter(plain)
    axis.yaxis.set_major_formatter(plain)
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(file, dpi=120)
