"""The JSON form of a result: the same figures as the tables, for programs.

Amounts are US dollars, positive paid to the entity and negative owed by it, except in
``guarantee``, where what is owed is positive. Rates and probabilities are fractions. What the
draws cannot support is null. An estimate is an object ``estimate, ci_low, ci_high,
standard_error``; its limits are of the simulation alone and leave out doubt about the assumptions.
Keys of the whole:

* ``format``, ``format_version``, ``title``, ``entity``, ``entity_type``, ``performance_year``,
  ``sign_convention``, ``confidence`` (of every limit), ``draws``, ``first_draw``, ``seed`` (text);
* ``segments``: per segment its name and the figures of ``/inputs``;
* ``tracks``: per track ``name``, ``program``, ``option``, ``expected``, ``fixed`` (dollars that
  no draw changes; ``guarantee_base`` is what the required guarantee is a rate of), ``summary``
  (line, then statistic, to estimate), ``guarantee`` and ``rules`` (name to value, unit, source,
  confidence, note, original);
* ``expected`` of a track: ``benchmark`` (unadjusted), ``cost`` and ``cost_below_benchmark``, each
  in ``dollars`` and ``pbpm``, the last also as ``share`` of the benchmark and negative where cost
  lies above it;
* ``guarantee`` of a track: ``required``, ``base`` and ``rate`` (null where it is no rate),
  ``basis``, the estimates named as in ``/guarantee``, ``enhanced_capitation`` (to be repaid in
  every draw) and ``levels``: per level ``covering_amount``, ``covering_amount_less_enhanced``,
  ``covering_amount_by_step`` (null, or ``without`` provisional settlement, ``at_provisional``,
  ``until_final``), ``mean_owed_beyond`` and ``draws_needed``;
* ``observed``: null, or ``track``, ``source`` and per published figure its ``value`` and
  ``percentile`` (share of draws at or below it);
* ``attribution``: null, or track, then driver, to the figures of ``/attribution``, those that
  differ by line of the settlement as an object by line;
* ``convergence``: null, or ``limit`` (draws) and ``watched``: per figure that was watched its
  ``units``, ``bound``, whether that was ``reached``, and the estimate at each of the ``looks``;
* ``years``: null, or per track every performance year, their total and the guarantee by date; see
  `simdc.report.years.years_json` (all else is of the first year);
* ``assumptions``: ``subject``, ``statement``, ``source``;
* ``provenance``: scenario file name and SHA-256, draw scheme, versions, host, durations in
  seconds, UTC time.
"""

from __future__ import annotations

import json
import math
from typing import Any

import xarray as xr

from simdc.figures import FIGURES, STATISTICS
from simdc.report.convergence import convergence_json
from simdc.report.figures import Prospect, prospects
from simdc.report.years import years_json
from simdc.result import FIXED, group

__all__ = ["head", "number", "render_guarantee_json", "render_json", "stated_assumptions"]

_SEGMENT_KEYS = ("category", "alignment", "beneficiaries", "months", "expected_cost")
_HEAD_KEYS = (
    "format",
    "format_version",
    "title",
    "entity",
    "entity_type",
    "performance_year",
    "sign_convention",
    "confidence",
    "draws",
    "first_draw",
    "seed",
)


def render_json(tree: xr.DataTree) -> dict[str, Any]:
    """A whole result but for its draws, as plain objects that ``json.dumps`` takes.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.result.build_result` or `read_result`.
    """
    inputs, summary = group(tree, "inputs"), group(tree, "summary")
    beforehand = prospects(tree)
    tracks = [
        {
            "name": name,
            "program": _plain(inputs["program"].sel(track=name)),
            "option": _plain(inputs["option"].sel(track=name)),
            "expected": _expected(beforehand[name]),
            "fixed": {key: _plain(inputs[key].sel(track=name)) for key in FIXED if key in inputs},
            "summary": {
                str(line): {
                    statistic: _estimate(array.sel(track=name, statistic=statistic))
                    for statistic in STATISTICS
                }
                for line, array in summary.data_vars.items()
            },
            "guarantee": _guarantee(tree, name),
            "rules": _rules(inputs, name),
        }
        for name in _names(inputs, "track")
    ]
    return {
        **head(tree),
        "segments": [
            {"name": name, **{key: _plain(inputs[key].sel(segment=name)) for key in _SEGMENT_KEYS}}
            for name in _names(inputs, "segment")
        ],
        "tracks": tracks,
        "observed": _observed(tree),
        "attribution": _attribution(tree),
        "convergence": convergence_json(tree),
        "years": years_json(tree),
        "assumptions": stated_assumptions(inputs),
        "provenance": {
            **{
                key: tree.attrs[key]
                for key in ("scenario_name", "scenario_sha256", "draw_scheme", "created")
            },
            **{key: json.loads(tree.attrs[key]) for key in ("versions", "host", "durations")},
        },
    }


def render_guarantee_json(tree: xr.DataTree) -> dict[str, Any]:
    """The guarantee alone: the head, per track ``name`` and ``guarantee``, and ``assumptions``."""
    return {
        **head(tree),
        "tracks": [
            {"name": name, "guarantee": _guarantee(tree, name)}
            for name in _names(group(tree, "guarantee"), "track")
        ],
        "assumptions": stated_assumptions(group(tree, "inputs")),
    }


