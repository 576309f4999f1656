"""Ranges and samples: quantiles against scipy's distributions, strata, seeds, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simdc.errors import InputError
from simdc.sweep.paths import Path
from simdc.sweep.sampling import (
    Beta,
    Choice,
    Integers,
    LogUniform,
    Normal,
    Range,
    Triangular,
    Uniform,
    drawn,
    parse_range,
    parse_sample,
    sampled,
)
from simdc.sweep.values import DISTRIBUTIONS

A, B = Path(("run", "a")), Path(("run", "b"))
U = np.array([1e-9, 0.01, 0.2, 0.25, 0.5, 0.75, 0.9, 1 - 1e-9])


# --- ranges -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("uniform(0.01,0.05)", stats.uniform(0.01, 0.04)),
        ("uniform(-3, 7)", stats.uniform(-3, 10)),
        ("loguniform(1e4,1e6)", stats.loguniform(1e4, 1e6)),
        ("normal(2,0.5)", stats.norm(2, 0.5)),
        ("triangular(1,2,5)", stats.triang(0.25, 1, 4)),
        ("triangular(1,1,5)", stats.triang(0, 1, 4)),
        ("triangular(1,5,5)", stats.triang(1, 1, 4)),
        ("beta(9,1)", stats.beta(9, 1)),
        ("beta(2,3,10,20)", stats.beta(2, 3, 10, 10)),
    ],
)
def test_quantiles_are_those_of_the_distribution(text: str, law: stats.rv_continuous) -> None:
    found = parse_range(text).quantile(U)
    np.testing.assert_allclose(found, law.ppf(U), rtol=1e-9)
    assert {type(value) for value in found} == {float}


def test_integers_and_choices_are_all_as_likely() -> None:
    quarters = np.array([0.0, 0.2499, 0.25, 0.4999, 0.5, 0.7499, 0.75, 0.9999])
    expected = [7, 7, 8, 8, 9, 9, 10, 10]
    found = parse_range("integers(7,10)").quantile(quarters)
    assert found == expected
    assert {type(value) for value in found} == {int}
    named = ["a", "a", True, True, 3.0, 3.0, [1], [1]]
    assert parse_range("choice(a,true,3.0,[1])").quantile(quarters) == named
    assert parse_range("a,true,3.0,[1]").quantile(quarters) == named


def test_integers_reach_the_largest_seed() -> None:
    whole = Integers(0, 2**64 - 1)
    low, high = whole.quantile(np.array([np.nextafter(0, 1), np.nextafter(1, 0)]))
    assert low == 0
    # one lattice step of a double below 1, of 2**-53, is 2**11 seeds
    assert Fraction(2**64 - 1 - high) <= 2**11


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("uniform(1,1)", "must have its first value below its second (given uniform(1.0, 1.0))."),
        ("uniform(1)", 'must be uniform(low,high) (given "uniform(1)").'),
        ("uniform(1,2,3)", "must be uniform(low,high)"),
        ("uniform(1,inf)", 'must be made of finite numbers, of which "inf" is none'),
        ("uniform(1,a)", 'of which "a" is none'),
        ("uniform(1,true)", 'of which "true" is none'),
        ("uniform(nan,1)", "nan is no value of a setting"),
        ("uniform()", "a value is missing"),
        (f"uniform(0,{10**400})", "must be made of finite numbers"),
        ("loguniform(0,1)", "must have its first value below its second, above 0"),
        ("loguniform(2,1)", "must have its first value below its second, above 0"),
        ("normal(0,0)", "must have a standard deviation above 0"),
        ("triangular(1,0,2)", "must have its low, mode and high in rising order"),
        ("triangular(1,1,1)", "must have its low, mode and high in rising order"),
        ("beta(0,1)", "must have both its shapes above 0"),
        ("beta(1)", "must be beta(alpha,beta,low,high)"),
        ("beta(1,1,3,2)", "must have its low value below its high one"),
        ("integers(1,2.5)", "must be of two whole numbers in rising order"),
        ("integers(2,1)", "must be of two whole numbers in rising order"),
        ("choice()", "a value is missing"),
        ("choice(1,1)", "gives a value twice"),
        ("unifrom(0,1)", "did you mean 'uniform'?"),
    ],
)
def test_range_that_is_none_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_range(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_that_values_refuse_is_a_range(name: str) -> None:
    arguments = {"triangular": "1,2,3"}.get(name, "1,2")
    assert isinstance(parse_range(f"{name}({arguments})"), Range)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=2, max_size=4), st.sampled_from(DISTRIBUTIONS))
def test_extreme_figures_are_drawn_or_refused(figures: list[float], name: str) -> None:
    text = f"{name}({','.join(map(repr, figures))})"
    try:
        design = drawn({A: parse_range(text)}, U[:, np.newaxis])
    except InputError:
        return
    values = design.axes[0].values
    assert all(math.isfinite(value) for value in values)
    if name == "uniform":
        assert all(figures[0] <= value <= figures[1] for value in values)


# --- samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sobol", "lhs"])
def test_one_point_falls_in_each_stratum(method: str) -> None:
    design = sampled({A: Uniform(0, 64), B: Uniform(0, 64)}, method, 64, seed=5)
    for axis in design.axes:
        assert sorted(map(math.floor, axis.values)) == list(range(64))


def test_sobol_points_fill_squares_too() -> None:
    """The first two dimensions are a (0, m, 2)-net: one point in each 8 x 8 square."""
    design = sampled({A: Uniform(0, 8), B: Uniform(0, 8)}, "sobol", 64, seed=5)
    first, second = (axis.values for axis in design.axes)
    cells = {(int(x), int(y)) for x, y in zip(first, second, strict=True)}
    assert len(cells) == 64


@pytest.mark.parametrize("method", ["sobol", "lhs"])
def test_the_seed_decides(method: str) -> None:
    def values(seed: int) -> tuple[object, ...]:
        return sampled({A: Normal(0, 1)}, method, 16, seed).axes[0].values

    assert values(3) == values(3)
    assert values(3) != values(4)
    assert len(values(2**64 - 1)) == 16


@pytest.mark.parametrize("method", ["sobol", "lhs"])
def test_a_single_point_is_a_sample(method: str) -> None:
    design = sampled({A: LogUniform(1, 2), B: Choice((1,))}, method, 1, seed=0)
    assert design.shape == (1,)
    assert 1 < design.point(0)[A] < 2
    assert design.point(0)[B] == 1


def test_a_sample_is_a_list_of_points() -> None:
    design = sampled({A: Triangular(0, 1, 2), B: Beta(2, 2)}, "lhs", 10, seed=0)
    assert design.kind == "sample"
    assert design.dims == ("point",)
    assert list(design.coords) == ["run.a", "run.b"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("sobol:1", ("sobol", 1)), ("sobol:256", ("sobol", 256)), ("lhs:200", ("lhs", 200))],
)
def test_sample_is_read(text: str, found: tuple[str, int]) -> None:
    assert parse_sample(text) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sobol:255", 'the nearest are sobol:128 or sobol:256 (given "sobol:255").'),
        ("sobol:257", "the nearest are sobol:256 or sobol:512"),
        ("sobol:3", "balanced only where their number is a power of two"),
        ("sobol:1000000", "the nearest are sobol:524288 (given"),
        ("lhs:0", "must have a number of points from 1 to 1,000,000"),
        ("lhs:1000001", "must have a number of points from 1 to 1,000,000"),
        ("lhs:", "must have a number of points"),
        ("lhs:-3", "must have a number of points"),
        ("lhs:1e3", "must have a number of points"),
        ("sobl:8", "must be sobol:COUNT or lhs:COUNT (given \"sobl:8\"); did you mean 'sobol'?"),
        ("", "must be sobol:COUNT or lhs:COUNT"),
    ],
)
def test_sample_that_is_none_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_sample(text)
    assert str(refused.value).startswith("--sample: ")
    assert sentence in str(refused.value)


@given(st.text())
@settings(max_examples=50)
def test_any_text_is_a_sample_or_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_sample(f"x{text}")
    try:
        parse_sample(f"lhs:{text}")
    except InputError:
        return
    assert 1 <= int(text) <= 1_000_000
