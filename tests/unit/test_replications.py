"""Published studies replicated: their scenarios against the study, and against the exact law."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import gamma, gengamma, norm

from simdc.engine import simulate
from simdc.executors import Threads
from simdc.programs import load_program
from simdc.scenario import load_scenario
from simdc.settlement import direct_contracting, shared_savings

FOLDER = Path(__file__).parents[2] / "scenarios" / "replications"

# Four standard errors: a false alarm once in about 16,000 comparisons.
ALARM = 4.0

SIZES = [5_000, 50_000]
MINIMUM_RATE = 0.02
BASE_YEAR_WEIGHTS = np.array([0.1, 0.3, 0.6])


def study(name, **run):
    """The scenario, and its one track settled on as many draws as a test has time for."""
    loaded = load_scenario(FOLDER / f"{name}.toml", {f"run.{key}": run[key] for key in run})
    found = simulate(loaded.scenario, base_dir=loaded.base_dir, executor=Threads(1))
    return loaded.scenario, found.tracks[0].draws


# --- DeLia, Hoover and Cantor 2012 ------------------------------------------------------------


@dataclass(frozen=True)
class Chances:
    """Probabilities of an undeserved reward and penalty."""

    reward: float
    penalty: float


PUBLISHED = {5_000: Chances(0.24, 0.26), 50_000: Chances(0.02, 0.02)}
ROUNDING = 0.005  # two digits are printed


@pytest.fixture(scope="module", params=SIZES)
def delia(request):
    people, draws = request.param, 10_000
    scenario, lines = study(f"delia-2012-{people}", draws=draws)
    shared = lines["shared_savings"]
    return people, scenario, Chances(np.mean(shared > 0), np.mean(shared < 0)), draws


def counted_cv():
    """CV of a person's cost, cut at its own 99th percentile, by quadrature.

    Cost is a lognormal risk score times a generalised gamma (c = 0.693), with CVs that make 2.14
    together and 12% of the variance the risk score's.
    """
    total, explained = 2.14**2, 0.12
    risk = explained * total
    luck = (1 + total) / (1 + risk) - 1

    def with_shape(a):
        return gengamma(a, 0.693, scale=1 / gengamma(a, 0.693).mean())

    severity = with_shape(brentq(lambda a: with_shape(a).var() - luck, 0.2, 5.0))
    sigma = np.sqrt(np.log1p(risk))
    z = np.linspace(-8, 8, 801)
    weights = norm.pdf(z) / norm.pdf(z).sum()
    scores = np.exp(sigma * z - sigma**2 / 2)
    cut = brentq(lambda x: weights @ severity.sf(x / scores) - 0.01, 2.0, 50.0)

    edges = np.linspace(0, cut, 4_001)
    x = (edges[1:] + edges[:-1]) / 2
    survival = np.array([weights @ severity.sf(point / scores) for point in x])
    mean, square = (np.sum(survival * factor) * edges[1] for factor in (1.0, 2 * x))
    return np.sqrt(square / mean**2 - 1)


def exact_chances(people, cv, benchmark_cv):
    """Both by quadrature: a total of gammas is a gamma, the benchmark is lognormal."""
    cost = gamma(people / cv**2, scale=cv**2 / people)
    sigma = np.sqrt(np.log1p(benchmark_cv**2))
    z = np.linspace(-9, 9, 2_001)
    weights = norm.pdf(z) / norm.pdf(z).sum()
    benchmark = np.exp(sigma * z - sigma**2 / 2)
    return Chances(
        reward=weights @ cost.cdf((1 - MINIMUM_RATE) * benchmark),
        penalty=weights @ cost.sf((1 + MINIMUM_RATE) * benchmark),
    )


def standard_error(probability, draws):
    return np.sqrt(probability * (1 - probability) / draws)


def test_delia_spread_of_cost_is_what_truncation_leaves(delia):
    _, scenario, _, _ = delia
    assert scenario.population.segment[0].severity.cv == pytest.approx(counted_cv(), abs=5e-5)


def test_delia_error_of_the_benchmark_is_that_of_three_base_years(delia):
    people, scenario, _, _ = delia
    cv = scenario.population.segment[0].severity.cv
    error = cv * np.sqrt(np.sum(BASE_YEAR_WEIGHTS**2) / people)
    driver = scenario.drivers.entity_effect
    assert driver.cv == pytest.approx(error, rel=1e-4)
    assert driver.mean == pytest.approx(1 + error**2, abs=1e-7)


def test_delia_chances_are_the_exact_ones(delia):
    people, scenario, found, draws = delia
    cv = scenario.population.segment[0].severity.cv
    exact = exact_chances(people, cv, scenario.drivers.entity_effect.cv)
    for side in ("reward", "penalty"):
        expected = getattr(exact, side)
        bound = ALARM * standard_error(expected, draws)
        assert getattr(found, side) == pytest.approx(expected, abs=bound)


def test_delia_published_chance_of_either_is_found(delia):
    people, _, found, draws = delia
    published = PUBLISHED[people].reward + PUBLISHED[people].penalty
    bound = 2 * ROUNDING + ALARM * standard_error(published, draws)
    assert found.reward + found.penalty == pytest.approx(published, abs=bound)


def test_delia_published_chances_follow_on_each_side(delia):
    """At 5,000 lives the study has more penalties than rewards; the README says what that takes."""
    people, scenario, _, _ = delia
    unexplained = {5_000: 0.005, 50_000: 0.0}[people]
    cv = scenario.population.segment[0].severity.cv
    exact = exact_chances(people, cv, scenario.drivers.entity_effect.cv)
    for side in ("reward", "penalty"):
        published = getattr(PUBLISHED[people], side)
        assert getattr(exact, side) == pytest.approx(published, abs=ROUNDING + unexplained)


def test_penalties_outnumber_rewards_as_published_only_where_chance_lies_in_the_benchmark():
    """Both round to the published figures with 95% of the variance there, not with half."""
    cv = 2.103
    for share, agrees in ((0.95, True), (0.50, False)):
        benchmark = cv * np.sqrt(share / 5_000)
        found = exact_chances(5_000, cv * np.sqrt(1 - share), benchmark)
        rounded = (round(found.reward, 2), round(found.penalty, 2))
        assert (rounded == (0.24, 0.26)) == agrees


# --- Friedberg, Buendia, Lauderdale and Hussey 2013 -------------------------------------------


@dataclass(frozen=True)
class Price:
    """What a payer gives away by chance, per patient."""

    dollars: float
    share_of_cost: float
    share_rounding: float


PRICES = {500: Price(225.0, 0.031, 0.0005), 60_000: Price(23.0, 0.003, 0.0005)}
DOLLAR_ROUNDING = 0.5


@pytest.fixture(scope="module", params=[(500, 20_000), (60_000, 5_000)], ids=lambda p: str(p[0]))
def option(request):
    people, draws = request.param
    scenario, lines = study(f"ajmc-2013-{people}", draws=draws)
    payment = lines["shared_after_sequestration"] / people
    cost = 12 * scenario.benchmark.pbpm
    return people, scenario, payment, cost


def exact_price(people, cv):
    """Half of E[(1 - mean of lognormals)+], a quarter of the mean absolute deviation.

    E|S| is 2/pi times the integral of (1 - Re phi(t)) / t^2, phi the characteristic function.
    """
    sigma = np.sqrt(np.log1p(cv**2))
    z = np.linspace(-9, 11, 4_001)
    weights = norm.pdf(z) / norm.pdf(z).sum()
    deviation = np.exp(sigma * z - sigma**2 / 2) - 1
    t = np.geomspace(1e-2, 60, 300) * np.sqrt(people) / cv
    one = np.array([weights @ np.exp(1j * point / people * deviation) for point in t])
    integrand = (1 - (one**people).real) / t**2
    middle = np.trapezoid(integrand * t, np.log(t))
    below, above = integrand[0] * t[0], 1 / t[-1]
    return 0.25 * 2 / np.pi * (below + middle + above)


def test_option_price_is_the_exact_one(option):
    people, scenario, payment, cost = option
    expected = cost * exact_price(people, scenario.population.segment[0].severity.cv)
    bound = ALARM * payment.std() / np.sqrt(payment.size)
    assert payment.mean() == pytest.approx(expected, abs=bound)


def test_option_price_is_the_published_one_in_dollars_and_of_cost(option):
    people, _, payment, cost = option
    published = PRICES[people]
    error = ALARM * payment.std() / np.sqrt(payment.size)
    assert payment.mean() == pytest.approx(published.dollars, abs=DOLLAR_ROUNDING + error)
    assert payment.mean() / cost == pytest.approx(
        published.share_of_cost, abs=published.share_rounding + error / cost
    )


def test_exact_option_prices_round_to_the_published_ones(option):
    people, scenario, _, cost = option
    price = exact_price(people, scenario.population.segment[0].severity.cv)
    assert round(cost * price) == PRICES[people].dollars
    assert round(price, 3) == PRICES[people].share_of_cost


def test_one_normal_distribution_would_need_a_cv_for_each_size():
    """Half of E[(1 - x)+] is half the normal density at 0 times the standard deviation."""
    needed = [
        2 * price.dollars / 7_258 / norm.pdf(0) * np.sqrt(people)
        for people, price in PRICES.items()
    ]
    assert needed == pytest.approx([3.48, 3.89], abs=0.005)


# --- Milliman 2020 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "reduction", "sharing_rate"),
    [("professional", 0.01, 0.50), ("global", 0.03, 1.00)],
)
def test_figure_4_takes_quality_off_the_benchmark_in_direct_contracting(
    option, reduction, sharing_rate
):
    """Kramer, Shellabarger and Reijula, December 2020, figure 4: a total score of 80%."""
    rules = load_program("gpdc-2020").rules(2021, option)
    statement = direct_contracting.settle(
        direct_contracting.Terms.from_rules(rules),
        direct_contracting.Figures(
            unadjusted_benchmark={"all": 100e6}, quality_score=0.80, claims=96e6
        ),
    )
    assert statement["final_benchmark"] == pytest.approx(100e6 * (1 - reduction))
    assert statement["shared_savings"] == pytest.approx(sharing_rate * statement["gross_savings"])


def test_figure_4_takes_quality_off_the_sharing_rate_in_shared_savings():
    """BASIC C shares at most 50%, and 40% at a quality score of 80%."""
    rules = load_program("mssp").rules(2020, "basic-c")
    statement = shared_savings.settle(
        shared_savings.Terms.from_rules(rules),
        shared_savings.Figures(
            benchmark=100e6, expenditure=95e6, beneficiaries=10_000, quality_score=0.80
        ),
    )
    assert statement["shared_savings"] == pytest.approx(0.40 * 5e6)
