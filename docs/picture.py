"""Draw the README's picture: ``python docs/picture.py RESULT.nc docs/settlement.svg``.

The chance that the settlement is at or below an amount, for each track: steps, not a smoothed
density, because a settlement can have atoms. Needs matplotlib (``pip install -e ".[docs]"``).
"""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
import xarray as xr

mpl.use("svg")
import matplotlib.pyplot as plt

COLOURS = {"professional": "#6b7f99", "global": "#c2452d", "global-tcc": "#2f7d5b"}


def main(result: str, picture: str) -> None:
    """Draw every track; dashed lines are those with stop-loss."""
    tree = xr.open_datatree(result, engine="h5netcdf")
    paid = tree["draws"].shared_after_sequestration.load() / 1e6
    plt.rcParams |= {"font.size": 10, "svg.hashsalt": "simdc", "svg.fonttype": "none"}
    figure, axes = plt.subplots(figsize=(8.0, 4.2), layout="constrained")
    chance = np.linspace(0.0, 1.0, 301)[1:]
    for track in paid.track.values:
        base = str(track).removesuffix("-stop-loss")
        amount = np.quantile(paid.sel(track=track), chance, method="inverted_cdf")
        axes.step(
            amount, chance, where="post", label=str(track),
            color=COLOURS[base], linestyle="--" if base != track else "-", linewidth=1.4,
        )  # fmt: skip
    axes.axvline(0.0, color="#999999", linewidth=0.8)
    low, high = np.quantile(paid, [0.002, 0.998])
    axes.set(xlim=(low, high), ylim=(0.0, 1.0), ylabel="chance of this or less")
    axes.set_xlabel("shared savings after sequestration, US$ million: owed below 0, earned above")
    title, entity, year = (tree.attrs[key] for key in ("title", "entity", "performance_year"))
    axes.set_title(f"{title} ({entity}, {year})")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