def head(tree: xr.DataTree) -> dict[str, Any]:
    """What the result is of, and how its figures are to be read."""
    return {key: number(tree.attrs[key]) for key in _HEAD_KEYS}


def _guarantee(tree: xr.DataTree, track: str) -> dict[str, Any]:
    """The figures of one track; amounts owed are positive."""
    figures, inputs = group(tree, "guarantee").sel(track=track), group(tree, "inputs")
    required = float(figures["required_guarantee"])
    known = "guarantee_base" in inputs  # not in results of earlier versions
    base = float(inputs["guarantee_base"].sel(track=track)) if known else math.nan
    loan = float(inputs["enhanced_capitation"].sel(track=track))
    return {
        "required": number(required),
        "base": number(base),
        "rate": number(required / base),
        "basis": _plain(figures["guarantee_basis"]),
        **{
            key: _estimate(figures[key])
            for key in (
                "probability_of_loss",
                "probability_owing",
                "mean_total_owed",
                "probability_shared_loss_exceeds_required",
                "probability_total_owed_exceeds_required",
                "expected_shortfall",
                "shortfall_when_exceeded",
            )
        },
        "enhanced_capitation": number(loan),
        "levels": [
            {
                "level": float(level),
                "covering_amount": _estimate(figures["covering_amount"].sel(level=level)),
                "covering_amount_less_enhanced": _estimate(
                    figures["covering_amount"].sel(level=level) - [loan, loan, loan, 0.0]
                ),
                "covering_amount_by_step": _by_step(figures.sel(level=level)),
                "mean_owed_beyond": _estimate(figures["mean_owed_beyond"].sel(level=level)),
                "draws_needed": int(figures["draws_needed"].sel(level=level)),
            }
            for level in figures["level"].values
        ],
    }


def _by_step(figures: xr.Dataset) -> dict[str, Any] | None:
    if "step" not in figures.dims:
        return None
    amounts = figures["covering_amount_by_step"]
    return {step: _estimate(amounts.sel(step=step)) for step in _names(figures, "step")}


def _expected(beforehand: Prospect) -> dict[str, Any]:
    def amount(dollars: float) -> dict[str, float]:
        return {"dollars": dollars, "pbpm": dollars / beforehand.months}

    below = beforehand.below
    return {
        "benchmark": amount(beforehand.benchmark),
        "cost": amount(beforehand.cost),
        "cost_below_benchmark": {**amount(below), "share": below / beforehand.benchmark},
    }


def stated_assumptions(inputs: xr.Dataset) -> list[dict[str, str]]:
    """What no source settles, from the group ``inputs``."""
    return _table(inputs, "assumption", ("subject", "statement", "source"))


def _rules(inputs: xr.Dataset, track: str) -> dict[str, Any]:
    rows = _table(
        inputs,
        "rule",
        ("track", "name", "value", "unit", "source", "confidence", "note", "original"),
    )
    return {
        row["name"]: {
            "value": json.loads(row["value"]),
            "unit": row["unit"],
            "source": row["source"],
            "confidence": row["confidence"],
            "note": row["note"],
            "original": json.loads(row["original"]) if row["original"] else None,
        }
        for row in rows
        if row["track"] == track
    }


def _observed(tree: xr.DataTree) -> dict[str, Any] | None:
    if "observed" not in tree.children:
        return None
    outcome = group(tree, "observed")
    published = [
        name for name in map(str, outcome.data_vars) if f"{name}_percentile" in outcome.data_vars
    ]
    return {
        "track": outcome.attrs["track"],
        "source": outcome.attrs["source"],
        "figures": {
            name: {
                "value": _plain(outcome[name]),
                "percentile": _estimate(outcome[f"{name}_percentile"]),
            }
            for name in published
        },
    }


def _attribution(tree: xr.DataTree) -> dict[str, Any] | None:
    if "attribution" not in tree.children:
        return None
    found = group(tree, "attribution")

    def figures(array: xr.DataArray) -> dict[str, Any]:
        if "line" in array.dims:
            return {line: _estimate(array.sel(line=line)) for line in _names(found, "line")}
        return _estimate(array)

    return {
        track: {
            driver: {
                str(name): figures(array)
                for name, array in found.sel(track=track, driver=driver).data_vars.items()
            }
            for driver in _names(found, "driver")
        }
        for track in _names(found, "track")
    }


def _table(inputs: xr.Dataset, prefix: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a table whose columns are variables that share a prefix."""
    values = [[str(text) for text in inputs[f"{prefix}_{column}"].values] for column in columns]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _names(dataset: xr.Dataset, dimension: str) -> list[str]:
    return [str(name) for name in dataset[dimension].values]


def _estimate(array: xr.DataArray) -> dict[str, Any]:
    return {key: number(float(v)) for key, v in zip(FIGURES, array.values, strict=True)}


def _plain(array: xr.DataArray) -> Any:
    return number(array.values.item() if array.ndim == 0 else array.values.tolist())


def number(value: Any) -> Any:
    """A value as JSON has it: no NaN, no infinity, no NumPy type."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
