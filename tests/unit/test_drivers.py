"""Systemic drivers: their laws, their coupling, and the published defaults they start from.

Statistical tests use fixed seeds and bounds of four standard errors: a right program fails any one
of them with probability 6e-5.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from published import published
from scipy.special import ndtr, ndtri

from simdc.drivers import DRIVER_NAMES, ResolvedDrivers, check_correlation, resolve_drivers
from simdc.errors import InputError
from simdc.kernels.philox import stream_of, uniforms
from simdc.priors import expected_savings_rate, load_priors
from simdc.scenario.models import Drivers, Entity

SEED = 20211
DRAWS = 200_000
DEFAULT = {"distribution": "default"}
COST_DRIVERS = ["national_trend", "national_trend_esrd", "regional_trend", "entity_effect"]


def normal(sd: float, mean: float = 0.0) -> dict[str, object]:
    return {"distribution": "normal", "mean": mean, "sd": sd}


def resolve(
    *,
    entity_type: str = "standard",
    year: int = 2022,
    option: str = "global",
    person_cv: float = 0.0,
    base_dir: Path = Path(),
    **drivers: object,
) -> ResolvedDrivers:
    return resolve_drivers(
        Drivers.model_validate(drivers),
        Entity.model_validate({"id": "D0000", "type": entity_type, "performance_year": year}),
        option=option,
        person_cv=person_cv,
        base_dir=base_dir,
    )


def correlation(names: list[str], *rows: list[float]) -> dict[str, object]:
    return {"drivers": names, "matrix": list(rows)}


def assert_moments(values: np.ndarray, mean: float, sd: float) -> None:
    """Mean and sd within four standard errors of their closed forms."""
    n = values.size
    centred = values - mean
    assert abs(centred.mean()) < 4.0 * sd / math.sqrt(n)
    fourth = np.mean(centred**4)
    assert abs(values.std() - sd) < 4.0 * math.sqrt((fourth - sd**4) / n) / (2.0 * sd)


# --- laws -------------------------------------------------------------------------------------

LAWS = {
    "normal": (normal(0.04, 0.01), 0.01, 0.04),
    "lognormal": ({"distribution": "lognormal", "mean": 1.02, "cv": 0.05}, 1.02, 1.02 * 0.05),
    "student_t": (
        {"distribution": "student_t", "location": -0.01, "scale": 0.02, "degrees_of_freedom": 8},
        -0.01,
        0.02 * math.sqrt(8 / 6),
    ),
    "beta": (
        {"distribution": "beta", "alpha": 2.0, "beta": 3.0, "low": -0.05, "high": 0.15},
        -0.05 + 0.2 * 2 / 5,
        0.2 * math.sqrt(2 * 3 / (25 * 6)),
    ),
    "triangular": (
        {"distribution": "triangular", "low": -0.06, "mode": 0.0, "high": 0.03},
        -0.01,
        math.sqrt((0.06**2 + 0.03**2 + 0.06 * 0.03) / 18),
    ),
    "discrete": (
        {"distribution": "discrete", "values": [0.05, -0.03], "probabilities": [0.25, 0.75]},
        -0.01,
        0.08 * math.sqrt(0.25 * 0.75),
    ),
    "empirical": (
        {"distribution": "empirical", "values": [0.02, -0.04, 0.05, 0.01]},
        0.01,
        statistics.pstdev([0.02, -0.04, 0.05, 0.01]),
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_mean_and_sd_are_those_of_the_closed_form(law: str) -> None:
    model, mean, sd = LAWS[law]
    drivers = resolve(regional_trend=model)
    assert_moments(drivers.draw(SEED, 0, DRAWS)["regional_trend"], mean, sd)
    # The law's own quadrature: the cut of the Student t takes 1e-9 of probability on either side.
    assert drivers.laws["regional_trend"].mean == pytest.approx(mean, abs=1e-13)
    assert drivers.laws["regional_trend"].sd == pytest.approx(sd, rel=1e-5)


@pytest.mark.parametrize("law", LAWS)
def test_mean_cost_factor_is_exp_of_the_mean_deviation(law: str) -> None:
    model, mean, _ = LAWS[law]
    expected = mean if law == "lognormal" else math.exp(mean)
    drivers = resolve(regional_trend=model)
    factor = drivers.cost_factor(drivers.draw(SEED, 0, DRAWS), "A&D")
    assert abs(factor.mean() - expected) < 4.0 * factor.std() / math.sqrt(DRAWS)
    factors, weights = drivers.cost_factor_law("A&D")
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ factors == pytest.approx(expected, rel=1e-12)


def test_fixed_deviation_is_a_fixed_factor() -> None:
    drivers = resolve(entity_effect={"distribution": "fixed", "value": 0.03})
    values = drivers.draw(SEED, 0, 5)
    assert values["entity_effect"].tolist() == [0.03] * 5
    assert drivers.cost_factor(values, "A&D") == pytest.approx(np.full(5, math.exp(0.03)))
    factors, weights = drivers.cost_factor_law("A&D")
    assert factors == pytest.approx([math.exp(0.03)], rel=1e-14)
    assert weights.tolist() == [1.0]


def test_student_t_is_cut_where_it_says() -> None:
    heavy = {"distribution": "student_t", "scale": 0.001, "degrees_of_freedom": 3}
    law = resolve(regional_trend=heavy).laws["regional_trend"]
    # Quantile of Student t with 3 degrees of freedom at 1 - 1e-9, from its closed-form tail
    # 1 - F(t) = (2 / (3 pi)) * (t / sqrt 3)^-3 * (1 + O(t^-2)).
    quantile = math.sqrt(3.0) * (2.0 / (3.0 * math.pi * 1e-9)) ** (1.0 / 3.0)
    ends = law.at(np.array([-9.0, 9.0]))
    assert ends == pytest.approx([-0.001 * quantile, 0.001 * quantile], rel=1e-4)


def test_discrete_probabilities_and_dropped_zeros() -> None:
    model = {
        "distribution": "discrete",
        "values": [1.0, 0.5, 0.8],
        "probabilities": [0.6, 0.0, 0.4],
    }
    values = resolve(quality_score=model).draw(SEED, 0, DRAWS)["quality_score"]
    assert set(values) == {0.8, 1.0}
    assert abs(np.mean(values == 1.0) - 0.6) < 4.0 * math.sqrt(0.24 / DRAWS)


def test_uniforms_are_the_drivers_own_address() -> None:
    values = resolve(regional_trend=normal(0.02)).draw(SEED, 7, 100)["regional_trend"]
    expected = 0.02 * ndtri(uniforms(SEED, 7, 100, stream_of(2, "regional_trend")))
    assert np.array_equal(values, expected)


# --- draws ------------------------------------------------------------------------------------

ALL_KINDS = {
    "national_trend": LAWS["student_t"][0],
    "national_trend_esrd": LAWS["triangular"][0],
    "regional_trend": LAWS["lognormal"][0],
    "entity_effect": LAWS["normal"][0],
    "quality_score": {"distribution": "beta", "alpha": 8.0, "beta": 2.0},
    "completion": {"distribution": "lognormal", "cv": 0.01},
    "pandemic": {"distribution": "shock", "probability": 0.1, "size": -0.1, "recovery": 0.5},
    "ci_sep_missed": {"distribution": "bernoulli", "probability": 0.1},
    "reference_population_drift": normal(0.01, 1.0),
    "coding_factor": {"distribution": "triangular", "low": 0.99, "mode": 1.0, "high": 1.01},
    "health_equity_months": normal(0.03, 1.0),
    "early_exit": {"distribution": "bernoulli", "probability": 0.03},
    "raw_risk_score": normal(0.03, 1.0),
    "correlation": correlation(
        ["completion", "national_trend", "entity_effect"],
        [1.0, 0.3, 0.0],
        [0.3, 1.0, -0.5],
        [0.0, -0.5, 1.0],
    ),
}


def test_more_draws_extend_the_first_ones() -> None:
    drivers = resolve(**ALL_KINDS)
    short, long = drivers.draw(SEED, 0, 1000), drivers.draw(SEED, 0, 2000)
    rest = drivers.draw(SEED, 1000, 1000)
    assert tuple(long) == DRIVER_NAMES
    for name in DRIVER_NAMES:
        assert np.array_equal(long[name], np.concatenate([short[name], rest[name]]))


def test_another_driver_changes_nobody_elses_draw() -> None:
    few = resolve(regional_trend=normal(0.02), quality_score=ALL_KINDS["quality_score"])
    many = resolve(**ALL_KINDS | {"regional_trend": normal(0.02)})
    a, b = few.draw(SEED, 0, 500), many.draw(SEED, 0, 500)
    assert np.array_equal(a["regional_trend"], b["regional_trend"])
    assert np.array_equal(a["quality_score"], b["quality_score"])


def test_seeds_differ() -> None:
    drivers = resolve(regional_trend=normal(0.02))
    first = drivers.draw(1, 0, 100)["regional_trend"]
    assert not np.any(first == drivers.draw(2, 0, 100)["regional_trend"])


def test_what_is_left_out_does_nothing() -> None:
    drivers = resolve()
    values = drivers.draw(SEED, 0, 3)
    assert drivers.names == ("quality_score", "completion", "high_performers_bonus")
    for array in (
        drivers.cost_factor(values, "A&D"),
        drivers.trend_ratio(values, "ESRD"),
        drivers.quality(values),
        drivers.completion(values),
    ):
        assert array.tolist() == [1.0, 1.0, 1.0]
    factors, weights = drivers.cost_factor_law("A&D")
    assert (factors.tolist(), weights.tolist()) == ([1.0], [1.0])


def test_esrd_shares_the_national_draw_unless_it_has_its_own() -> None:
    shared = resolve(national_trend=normal(0.04), regional_trend=normal(0.01))
    values = shared.draw(SEED, 0, 100)
    assert np.array_equal(shared.trend_ratio(values, "ESRD"), shared.trend_ratio(values, "A&D"))

    own = resolve(
        national_trend=normal(0.04), national_trend_esrd=normal(0.02), regional_trend=normal(0.01)
    )
    values = own.draw(SEED, 0, 100)
    regional = np.exp(values["regional_trend"] - 0.01**2 / 2)
    esrd = np.exp(values["national_trend_esrd"] - 0.02**2 / 2)
    assert own.trend_ratio(values, "ESRD") == pytest.approx(esrd, rel=1e-13)
    assert own.cost_factor(values, "ESRD") == pytest.approx(esrd * regional, rel=1e-13)
    national = np.exp(values["national_trend"] - 0.04**2 / 2)
    assert own.cost_factor(values, "A&D") == pytest.approx(national * regional, rel=1e-13)


def test_factors_leave_the_values_alone() -> None:
    drivers = resolve(**ALL_KINDS)
    values = drivers.draw(SEED, 0, 50)
    kept = {name: value.copy() for name, value in values.items()}
    drivers.cost_factor(values, "A&D")
    drivers.trend_ratio(values, "ESRD")
    assert all(np.array_equal(values[name], kept[name]) for name in values)


# --- copula -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.5])
def test_normal_drivers_have_the_given_correlation(rho: float) -> None:
    drivers = resolve(
        national_trend=normal(0.04),
        entity_effect=normal(0.03),
        correlation=correlation(["entity_effect", "national_trend"], [1.0, rho], [rho, 1.0]),
    )
    values = drivers.draw(SEED, 0, DRAWS)
    found = np.corrcoef(values["national_trend"], values["entity_effect"])[0, 1]
    assert abs(found - rho) < 4.0 * (1.0 - rho**2) / math.sqrt(DRAWS)
    assert_moments(values["entity_effect"], 0.0, 0.03)


def test_copula_keeps_the_marginals_and_sets_the_rank_correlation() -> None:
    rho = 0.6
    model = {
        "quality_score": {"distribution": "beta", "alpha": 2.0, "beta": 0.5},
        "national_trend": LAWS["student_t"][0],
    }
    names = ["national_trend", "quality_score"]
    drivers = resolve(**model, correlation=correlation(names, [1.0, rho], [rho, 1.0]))
    values = drivers.draw(SEED, 0, DRAWS)
    assert_moments(values["quality_score"], 0.8, math.sqrt(2.0 * 0.5 / (2.5**2 * 3.5)))
    ranks = [np.argsort(np.argsort(values[name])) for name in names]
    # Spearman's correlation of a Gaussian copula; its standard error is below 1/sqrt(n).
    spearman = 6.0 / math.pi * math.asin(rho / 2.0)
    assert abs(np.corrcoef(*ranks)[0, 1] - spearman) < 4.0 / math.sqrt(DRAWS)


def test_semidefinite_correlation_is_allowed() -> None:
    names = ["national_trend", "regional_trend", "entity_effect"]
    drivers = resolve(
        **dict.fromkeys(names, normal(0.02)),
        correlation=correlation(names, [1, -1, 0.6], [-1, 1, -0.6], [0.6, -0.6, 1]),
    )
    values = drivers.draw(SEED, 0, DRAWS)
    assert values["regional_trend"] == pytest.approx(-values["national_trend"], abs=1e-15)
    found = np.corrcoef(values["national_trend"], values["entity_effect"])[0, 1]
    assert abs(found - 0.6) < 4.0 * 0.64 / math.sqrt(DRAWS)


def test_order_of_the_matrix_does_not_matter() -> None:
    models = {"national_trend": normal(0.04), "entity_effect": normal(0.03)}
    matrix = [[1.0, 0.4], [0.4, 1.0]]
    one = resolve(**models, correlation=correlation(list(models), *matrix))
    other = resolve(**models, correlation=correlation(list(models)[::-1], *matrix))
    a, b = one.draw(SEED, 0, 100), other.draw(SEED, 0, 100)
    assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("names", "matrix", "sentence"),
    [
        (["a"], [[1.0, 0.0]], "must have one row and one column for each of the 1 drivers"),
        (["a", "b"], [[1.0, 0.5]], "must have one row and one column for each of the 2 drivers"),
        (["a", "b"], [[1.0, 0.5], [0.5, 0.9]], r"matrix\[1\]\[1\]: must have 1 on the diagonal"),
        (["a", "b"], [[1.0, 0.5], [0.4, 1.0]], r"must be symmetric, but its mirror \[0\]\[1\] is"),
        (["a", "b"], [[1.0, 1.2], [1.2, 1.0]], "must be a correlation between -1 and 1"),
        (["a", "b"], [[1.0, math.nan], [math.nan, 1.0]], "must be a correlation between -1 and 1"),
        (["a", "a"], [[1.0, 0.5], [0.5, 1.0]], r"names a driver for the second time \(given 'a'\)"),
        (
            ["a", "b", "c"],
            [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]],
            r"positive semidefinite: .* contradict each other \(smallest eigenvalue -0.8\)",
        ),
    ],
)
def test_broken_matrices_are_refused(
    names: list[str], matrix: list[list[float]], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        check_correlation(names, matrix)


def test_correlation_of_a_driver_that_is_off_is_refused() -> None:
    with pytest.raises(InputError, match=r"not in the scenario; .*did you mean 'national_trend'"):
        resolve(
            national_trend=normal(0.04),
            regional_trend=normal(0.04),
            correlation=correlation(["nationl_trend", "regional_trend"], [1, 0], [0, 1]),
        )


# --- the law of the cost factor ---------------------------------------------------------------


def normal_factor_moment(power: int, variance: float) -> float:
    """E of factor^power for exp(x - variance / 2), x normal."""
    return math.exp(variance * power * (power - 1) / 2.0)


def test_law_of_independent_normals() -> None:
    drivers = resolve(
        national_trend=normal(0.04), regional_trend=normal(0.0125), entity_effect=normal(0.2, 0.01)
    )
    factors, weights = drivers.cost_factor_law("A&D")
    variance = 0.04**2 + 0.0125**2 + 0.2**2
    assert np.all(weights > 0.0)
    assert len(factors) <= 16
    for power in (0, 1, 2, 3, -1):
        expected = normal_factor_moment(power, variance) * math.exp(0.01 * power)
        assert weights @ factors**power == pytest.approx(expected, rel=1e-12)


def test_law_of_correlated_normals() -> None:
    rho = 0.7
    drivers = resolve(
        national_trend=normal(0.04),
        entity_effect=normal(0.1),
        correlation=correlation(["national_trend", "entity_effect"], [1, rho], [rho, 1]),
    )
    factors, weights = drivers.cost_factor_law("ESRD")
    covariance = rho * 0.04 * 0.1
    variance = 0.04**2 + 0.1**2 + 2.0 * covariance
    for power in (1, 2, 3):
        expected = normal_factor_moment(power, variance) * math.exp(covariance * power)
        assert weights @ factors**power == pytest.approx(expected, rel=1e-12)


def test_law_of_a_discrete_driver_is_its_atoms() -> None:
    factors, weights = resolve(entity_effect=LAWS["discrete"][0]).cost_factor_law("A&D")
    mean = 0.25 * math.exp(0.05) + 0.75 * math.exp(-0.03)
    # exp(x - k) with k such that the mean is exp(-0.01)
    expected = np.exp([-0.03, 0.05]) * (math.exp(-0.01) / mean)
    assert factors == pytest.approx(expected, rel=1e-12)
    assert weights == pytest.approx([0.75, 0.25], rel=1e-12)


def test_law_of_a_discrete_driver_correlated_with_a_normal_one() -> None:
    rho, sd = 0.5, 0.1
    drivers = resolve(
        regional_trend=LAWS["discrete"][0],
        entity_effect=normal(sd),
        correlation=correlation(["regional_trend", "entity_effect"], [1, rho], [rho, 1]),
    )
    factors, weights = drivers.cost_factor_law("A&D")
    # E exp(sd Z - sd^2 / 2) where the discrete score exceeds t is Phi(rho sd - t).
    above = ndtr(rho * sd - ndtri(0.75))
    low, high = np.exp([-0.03, 0.05])
    shift = math.exp(-0.01) / (0.75 * low + 0.25 * high)
    expected = shift * (low * (1.0 - above) + high * above)
    assert weights @ factors == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("category", ["A&D", "ESRD"])
def test_law_agrees_with_the_draws(category: str) -> None:
    drivers = resolve(**ALL_KINDS)
    factors, weights = drivers.cost_factor_law(category)
    drawn = drivers.cost_factor(drivers.draw(SEED, 0, DRAWS), category)
    mean = weights @ factors
    assert_moments(drawn, mean, math.sqrt(weights @ (factors - mean) ** 2))


# --- ranges -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "model", "sentence"),
    [
        ("national_trend", {"distribution": "fixed", "value": 2.0}, r"fraction \(4% is 0.04\)"),
        (
            "regional_trend",
            normal(0.04, 1.0),
            r"fraction \(4% is 0.04\) \(given mean = 1, sd = 0.04\)",
        ),
        (
            "entity_effect",
            normal(4.0),
            r"must stay within a factor of 148; .*given mean = 0, sd = 4\)",
        ),
        (
            "entity_effect",
            {"distribution": "student_t", "scale": 0.03, "degrees_of_freedom": 2},
            "raise the degrees of freedom",
        ),
        (
            "national_trend",
            {"distribution": "lognormal", "mean": 0.02, "cv": 0.02},
            "lognormal cost driver is the cost factor itself, around 1",
        ),
        ("quality_score", normal(5.0, 90.0), r"between 0 and 1, written as a fraction \(90% is"),
        ("quality_score", {"distribution": "fixed", "value": 90.0}, "between 0 and 1"),
        ("quality_score", {"distribution": "fixed", "value": -0.01}, "between 0 and 1"),
        (
            "quality_score",
            {"distribution": "beta", "alpha": 1.0, "beta": 2.0, "low": -0.01},
            "between 0 and 1",
        ),
        (
            "quality_score",
            {"distribution": "triangular", "low": 0.5, "mode": 0.9, "high": 1.1},
            "between 0 and 1",
        ),
        (
            "quality_score",
            {"distribution": "discrete", "values": [0.9, 1.01], "probabilities": [0.5, 0.5]},
            r"between 0 and 1.*given values from 0.9 to 1.01",
        ),
        ("completion", {"distribution": "fixed", "value": 0.0}, "always above 0"),
        ("completion", normal(0.4, 1.0), "always above 0"),
        ("completion", normal(0.01, 0.02), "a median between 0.5 and 2"),
    ],
)
def test_values_a_driver_cannot_take_are_refused(
    driver: str, model: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        resolve(**{driver: model})
    assert refused.value.problems[0].path == f"drivers.{driver}"


def test_quality_score_is_clipped_and_says_so() -> None:
    drivers = resolve(quality_score=normal(0.2, 0.9))
    values = drivers.draw(SEED, 0, DRAWS)["quality_score"]
    assert values.min() >= 0.0
    assert values.max() == 1.0
    share = ndtr(-0.5)  # of the normal law above 1
    assert abs(np.mean(values == 1.0) - share) < 4.0 * math.sqrt(share * (1 - share) / DRAWS)
    (assumption,) = drivers.assumptions
    assert assumption.subject == "driver quality_score"
    assert "moved to 0 or 1" in assumption.statement


def test_quality_score_inside_the_range_needs_no_clipping() -> None:
    assert resolve(quality_score=normal(0.01, 0.89)).assumptions == ()
    for edge in (0.0, 1.0):
        assert resolve(quality_score={"distribution": "fixed", "value": edge}).assumptions == ()


# --- files ------------------------------------------------------------------------------------


def test_empirical_values_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("entity,score\nD1,0.8\nD2,1.0\n\n", encoding="utf-8")
    model = {"distribution": "empirical", "file": "scores.csv", "column": "score"}
    values = resolve(quality_score=model, base_dir=tmp_path).draw(SEED, 0, 1000)
    assert set(values["quality_score"]) == {0.8, 1.0}


@pytest.mark.parametrize(
    ("text", "column", "sentence"),
    [
        ("a,b\n1,2\n", None, r"must name a column of x.csv, which has a, b\."),
        ("score,b\n1,2\n", "scores", r"given 'scores'\); did you mean 'score'\?"),
        ("a\n", "a", r"quality_score.file: column 'a' of x.csv is empty"),
        ("", "a", "must name a column of x.csv, which has none"),
        ("a\n1\nnan\n", "a", r"line 3 of x.csv must hold a finite number in 'a' \(given 'nan'\)"),
        ("a\ninf\n", "a", r"line 2 of x.csv must hold a finite number in 'a' \(given 'inf'\)"),
        ("b,a\n1,2\n3\n", "a", r"line 3 of x.csv must hold a finite number in 'a' \(given ''\)"),
    ],
)
def test_broken_files_are_refused(
    tmp_path: Path, text: str, column: str | None, sentence: str
) -> None:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    model = {"distribution": "empirical", "file": "x.csv", "column": column}
    with pytest.raises(InputError, match=sentence):
        resolve(quality_score=model, base_dir=tmp_path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    missing = {"distribution": "empirical", "file": "none.csv"}
    with pytest.raises(InputError, match=r"drivers.completion.file: cannot be read: No such file"):
        resolve(completion=missing, base_dir=tmp_path)


# --- defaults ---------------------------------------------------------------------------------

# Mean and standard deviation of gross savings over final benchmark, per cent, as in the CMS
# public use files of the year before; None where fewer than two entities were published.
PUBLISHED = {
    ("standard", "global"): [(2.3, 4.0), (4.3, 4.9), (3.7, 6.3)],
    ("standard", "professional"): [(1.8, 4.6), (1.0, 5.3), (0.7, 5.6)],
    ("new_entrant", "global"): [(1.8, 15.3), (6.6, 12.6), (5.4, 7.3)],
    ("new_entrant", "professional"): [(4.0, 11.1), (5.5, 10.7), (11.6, 13.5)],
    ("high_needs", "global"): [(7.2, 7.8), (16.1, 10.2), (14.9, 10.4)],
    ("high_needs", "professional"): [(9.3, 23.1), (7.4, 6.9), None],
}


# Median aligned beneficiaries by year of results (calculated from the public use files).
MEDIAN_SIZE = {
    "standard": {2021: 7200, 2022: 12300, 2023: 10300},
    "new_entrant": {2021: 2000, 2022: 2000, 2023: 2000},
    "high_needs": {2021: 295, 2022: 634, 2023: 1279},
}


@pytest.mark.parametrize("kind", PUBLISHED)
@pytest.mark.parametrize("year", [2022, 2023, 2024, 2026])
def test_entity_effect_is_what_the_published_spread_leaves(
    kind: tuple[str, str], year: int
) -> None:
    entity_type, option = kind
    published = PUBLISHED[kind][: year - 2021]
    mean, sd = (figure / 100.0 for figure in [row for row in published if row][-1])
    prior = expected_savings_rate(entity_type, option, year)
    assert (prior.mean, prior.sd) == pytest.approx((mean, sd), rel=1e-12)

    noise, regional = 0.014, 0.0125
    drivers = resolve(
        entity_type=entity_type,
        option=option,
        year=year,
        person_cv=noise * math.sqrt(MEDIAN_SIZE[entity_type][prior.evidence_year]),
        entity_effect=DEFAULT,
        regional_trend=normal(regional),
    )
    law = drivers.laws["entity_effect"]
    expected = math.sqrt((sd / (1.0 - mean)) ** 2 - noise**2 - regional**2)
    assert law.mean == pytest.approx(0.0, abs=1e-15)
    assert law.sd == pytest.approx(expected, rel=1e-12)


def test_spread_of_savings_adds_up_to_the_published_one() -> None:
    """Variance is counted once: region, people and entity together give 4.0% of the benchmark."""
    noise = 0.02
    drivers = resolve(
        entity_effect=DEFAULT, regional_trend=DEFAULT, person_cv=noise * math.sqrt(7200)
    )
    factors, weights = drivers.cost_factor_law("A&D")
    variance_of_log = weights @ np.log(factors) ** 2 - (weights @ np.log(factors)) ** 2
    mean_cost = 1.0 - 0.023  # over the final benchmark
    assert mean_cost * math.sqrt(variance_of_log + noise**2) == pytest.approx(0.04, rel=1e-12)


def test_quality_has_its_part_of_the_spread() -> None:
    score = {"distribution": "discrete", "values": [0.6, 1.0], "probabilities": [0.5, 0.5]}
    drivers = resolve(year=2024, entity_effect=DEFAULT, quality_score=score)
    # 2023: withhold 2%, published 3.7% and 6.3%; the score has a standard deviation of 0.2.
    expected = math.sqrt((0.063 / 0.963) ** 2 - (0.02 * 0.2) ** 2)
    assert drivers.laws["entity_effect"].sd == pytest.approx(expected, rel=1e-12)


def test_nothing_is_left_when_people_vary_more_than_entities() -> None:
    drivers = resolve(entity_effect=DEFAULT, person_cv=0.05 * math.sqrt(7200))
    assert drivers.draw(SEED, 0, 10)["entity_effect"].tolist() == [0.0] * 10
    assert "nothing is left of the published spread" in drivers.assumptions[0].statement


def test_the_reader_sees_the_subtraction() -> None:
    drivers = resolve(
        entity_effect=DEFAULT,
        regional_trend=DEFAULT,
        quality_score=DEFAULT,
        person_cv=0.014 * math.sqrt(7200),
        correlation=correlation(["entity_effect", "regional_trend"], [1, 0.2], [0.2, 1]),
    )
    told = {assumption.subject: assumption for assumption in drivers.assumptions}
    assert list(told) == ["driver regional_trend", "driver quality_score", "driver entity_effect"]
    effect = told["driver entity_effect"]
    assert effect.statement == (
        "normal on the log scale, mean 0, sd 3.64% = sqrt(4.09% squared published spread less "
        "1.25% squared regional trend less 0% squared quality less 1.4% squared person-level "
        "noise at their median size of 7,200); 22 Standard Global entities in 2021 saved 2.3% of "
        "their final benchmark on average, with a standard deviation of 4% between entities, which "
        "is 4.09% of their cost; "
        "the correlations that the scenario gives it come on top"
    )
    assert effect.source.startswith("CMS, ACO REACH Financial and Quality Results")


@pytest.mark.parametrize(
    ("driver", "year", "ratios"),
    [
        ("national_trend", 2021, []),
        ("national_trend", 2022, [0.9491]),
        ("national_trend", 2023, [0.9491, 0.9472]),
        ("national_trend", 2025, [0.9491, 0.9472, 0.9667]),
        ("national_trend_esrd", 2022, [0.988]),
        ("national_trend_esrd", 2024, [0.988, 0.972, 0.9667]),
    ],
)
def test_trend_rests_on_the_deviations_known_before(
    driver: str, year: int, ratios: list[float]
) -> None:
    drivers = resolve(year=year, **{driver: DEFAULT})
    squares = [0.016**2, *(math.log(ratio) ** 2 for ratio in ratios)]
    assert drivers.laws[driver].sd == pytest.approx(math.sqrt(statistics.fmean(squares)), rel=1e-12)
    statement = drivers.assumptions[0].statement
    assert all(f" in {2021 + i}" in statement for i in range(len(ratios)))
    assert f" in {2021 + len(ratios)}" not in statement


def test_quality_scores_of_each_year() -> None:
    everyone = resolve(quality_score=DEFAULT).laws["quality_score"]
    assert (everyone.mean, everyone.sd) == (1.0, 0.0)

    scored = resolve(year=2023, entity_type="high_needs", quality_score=DEFAULT)
    assert scored.laws["quality_score"].mean == pytest.approx(0.99)  # FS 2022: 99.0%

    for entity_type, mean, sd in [
        ("standard", 0.792, 0.215),
        ("new_entrant", 0.732, 0.200),
        ("high_needs", 0.867, 0.167),
    ]:
        spread = resolve(year=2024, entity_type=entity_type, quality_score=DEFAULT)
        values = spread.draw(SEED, 0, DRAWS)["quality_score"]
        assert_moments(values, mean, sd)
        assert values.min() >= 0.0
        assert values.max() <= 1.0


def test_completion_is_not_uncertain_by_default() -> None:
    drivers = resolve(completion=DEFAULT)
    assert drivers.draw(SEED, 0, 2)["completion"].tolist() == [1.0, 1.0]
    assert "no source states" in drivers.assumptions[0].statement


# --- evidence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["entity_effect", "regional_trend", "quality_score"])
def test_the_first_year_has_nothing_to_rest_on(driver: str) -> None:
    sentence = (
        rf"drivers\.{driver}: no default exists for performance year 2021: .* rests only on "
        r"evidence from earlier years, and the first is of 2021; state a distribution of your own\."
    )
    with pytest.raises(InputError, match=sentence):
        resolve(year=2021, **{driver: DEFAULT})


def test_the_long_run_trend_is_older_than_the_first_year() -> None:
    (assumption,) = resolve(year=2021, national_trend=DEFAULT).assumptions
    assert "1.6% long-run standard deviation of spending growth (2007-2018)" in assumption.statement
    with pytest.raises(InputError, match="the first is of 2018"):
        resolve(year=2018, national_trend=DEFAULT)


@pytest.mark.parametrize("kind", PUBLISHED)
@pytest.mark.parametrize("year", range(2022, 2028))
def test_priors_are_older_than_the_year_they_serve(kind: tuple[str, str], year: int) -> None:
    prior = expected_savings_rate(*kind, year)
    assert prior.evidence_year < year
    assert prior.entities >= 2
    assert f"{prior.entities} " in prior.sentence
    assert f" in {prior.evidence_year} saved" in prior.sentence


def test_unknown_priors_are_refused() -> None:
    with pytest.raises(InputError, match="no default exists for performance year 2021"):
        expected_savings_rate("standard", "global", 2021)
    with pytest.raises(InputError, match="did you mean 'professional'"):
        expected_savings_rate("standard", "profesional", 2022)
    with pytest.raises(InputError, match="there are high_needs, new_entrant, standard"):
        expected_savings_rate("hospital", "global", 2022)


@pytest.mark.parametrize("name", ["savings_rate", "quality_score", "trend", "completion"])
def test_every_prior_has_a_source_and_a_confidence(name: str) -> None:
    table = load_priors(name)
    if name == "trend":
        figures = [table["long_run"], table["regional"], *table["realised"]]
    else:
        figures = [table]
    levels = {"official", "proven", "secondary", "inferred", "conflicting", "assumption"}
    assert all(figure["source"] for figure in figures)
    assert {figure["confidence"] for figure in figures} <= levels


def test_priors_of_2022_follow_from_the_published_rows() -> None:
    with published("gpdc_results_py2022.csv").open(newline="", encoding="utf-8") as stream:
        rows = [{key.lower(): cell for key, cell in row.items()} for row in csv.DictReader(stream)]

    def kind(row: dict[str, str]) -> str:
        return row["aco_type"].lower().replace(" ", "_")

    for entity_type, option in PUBLISHED:
        rates = [
            float(row["gross_savings"]) / float(row["final_benchmark"])
            for row in rows
            if (kind(row), row["risk_arrangement"].lower()) == (entity_type, option)
        ]
        prior = expected_savings_rate(entity_type, option, 2023)
        assert prior.entities == len(rates)
        assert prior.mean == pytest.approx(statistics.fmean(rates), abs=0.0005)
        assert prior.sd == pytest.approx(statistics.stdev(rates), abs=0.0005)

        counted = Counter(float(row["qual_scr"]) / 100 for row in rows if kind(row) == entity_type)
        scores = load_priors("quality_score")["evidence"][1][entity_type]
        assert dict(zip(scores["scores"], scores["entities"], strict=True)) == dict(counted)
