"""The JSON form of a portfolio: the figures of its tables and all others, for programs.

Amounts are US dollars, positive paid to entities and negative owed by them, except in guarantees,
where what is owed is positive. What the draws cannot support, or no rule states, is null. An
estimate is an object ``estimate, ci_low, ci_high, standard_error``. Keys of the whole:

* ``title``, ``portfolio`` (file name), ``performance_year``, ``sign_convention``, ``confidence``
  (of every limit), ``draws``, ``seed`` (text);
* ``entities``: per entity ``name``, ``scenario`` (file name), ``settings`` (those of its own: path
  to the value as TOML has it), ``program``, ``option``, ``track``, ``group`` (or null),
  ``beneficiaries``, ``summary`` (line, then statistic, to estimate) and ``guarantee`` (``basis`` of
  the required amount, and the figures of ``/guarantee``, those by level as a list of objects with
  their ``level``);
* ``groups``: all entities first; per group ``name``, ``entities`` (names), ``required``,
  ``gross_savings``, ``shared`` and ``settlement`` (statistic to estimate), ``probability_owing``,
  and ``separately``, ``together``, ``netted``, ``saved_together`` and ``saved_netted`` by level;
* ``rules``: per rule ``entities`` (names), ``name``, ``value``, ``unit``, ``source``,
  ``confidence``, ``note``, ``original``;
* ``assumptions``: ``subject``, ``statement``, ``source`` and ``entities`` (names);
* ``provenance``: draw scheme, versions, host, UTC time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from simdc.report.document import number
from simdc.result import group

__all__ = ["portfolio_document"]

_HEAD = (
    "title",
    "portfolio",
    "performance_year",
    "sign_convention",
    "confidence",
    "draws",
    "seed",
)
_OF_ENTITY = {
    "scenario": "scenario_of_entity",
    "program": "program_of_entity",
    "option": "option_of_entity",
    "track": "elected_track",
    "beneficiaries": "beneficiaries_of_entity",
}
_OF_GROUP = {
    "required": "required_of_group",
    "gross_savings": "gross_savings_of_group",
    "shared": "shared_of_group",
    "settlement": "settlement_of_group",
    "probability_owing": "probability_owing_of_group",
    "separately": "covering_separately",
    "together": "covering_together",
    "netted": "covering_netted",
    "saved_together": "saved_together",
    "saved_netted": "saved_netted",
}
_RULE = ("name", "value", "unit", "source", "confidence", "note", "original")
_ASSUMPTION = ("subject", "statement", "source")


def portfolio_document(tree: xr.DataTree) -> dict[str, Any]:
    """A finished portfolio but for its draws, as plain objects that ``json.dumps`` takes.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.portfolio.read.read_portfolio`.
    """
    inputs = group(tree, "inputs")
    return {
        **{key: number(tree.attrs[key]) for key in _HEAD},
        "entities": _entities(tree),
        "groups": _groups(tree),
        "rules": [
            {**row, "value": json.loads(row["value"]), "original": _parsed(row["original"])}
            for row in _table(inputs, "rule", _RULE)
        ],
        "assumptions": _table(inputs, "assumption", _ASSUMPTION),
        "provenance": {
            **{key: tree.attrs[key] for key in ("draw_scheme", "created")},
            **{key: json.loads(tree.attrs[key]) for key in ("versions", "host")},
        },
    }


def _entities(tree: xr.DataTree) -> list[dict[str, Any]]:
    inputs = group(tree, "inputs")
    summary, guarantee = (
        _figures(group(tree, name), "entity") for name in ("summary", "guarantee")
    )
    return [
        {
            "name": name,
            **{key: number(inputs[variable].values[place]) for key, variable in _OF_ENTITY.items()},
            "settings": json.loads(inputs["settings_of_entity"].values[place]),
            "group": inputs["group_of_entity"].values[place] or None,
            "summary": summary[place],
            "guarantee": {
                "basis": str(inputs["guarantee_basis_of_entity"].values[place]),
                **guarantee[place],
            },
        }
        for place, name in enumerate(_names(inputs, "entity"))
    ]


def _groups(tree: xr.DataTree) -> list[dict[str, Any]]:
    inputs, groups = group(tree, "inputs"), group(tree, "groups")
    entities, of_entity = _names(inputs, "entity"), inputs["group_of_entity"].values
    figures = _figures(groups, "group")
    every, *others = _names(groups, "group")
    members = {
        every: entities,
        **{
            name: [e for e, of in zip(entities, of_entity, strict=True) if of == name]
            for name in others
        },
    }
    return [
        {
            "name": name,
            "entities": members[name],
            **{key: here[variable] for key, variable in _OF_GROUP.items()},
        }
        for name, here in zip(members, figures, strict=True)
    ]


def _figures(dataset: xr.Dataset, dim: str) -> list[dict[str, Any]]:
    """Every variable at each label of a dimension, which comes first in all of them."""
    labels = {str(name): array.values.tolist() for name, array in dataset.coords.items()}
    return [
        {
            str(name): _nested(array.values[place], list(map(str, array.dims[1:])), labels)
            for name, array in dataset.data_vars.items()
        }
        for place in range(dataset.sizes[dim])
    ]


def _nested(
    values: np.ndarray[Any, Any], dims: Sequence[str], labels: Mapping[str, Sequence[Any]]
) -> Any:
    """Figures by the labels of their dimensions; by level a list, for a level is no name."""
    if not dims:
        return number(values)
    below = [_nested(value, dims[1:], labels) for value in values]
    if dims[0] == "level":
        return [
            {"level": level, **here} for level, here in zip(labels["level"], below, strict=True)
        ]
    return dict(zip(labels[dims[0]], below, strict=True))


def _table(inputs: xr.Dataset, prefix: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table whose columns are variables that share a prefix, with their entities."""
    every = _names(inputs, "entity")
    values = [inputs[f"{prefix}_{column}"].values for column in columns]
    return [
        {
            **dict(zip(columns, map(str, row), strict=True)),
            "entities": str(names).split(", ") if names else every,
        }
        for names, *row in zip(inputs[f"{prefix}_entities"].values, *values, strict=True)
    ]


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


def _names(dataset: xr.Dataset, dim: str) -> list[str]:
    return [str(name) for name in dataset[dim].values]
