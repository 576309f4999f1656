"""What is measured: each subject sets itself up, does one call's work, and checks its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from simdc.kernels.philox import key_words
from simdc.kernels.strip import segment_sums
from simdc.severity import generalised_gamma
from simdc.severity_table import quantile_table

PEOPLE, DRAWS = 4_000, 1_024
ATTACHMENTS = (150_000.0, 250_000.0, 300_000.0, 500_000.0)
A, C, ZERO = 0.488, 0.693, 0.05


@dataclass(frozen=True)
class Subject:
    """One thing to time.

    Attributes
    ----------
    name : str
    units : int
        Units of work in one call.
    unit : str
        What one of them is.
    call : callable
        Does the work and returns its answer.
    check : callable
        Asserts the answer.
    """

    name: str
    units: int
    unit: str
    call: Callable[[], object]
    check: Callable[[object], None]


@cache
def _scale() -> np.ndarray:
    return 12_000.0 * np.random.default_rng(1).lognormal(-0.125, 0.5, PEOPLE)


def _check_sums(answer: object) -> None:
    """Mean cost per draw within five standard errors of the sum of expected costs."""
    cost, _ = answer
    expected = _scale().sum()
    standard_error = 2.2 * np.sqrt((_scale() ** 2).sum()) / np.sqrt(len(cost))
    assert abs(cost.mean() - expected) < 5 * standard_error


def _kernel() -> Callable[[], object]:
    table = quantile_table(generalised_gamma(A, C, zero_probability=ZERO))
    scale = _scale().astype(np.float32)
    attachment = np.tile(ATTACHMENTS, (PEOPLE, 1))
    factor = 1.0 + 0.03 * np.sin(np.arange(DRAWS))
    cost, excess = np.empty(DRAWS), np.empty((len(ATTACHMENTS), DRAWS))
    key = key_words(20220101)

    def call() -> object:
        segment_sums(
            cost, excess, np.uint64(0), np.uint64(1), *key,
            scale, attachment, factor, table.body, table.tail,
        )  # fmt: skip
        return cost, excess

    return call


def _numpy_loop() -> Callable[[], object]:
    """The loop a NumPy user writes: a vector of people per draw, gamma to a power, maxima, sums."""
    from scipy.special import gammaln

    scale = _scale()
    mean = np.exp(gammaln(A + 1 / C) - gammaln(A)) * (1 - ZERO)
    factor = 1.0 + 0.03 * np.sin(np.arange(DRAWS))

    def call() -> object:
        rng = np.random.default_rng(1)
        cost, excess = np.empty(DRAWS), np.empty((len(ATTACHMENTS), DRAWS))
        for draw in range(DRAWS):
            person = rng.standard_gamma(A, PEOPLE) ** (1 / C) / mean
            person[rng.random(PEOPLE) < ZERO] = 0.0
            person *= scale * factor[draw]
            cost[draw] = person.sum()
            for row, attachment in enumerate(ATTACHMENTS):
                excess[row, draw] = np.maximum(person - attachment, 0.0).sum()
        return cost, excess

    return call


_BUILDERS = {"kernel": _kernel, "numpy loop": _numpy_loop}


@cache
def subject(name: str) -> Subject:
    """Set up one subject; its set-up is not timed."""
    return Subject(
        name=name,
        units=PEOPLE * DRAWS,
        unit="beneficiary-draw",
        call=_BUILDERS[name](),
        check=_check_sums,
    )


SUBJECTS = tuple(_BUILDERS)
