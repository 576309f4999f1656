"""Severity: closed forms against quadrature, published figures, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import TypeAdapter
from scipy import integrate, special, stats

from simdc.errors import InputError
from simdc.scenario import models
from simdc.severity import (
    FITTED_C,
    Severity,
    build_severity,
    conditional_cv,
    empirical,
    from_concentration,
    from_cv,
    gamma,
    generalised_gamma,
    implied_risk_cv,
    lognormal,
    pareto_splice,
    risk_cv,
    weibull,
)

# Shares of fee-for-service spending, ages 65 and over, 2007-18: EClinicalMedicine (The Lancet),
# PIIS2589-5370(21)00153-X.
PUBLISHED = {0.01: 0.149, 0.05: 0.415, 0.10: 0.600, 0.20: 0.791, 0.50: 0.957}
AS_IN_SCENARIO = {f"top_{round(100 * part)}": share for part, share in PUBLISHED.items()}

FAMILIES = {
    "generalised gamma": generalised_gamma(0.488, 0.693),
    "generalised gamma with zeros": generalised_gamma(0.488, 0.693, 0.05),
    "weibull": weibull(0.536, 0.08),
    "gamma": gamma(0.219, 0.03),
    "narrow gamma": gamma(5.0, 0.1),
    "lognormal": lognormal(1.3, 0.07),
    "splice": pareto_splice(generalised_gamma(0.488, 0.693), 0.01, 2.5, 0.05),
    "heavy splice": pareto_splice(lognormal(1.3), 0.03, 1.8),
}
EMPIRICAL = empirical(
    np.where(
        np.random.default_rng(5).random(20_011) < 0.07,
        0.0,
        np.random.default_rng(6).lognormal(9.0, 1.4, 20_011),
    )
)
ALL = {**FAMILIES, "empirical": EMPIRICAL}

every_family = pytest.mark.parametrize("severity", ALL.values(), ids=ALL.keys())
every_smooth_family = pytest.mark.parametrize("severity", FAMILIES.values(), ids=FAMILIES.keys())


def described(**table: object) -> models.Severity:
    """A severity table as a scenario would give it."""
    adapter: TypeAdapter[models.Severity] = TypeAdapter(models.Severity)
    return adapter.validate_python(table)


def built(tmp_path, **table: object) -> Severity:
    return build_severity(described(**table), tmp_path)


# --- the distribution -------------------------------------------------------------------------


@every_family
def test_mean_is_one(severity):
    assert_allclose(severity.mean_excess(0.0), 1.0, rtol=1e-13)
    assert_allclose(severity.top_share([0.0, 1.0]), [0.0, 1.0], atol=1e-13)


@every_smooth_family
@pytest.mark.parametrize("retention", [0.1, 1.0, 150 / 12, 250 / 12, 500 / 12])
def test_expected_payout_is_the_integral_of_the_survival_function(severity, retention):
    def integrand(log_excess: float) -> float:
        excess = math.exp(log_excess)
        return float(severity.sf(retention + excess)) * excess

    # A Pareto tail of index 1.8 leaves exp(-0.8 * 60) beyond the upper end.
    breaks = np.linspace(-40, 60, 51)
    parts = [
        integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-12, limit=200)[0]
        for a, b in pairwise(breaks)
        if integrand(a) > 0
    ]
    assert_allclose(severity.mean_excess(retention), math.fsum(parts), rtol=1e-10)


@every_smooth_family
def test_quantile_inverts_survival_down_to_two_to_the_minus_64(severity):
    v = 2.0 ** -np.arange(1.0, 65.0)
    assert_allclose(severity.sf(severity.isf(v)), v, rtol=1e-12)
    assert np.all(np.diff(severity.isf(v)) > 0)


@every_family
def test_zero_mass_sits_at_the_end(severity):
    some = 1 - severity.zero_probability
    assert_allclose(severity.sf(0.0), some, rtol=1e-14)
    assert severity.isf(some * (1 - 1e-9)) >= 0
    assert_allclose(severity.isf([some, min(1.0, some + 1e-9), 1.0]), 0.0)
    assert_allclose(severity.sf([-1.0, -1e-12]), 1.0)


@every_family
def test_payout_at_the_ends_of_retention(severity):
    assert_allclose(severity.mean_excess([-2.0, np.inf]), [3.0, 0.0])
    payout = severity.mean_excess(np.geomspace(1e-3, 1e3, 200))
    assert np.all(np.diff(payout) <= 0)
    assert np.all(payout >= 0)


@every_smooth_family
def test_share_of_the_costliest_is_the_integral_of_quantiles(severity):
    for part in (0.01, 0.2, 0.9):
        octaves = part * 2.0 ** -np.arange(0.0, 200.0)
        shares = [
            integrate.quad(severity.isf, low, high, epsabs=0, epsrel=1e-9, limit=200)[0]
            for high, low in pairwise(octaves)
        ]
        assert_allclose(severity.top_share(part), math.fsum(shares), rtol=1e-7)


def test_quantiles_that_can_be_written_down():
    v = np.array([0.9, 0.5, 1e-3, 1e-12, 2.0**-64])
    assert_allclose(gamma(1.0).isf(v), -np.log(v), rtol=1e-13)
    assert_allclose(
        weibull(0.5, 0.2).isf(v), np.where(v < 0.8, np.log(v / 0.8) ** 2 / 2 / 0.8, 0), rtol=1e-12
    )
    assert_allclose(lognormal(1.3).isf(v), np.exp(1.3 * stats.norm.isf(v) - 1.3**2 / 2), rtol=1e-12)
    x = np.array([0.0, 0.3, 5.0, 24.0])
    assert_allclose(gamma(2.0).sf(x), (1 + 2 * x) * np.exp(-2 * x), rtol=1e-13)
    # E[(X - r)+] of an exponential is its survival function.
    assert_allclose(gamma(1.0).mean_excess(x), np.exp(-x), rtol=1e-12)


def test_coefficient_of_variation_in_closed_form():
    def with_zeros(cv: float, zeros: float) -> float:
        return math.sqrt((1 + cv**2) / (1 - zeros) - 1)

    k = 0.515
    of_weibull = math.sqrt(special.gamma(1 + 2 / k) / special.gamma(1 + 1 / k) ** 2 - 1)
    assert weibull(k).cv == pytest.approx(of_weibull, rel=1e-12)
    assert gamma(0.25).cv == pytest.approx(2.0, rel=1e-12)
    assert gamma(0.25, 0.3).cv == pytest.approx(with_zeros(2.0, 0.3), rel=1e-12)
    assert lognormal(1.3).cv == pytest.approx(math.sqrt(math.exp(1.69) - 1), rel=1e-12)
    of_gengamma = stats.gengamma(0.488, 0.693).std() / stats.gengamma(0.488, 0.693).mean()
    assert generalised_gamma(0.488, 0.693).cv == pytest.approx(of_gengamma, rel=1e-9)


def test_generalised_gamma_contains_weibull_and_gamma():
    x = np.array([0.1, 1.0, 30.0])
    assert_allclose(generalised_gamma(1.0, 0.6).sf(x), weibull(0.6).sf(x))
    assert_allclose(generalised_gamma(0.4, 1.0).sf(x), gamma(0.4).sf(x))


# --- Pareto splice ----------------------------------------------------------------------------


def test_splice_is_pareto_above_and_the_body_below():
    body = gamma(0.25)
    severity = pareto_splice(body, 0.01, 2.5)
    threshold = float(severity.isf(0.01))
    assert_allclose(
        severity.sf(threshold * np.array([2.0, 1e6])), 0.01 * np.array([2.0, 1e6]) ** -2.5
    )
    below = np.array([0.011, 0.1, 0.7])
    assert_allclose(severity.isf(below) / threshold, body.isf(below) / body.isf(0.01), rtol=1e-12)
    just = severity.isf(0.01 * (1 + np.array([-1e-9, 1e-9])))
    assert_allclose(just, threshold, rtol=1e-8)


def test_splice_variance_is_infinite_from_index_two_down():
    body = gamma(0.25)
    assert pareto_splice(body, 0.01, 2.0).cv == math.inf
    assert math.isfinite(pareto_splice(body, 0.01, 2.01).cv)
    assert_allclose(pareto_splice(body, 0.01, 1.05).mean_excess(0.0), 1.0, rtol=1e-12)


def test_splice_probability_counts_the_whole_population():
    severity = pareto_splice(gamma(0.25), 0.01, 3.0, zero_probability=0.5)
    threshold = float(severity.isf(0.01))
    assert_allclose(severity.sf(2 * threshold), 0.01 / 8, rtol=1e-12)


# --- empirical --------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [30, 1_000, 20_000, 200_000])
def test_pooling_moves_payouts_by_little_against_their_sampling_error(people):
    costs = np.random.default_rng(people).gamma(0.25, 48_000, people)
    costs[: people // 20] = 0
    severity, multiples = empirical(costs), costs / costs.mean()
    for retention in (0.5, 2.0, 5.0, 12.5, 20.0):
        payouts = np.maximum(multiples - retention, 0)
        error = payouts.std() / math.sqrt(people)
        assert abs(float(severity.mean_excess(retention)) - payouts.mean()) <= 0.01 * error


def test_empirical_keeps_zeros_and_the_costliest_year():
    severity = empirical([0, 0, 10, 20, 90, 0, 0, 0, 0, 0])
    assert severity.zero_probability == pytest.approx(0.7)
    assert_allclose(severity.isf([2.0**-64, 1e-12, 0.09]), 90 / 12)
    assert_allclose(severity.isf([0.15, 0.25]), [20 / 12, 10 / 12])
    assert severity.mean_excess(90 / 12) == 0
    assert_allclose(severity.sf([90 / 12 - 1e-9, 90 / 12]), [0.1, 0.0], rtol=0.01)


def test_empirical_spread_is_that_of_the_costs():
    costs = np.random.default_rng(1).gamma(0.25, 1.0, 50_000)
    assert empirical(costs).cv == pytest.approx(costs.std() / costs.mean(), rel=1e-3)
    assert empirical([7.0]).cv == 0
    assert_allclose(empirical([7.0, 7.0]).isf([2.0**-64, 0.3, 0.99]), 1.0)


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        ([], "at least one cost"),
        ([0.0, 0.0], "not all be zero"),
        ([1.0, -1.0], "finite and not negative"),
        ([1.0, math.nan], "finite and not negative"),
        ([1.0, math.inf], "finite and not negative"),
    ],
)
def test_unusable_costs(costs, sentence):
    with pytest.raises(InputError, match=sentence):
        empirical(costs)


# --- fits -------------------------------------------------------------------------------------


def test_fit_to_published_shares():
    # Published fit: a = 0.488, c = 0.693, coefficient of variation 2.14.
    fit = from_concentration("generalised_gamma", PUBLISHED)
    assert fit.parameters["a"] == pytest.approx(0.488, abs=0.002)
    assert fit.parameters["c"] == pytest.approx(0.693, abs=0.002)
    assert fit.cv == pytest.approx(2.14, abs=0.01)
    assert_allclose(fit.top_share(list(PUBLISHED)), list(PUBLISHED.values()), atol=0.02)


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        ("generalised_gamma", {"a": 0.8, "c": 0.6}),
        ("weibull", {"shape": 0.515}),
        ("gamma", {"shape": 0.219}),
        ("lognormal", {"sigma": 1.37}),
    ],
)
def test_fit_recovers_the_distribution_the_shares_come_from(family, shapes):
    make = {f.__name__: f for f in (generalised_gamma, weibull, gamma, lognormal)}[family]
    truth = make(**shapes, zero_probability=0.05)
    parts = [0.01, 0.05, 0.10, 0.20, 0.50]
    fit = from_concentration(
        family, dict(zip(parts, truth.top_share(parts).tolist(), strict=True)), 0.05
    )
    assert fit.parameters == pytest.approx(shapes, rel=1e-5)


@pytest.mark.parametrize("zeros", [0.0, 0.2])
def test_shape_from_spread_in_closed_form(zeros):
    cv = 2.14
    square = (1 + cv**2) * (1 - zeros) - 1
    assert from_cv("gamma", cv, zeros).parameters["shape"] == pytest.approx(1 / square, rel=1e-9)
    sigma = math.sqrt(math.log(1 + square))
    assert from_cv("lognormal", cv, zeros).parameters["sigma"] == pytest.approx(sigma, rel=1e-9)
    for family in ("generalised_gamma", "weibull", "gamma", "lognormal"):
        assert from_cv(family, cv, zeros).cv == pytest.approx(cv, rel=1e-9)


def test_generalised_gamma_from_spread_keeps_one_shape():
    assert from_cv("generalised_gamma", 1.61).parameters["c"] == FITTED_C
    assert from_cv("generalised_gamma", 1.61, c=0.9).parameters["c"] == 0.9
    keeping_a = from_cv("generalised_gamma", 1.61, a=0.488)
    assert keeping_a.parameters["a"] == 0.488
    assert keeping_a.cv == pytest.approx(1.61, rel=1e-9)
    # The published shape again, from its own spread.
    again = from_cv("generalised_gamma", generalised_gamma(0.488, 0.693).cv)
    assert again.parameters["a"] == pytest.approx(0.488, rel=1e-8)


def test_variance_is_divided_between_risk_score_and_severity():
    # Coefficient of variation 2.14 with a share of 0.12 gives 0.74 and 1.61.
    assert risk_cv(2.14, 0.12) == pytest.approx(0.741, abs=5e-4)
    assert conditional_cv(2.14, 0.12) == pytest.approx(1.613, abs=5e-4)
    for share in (0.0, 0.12, 0.5, 0.99):
        product = (1 + risk_cv(2.14, share) ** 2) * (1 + conditional_cv(2.14, share) ** 2)
        assert product == pytest.approx(1 + 2.14**2, rel=1e-13)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: gamma(0.0), "shape must be a finite number above 0"),
        (lambda: weibull(math.nan), "shape must be a finite number above 0"),
        (lambda: lognormal(math.inf), "sigma must be a finite number above 0"),
        (lambda: generalised_gamma(1.0, -1.0), "c must be a finite number above 0"),
        (lambda: gamma(1.0, 1.0), "zero_probability must be at least 0 and below 1"),
        (lambda: gamma(1.0, -0.1), "zero_probability must be at least 0 and below 1"),
        (lambda: pareto_splice(gamma(1.0), 0.0, 2.5), "splice_probability must be above 0"),
        (lambda: pareto_splice(gamma(1.0), 0.9, 2.5, 0.1), "below the probability of any cost"),
        (lambda: pareto_splice(gamma(1.0), 0.1, 1.0), "tail_index must be above 1"),
        (lambda: pareto_splice(gamma(1.0, 0.1), 0.1, 2.5), "state it for the splice"),
        (lambda: from_cv("gamma", 0.0), "finite number above 0"),
        (lambda: from_cv("gamma", math.inf), "finite number above 0"),
        (lambda: from_cv("gamma", 0.4, 0.2), "must lie between 0.5"),
        (lambda: from_cv("lognormal", 1e30), "must lie between"),
        (lambda: from_cv("generalised_gamma", 2.0, a=1.0, c=1.0), "settles one shape"),
        (lambda: from_cv("weibull", 2.0, shape=1.0), "settles one shape"),
        (lambda: risk_cv(2.14, 1.0), "risk_share must be at least 0 and below 1"),
        (lambda: conditional_cv(-1.0, 0.1), "total_cv must be a finite number above 0"),
        (lambda: from_concentration("generalised_gamma", {0.01: 0.15}), "needs at least 2"),
        (lambda: from_concentration("gamma", {}), "needs at least 1"),
        (lambda: from_concentration("gamma", {0.0: 0.1}), "above 0 and below 1"),
        (lambda: from_concentration("gamma", {0.01: 0.005}), "no population has these shares"),
        (lambda: from_concentration("gamma", {0.01: 0.4, 0.05: 0.3}), "no population"),
        (lambda: from_concentration("gamma", {0.01: 0.1, 0.05: 0.9}), "no population"),
        (lambda: from_concentration("gamma", {0.01: math.nan}), "no population"),
    ],
)
def test_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


# --- as a scenario describes it ---------------------------------------------------------------


def test_described_by_shapes(tmp_path):
    severity = built(
        tmp_path, distribution="generalised_gamma", a=0.488, c=0.693, zero_probability=0.05
    )
    assert_allclose(severity.isf(1e-6), generalised_gamma(0.488, 0.693, 0.05).isf(1e-6))
    assert "a = 0.488" in severity.description


def test_described_by_total_spread(tmp_path):
    given = {"distribution": "gamma", "total_cv": 2.14, "risk_share": 0.12}
    assert built(tmp_path, **given).cv == pytest.approx(1.6127, abs=1e-4)
    assert implied_risk_cv(described(**given)) == pytest.approx(0.7413, abs=1e-4)
    assert implied_risk_cv(described(distribution="gamma", cv=1.6)) is None


def test_described_by_published_shares(tmp_path):
    given = {"distribution": "generalised_gamma", "concentration": AS_IN_SCENARIO}
    total = built(tmp_path, **given)
    assert total.cv == pytest.approx(2.14, abs=0.01)
    given["risk_share"] = 0.12
    conditional = built(tmp_path, **given)
    assert conditional.cv == pytest.approx(conditional_cv(total.cv, 0.12), rel=1e-9)
    assert conditional.parameters["c"] == pytest.approx(total.parameters["c"], rel=1e-12)
    assert implied_risk_cv(described(**given)) == pytest.approx(risk_cv(total.cv, 0.12), rel=1e-12)


def test_described_splice(tmp_path):
    given = {"distribution": "pareto_splice", "splice_probability": 0.01, "tail_index": 3.0}
    stated = built(tmp_path, **given, body={"distribution": "weibull", "shape": 0.6})
    assert_allclose(stated.isf(1e-4), pareto_splice(weibull(0.6), 0.01, 3.0).isf(1e-4))
    for body in ({"distribution": "weibull"}, {"distribution": "generalised_gamma", "a": 0.5}):
        solved = built(tmp_path, **given, body=body, cv=2.0, zero_probability=0.05)
        assert solved.cv == pytest.approx(2.0, rel=1e-9)


def test_described_by_file(tmp_path):
    (tmp_path / "costs.csv").write_text("cost\n0\n10\n20\n90\n")
    severity = built(tmp_path, distribution="empirical", file="costs.csv")
    assert severity.zero_probability == 0.25
    assert_allclose(severity.isf(1e-9), 3.0)
    (tmp_path / "two.csv").write_text("id,cost\na,5\nb,15\n")
    named = built(tmp_path, distribution="empirical", file="two.csv", column="cost")
    assert_allclose(named.isf([0.2, 0.8]), [1.5, 0.5])


BODY = {"distribution": "gamma", "shape": 0.25}
SPLICE = {"distribution": "pareto_splice", "splice_probability": 0.01, "tail_index": 3.0}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"distribution": "gamma"}, "needs exactly one of: 'shape'; 'cv'"),
        ({"distribution": "generalised_gamma", "a": 0.5}, "exactly one of: 'a' and 'c'"),
        ({"distribution": "gamma", "shape": 1.0, "cv": 1.0}, "needs exactly one of"),
        (
            {"distribution": "gamma", "shape": 1.0, "total_cv": 2.0, "risk_share": 0.1},
            "exactly one",
        ),
        ({"distribution": "gamma", "cv": 1.0, "concentration": {"top_1": 0.15}}, "exactly one"),
        (
            {"distribution": "generalised_gamma", "a": 0.5, "concentration": AS_IN_SCENARIO},
            "exactly one of",
        ),
        ({"distribution": "gamma", "cv": 1.0, "total_cv": 2.0}, "exclude each other"),
        ({"distribution": "gamma", "total_cv": 2.0}, "'total_cv' needs 'risk_share'"),
        ({"distribution": "gamma", "shape": 1.0, "risk_share": 0.1}, "'risk_share' goes with"),
        ({"distribution": "gamma", "cv": 1.0, "risk_share": 0.1}, "'risk_share' goes with"),
        ({"distribution": "gamma", "total_cv": 2.0, "risk_share": 1.0}, "below 1"),
        ({**SPLICE, "body": {**BODY, "zero_probability": 0.1}}, "not in its body"),
        ({**SPLICE, "body": BODY, "cv": 2.0}, "the spread is given twice"),
        ({**SPLICE, "body": {"distribution": "gamma"}}, "needs exactly one of"),
        ({**SPLICE, "body": BODY, "risk_share": 0.1}, "with its 'total_cv' only"),
        (
            {**SPLICE, "tail_index": 2.0, "body": {"distribution": "gamma"}, "cv": 2.0},
            "only if its tail_index is above 2",
        ),
        ({"distribution": "empirical", "file": "c.csv", "cv": 1.0}, "from its file alone"),
        ({"distribution": "empirical", "file": "none.csv"}, "there is no such file"),
        ({"distribution": "empirical", "file": "."}, "is a folder"),
        ({"distribution": "empirical", "file": "c.xlsx"}, "must be a .csv or .parquet file"),
        ({"distribution": "empirical", "file": "empty.csv"}, "is empty"),
        ({"distribution": "empirical", "file": "header.csv"}, "has no rows"),
        ({"distribution": "empirical", "file": "two.csv"}, "has several columns"),
        ({"distribution": "empirical", "file": "two.csv", "column": "costs"}, "mean 'cost'"),
        ({"distribution": "empirical", "file": "two.csv", "column": "id"}, r"line 2: .*given a"),
        ({"distribution": "empirical", "file": "bad.csv"}, r"line 3: .*0 or more \(given -3\)"),
        ({"distribution": "empirical", "file": "gap.csv"}, r"line 3: .*\(given nothing\)"),
        ({"distribution": "empirical", "file": "zero.csv"}, "has no cost above 0"),
        ({"distribution": "empirical", "file": "latin.csv"}, "is not UTF-8 text"),
    ],
)
def test_refused_description(tmp_path, table, sentence):
    files = {
        "c.xlsx": "x",
        "empty.csv": "",
        "header.csv": "cost\n",
        "two.csv": "id,cost\na,5\n",
        "bad.csv": "cost\n1\n-3\n",
        "gap.csv": 'cost\n1\n""\n',
        "zero.csv": "cost\n0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.csv").write_bytes("co\u00fbt\n1\n".encode("latin-1"))
    with pytest.raises(InputError, match=sentence):
        built(tmp_path, **table)
