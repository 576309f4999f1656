"""Severity as a scenario describes it: which figures go together, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from simdc.errors import InputError
from simdc.severity.distribution import Severity, empirical, pareto_splice
from simdc.severity.fit import (
    conditional_cv,
    from_concentration,
    from_cv,
    member_with_cv,
    risk_cv,
    shape_names,
    with_shapes,
)
from simdc.tabular import numbers, read_table, require_columns

if TYPE_CHECKING:
    from simdc.scenario import models

    _Family: TypeAlias = (
        models.GeneralisedGammaSeverity
        | models.WeibullSeverity
        | models.GammaSeverity
        | models.LognormalSeverity
    )

__all__ = ["build_severity", "implied_risk_cv"]


def build_severity(spec: models.Severity, base_dir: Path) -> Severity:
    """The severity that a scenario describes.

    Exactly one description of the spread is accepted: shape parameters; ``cv``, the spread given
    the risk score; ``total_cv`` with ``risk_share``; or ``concentration``. Published shares with a
    ``risk_share`` describe cost with the risk score in it, which is then taken out: the fitted
    family with the conditional spread, where a generalised gamma keeps the fitted c.

    Parameters
    ----------
    spec : model
        The ``severity`` table of a segment.
    base_dir : Path
        Folder that file names in the scenario start from.

    Raises
    ------
    InputError
        If the description is incomplete, contradicts itself or has no solution, or if a file of
        costs cannot be used.
    """
    if spec.distribution == "empirical":
        return _from_file(spec, base_dir)
    if spec.distribution == "pareto_splice":
        return _splice(spec)
    return _family_member(spec)


def implied_risk_cv(spec: models.Severity) -> float | None:
    """Spread of risk scores that goes with a severity; None where its description implies none."""
    if spec.distribution == "empirical" or spec.risk_share is None:
        return None
    if spec.total_cv is not None:
        return risk_cv(spec.total_cv, spec.risk_share)
    if spec.distribution != "pareto_splice" and spec.concentration is not None:
        return risk_cv(_fit(spec, spec.concentration).cv, spec.risk_share)
    return None


def _family_member(spec: _Family) -> Severity:
    family, names, shapes = spec.distribution, shape_names(spec.distribution), _shapes(spec)
    cv = _conditional_cv(spec)
    described = (len(shapes) == len(names), cv is not None, spec.concentration is not None)
    if sum(described) != 1 or (shapes and spec.concentration is not None):
        parameters = " and ".join(f"'{name}'" for name in names)
        raise InputError(
            f"a {family} needs exactly one of: {parameters}; 'cv'; 'total_cv' with 'risk_share'; "
            "'concentration'"
        )
    if spec.risk_share is not None and spec.total_cv is None and spec.concentration is None:
        raise InputError("'risk_share' goes with 'total_cv' or 'concentration' only")
    if cv is not None:
        return from_cv(family, cv, spec.zero_probability, **shapes)
    if spec.concentration is None:
        return with_shapes(family, shapes, spec.zero_probability)
    fit = _fit(spec, spec.concentration)
    if spec.risk_share is None:
        return fit
    held = {name: fit.parameters[name] for name in names[1:]}
    return from_cv(family, conditional_cv(fit.cv, spec.risk_share), spec.zero_probability, **held)


def _splice(spec: models.ParetoSpliceSeverity) -> Severity:
    body = spec.body
    if body.zero_probability or body.total_cv is not None or body.risk_share is not None:
        raise InputError(
            "'zero_probability', 'total_cv' and 'risk_share' describe the splice as a whole: "
            "state them there, not in its body"
        )
    tail = (spec.splice_probability, spec.tail_index, spec.zero_probability)
    cv = _conditional_cv(spec)
    if cv is None:
        if spec.risk_share is not None:
            raise InputError("'risk_share' of a splice goes with its 'total_cv' only")
        return pareto_splice(_family_member(body), *tail)
    shapes = _shapes(body)
    complete = len(shapes) == len(shape_names(body.distribution))
    if complete or body.cv is not None or body.concentration is not None:
        raise InputError(
            "the spread is given twice: either describe the body, or give the splice a spread and "
            "let the body's shape be solved"
        )
    if spec.tail_index <= 2:
        raise InputError("a splice has a finite spread only if its tail_index is above 2")
    return member_with_cv(
        body.distribution,
        cv,
        lambda **solved: pareto_splice(with_shapes(body.distribution, solved), *tail),
        **shapes,
    )


def _from_file(spec: models.EmpiricalSeverity, base_dir: Path) -> Severity:
    given = (spec.cv, spec.total_cv, spec.risk_share, spec.zero_probability or None)
    if any(value is not None for value in given):
        raise InputError("an empirical severity takes its spread and its zeros from its file alone")
    path = base_dir / spec.file
    frame = read_table(path)
    if spec.column is None and len(frame.columns) != 1:
        raise InputError("has several columns: name the one with the costs as 'column'", file=path)
    column = str(frame.columns[0]) if spec.column is None else spec.column
    require_columns(frame, (column,), path)
    sentence = "must be a finite cost of 0 or more"
    costs = numbers(frame, column, path, lambda values: values >= 0, sentence)
    if not costs.any():
        raise InputError(f"column '{column}' has no cost above 0", file=path)
    return empirical(costs)


def _conditional_cv(spec: _Family | models.ParetoSpliceSeverity) -> float | None:
    """Coefficient of variation given the risk score, as stated or from the total."""
    if spec.total_cv is None:
        return spec.cv
    if spec.cv is not None:
        raise InputError("'cv' (given the risk score) and 'total_cv' exclude each other")
    if spec.risk_share is None:
        raise InputError("'total_cv' needs 'risk_share', the part that the risk score explains")
    return conditional_cv(spec.total_cv, spec.risk_share)


def _shapes(spec: _Family) -> dict[str, float]:
    """Shape parameters that a description states itself."""
    values = {name: getattr(spec, name) for name in shape_names(spec.distribution)}
    return {name: value for name, value in values.items() if value is not None}


def _fit(spec: _Family, concentration: models.Concentration) -> Severity:
    given = concentration.model_dump(exclude_none=True)
    shares = {int(name.removeprefix("top_")) / 100: share for name, share in given.items()}
    return from_concentration(spec.distribution, shares, spec.zero_probability)
