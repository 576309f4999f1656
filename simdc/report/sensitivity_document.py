"""What moves each track, as JSON.

The keys of the whole are ``title``, ``entity``, ``entity_type``, ``performance_year``,
``sign_convention``, ``confidence`` (of every limit), ``draws``, ``seed`` (text), ``level`` (of the
covering amount), ``samples``, ``points``, ``settings`` (path and range as given), ``tracks`` and
``assumptions``. A track has its ``name`` and ``outputs``: ``mean_settlement`` and
``covering_amount`` in US dollars, ``probability_owing`` as a fraction. An output has

* ``over_points``: ``mean``, ``standard_deviation`` and ``simulation_error`` (median standard error
  of the figure at a point) over the points of the sample;
* ``obstacle``: why it has no indices, else null;
* ``indices``: per setting ``first_order`` and ``total``, shares of the variance over the points,
  and ``samples_needed``: null, or roughly how many base samples would bring limits that are too
  wide to say much to 10% either side (``too_wide`` where they are);
* ``tornado``: ``base`` (every setting at its median, what is chosen from a list as the scenario has
  it) and ``swings``, widest first: ``setting``, ``width`` and ``changes``, each with the ``value``
  that the setting is moved to and the ``change`` of the figure from the base.

Limits of indices are of the sample of points, given the draws that all points share; those of the
tornado are of the draws.
"""

from __future__ import annotations

from typing import Any

from simdc.estimate import Estimate
from simdc.figures import FIGURES
from simdc.report.document import number, stated_assumptions
from simdc.result import group
from simdc.sensitivity.findings import Findings, OutputFindings
from simdc.sensitivity.indices import is_coarse, samples_for
from simdc.sensitivity.tornado import Swing

__all__ = ["sensitivity_document"]

_HEAD = (
    "title",
    "entity",
    "entity_type",
    "performance_year",
    "sign_convention",
    "confidence",
    "draws",
    "seed",
)


def sensitivity_document(findings: Findings) -> dict[str, Any]:
    """Findings as plain objects that ``json.dumps`` takes; the keys are listed above."""
    return {
        **{key: number(findings.tree.attrs[key]) for key in _HEAD},
        "level": findings.level,
        "samples": findings.samples,
        "points": findings.points,
        "settings": [
            {"path": setting.label, "range": setting.text} for setting in findings.settings
        ],
        "tracks": [
            {
                "name": track,
                "outputs": {output: _output(findings, found) for output, found in outputs.items()},
            }
            for track, outputs in findings.tracks.items()
        ],
        "assumptions": stated_assumptions(group(findings.tree, "inputs")),
    }


def _output(findings: Findings, found: OutputFindings) -> dict[str, Any]:
    return {
        "over_points": {
            key: number(getattr(found, key))
            for key in ("mean", "standard_deviation", "simulation_error")
        },
        "obstacle": found.obstacle or None,
        "indices": {
            setting.label: {
                "first_order": _index(indices.first, findings.samples),
                "total": _index(indices.total, findings.samples),
            }
            for setting, indices in zip(findings.settings, found.indices, strict=False)
        },
        "tornado": {
            "base": _estimate(found.base),
            "swings": [_swing(swing) for swing in found.swings],
        },
    }


def _index(index: Estimate, samples: int) -> dict[str, Any]:
    coarse = is_coarse(index)
    needed = samples_for(index, samples) if coarse else None
    return {**_estimate(index), "too_wide": coarse, "samples_needed": needed}


def _swing(swing: Swing) -> dict[str, Any]:
    return {
        "setting": swing.setting.label,
        "width": number(swing.width),
        "changes": [
            {"value": number(change.value), "change": _estimate(effect)}
            for change, effect in swing.changes
        ],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {key: number(figure) for key, figure in zip(FIGURES, estimate, strict=True)}
