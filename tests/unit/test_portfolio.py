"""Portfolios: entities that share the nation and nothing else, and what groups of them owe."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from io import StringIO
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from simdc.cli.main import _status
from simdc.drivers import NATIONAL_DRIVERS
from simdc.engine import draw_drivers, simulate
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.executors.cluster import Dask
from simdc.kernels.ready import warm_up
from simdc.portfolio.groups import pool
from simdc.portfolio.members import EVERYONE, load_portfolio
from simdc.portfolio.read import read_portfolio
from simdc.portfolio.run import KEPT_DRAWS, PortfolioRun, entity_seed, run_portfolio
from simdc.prepare import prepare
from simdc.report.portfolio import render_portfolio
from simdc.report.portfolio_document import portfolio_document
from simdc.result import build_result, group
from simdc.sweep.stored import content_hash

SCENARIO = """
[run]
draws = {draws}
[entity]
id = "E1"
type = "standard"
performance_year = 2023
[[population.segment]]
name = "aged"
category = "A&D"
beneficiaries = {people}
expected_cost_pbpm = 1000
severity = {{ distribution = "lognormal", sigma = 1.2 }}
[benchmark]
pbpm = 1050
[drivers]
{drivers}
[[track]]
name = "global"
program = "reach"
option = "global"
[[track]]
name = "professional"
program = "reach"
option = "professional"
"""
TREND = 'national_trend = { distribution = "normal", sd = 0.03 }'
EFFECT = 'entity_effect = { distribution = "normal", sd = 0.02 }'
CODING = 'coding_factor = { distribution = "normal", mean = 1.0, sd = 0.05 }'
COUPLED = (
    f'{TREND}\npandemic = {{ distribution = "normal", sd = 0.02 }}\n{EFFECT}\n'
    '[drivers.correlation]\ndrivers = ["national_trend", "pandemic", "entity_effect"]\n'
    "matrix = [[1.0, 0.4, 0.6], [0.4, 1.0, 0.0], [0.6, 0.0, 1.0]]"
)
FALSE_ALARM = 1e-5  # of each statistical test
PORTFOLIOS = Path(__file__).parents[2] / "scenarios" / "portfolios"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def scenario(folder, name="one", drivers=f"{TREND}\n{EFFECT}", draws=500, people=200):
    text = SCENARIO.format(draws=draws, people=people, drivers=drivers)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def portfolio(folder, *rows, name="p"):
    """A portfolio as a table; a row is an entity, its scenario, its track and its group."""
    path = folder / f"{name}.csv"
    lines = ["name,scenario,track,group", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def entity(name, group="", track="global", of="one"):
    return name, f"{of}.toml", track, group


@pytest.fixture
def three(folder):
    """Two entities of a group and one beside it."""
    scenario(folder)
    return portfolio(folder, entity("a", "g"), entity("b", "g", "professional"), entity("c"))


def ran(path, target="store.zarr", **options):
    options = {"executor": Threads(2), **options}
    return run_portfolio(path, path.parent / target, **options)


def of_entity(tree, name):
    """All figures and draws of one entity."""
    return {
        f"{at}/{variable}": array.sel(entity=name).values
        for at in ("summary", "guarantee", "draws")
        for variable, array in group(tree, at).data_vars.items()
    }


# --- entities -----------------------------------------------------------------------------------


def test_an_entity_does_not_depend_on_who_else_is_there(three, folder):
    others = portfolio(folder, entity("d"), entity("c", "h"), entity("a"), name="others")
    alone = portfolio(folder, entity("a"), name="alone")
    trees = [ran(path, f"{path.stem}.zarr") for path in (three, others, alone)]
    assert np.ptp(of_entity(trees[0], "a")["draws/cash_due"]) > 0.0
    for name, within in {"a": trees, "c": trees[:2]}.items():
        first, *rest = (of_entity(tree, name) for tree in within)
        for other in rest:
            for variable, values in first.items():
                np.testing.assert_array_equal(values, other[variable], variable)


def test_the_figures_are_those_of_a_run_on_the_same_draws(three):
    portfolio, tree = load_portfolio(three), ran(three)
    for member in portfolio.members:
        simulation = simulate(
            member.scenario,
            base_dir=member.loaded.base_dir,
            seed=entity_seed(1, member.name),
            national_seed=1,
        )
        expected, found = build_result(simulation, member.loaded), of_entity(tree, member.name)
        for place, values in found.items():
            at, variable = place.split("/")
            np.testing.assert_array_equal(group(expected, at)[variable].values[0], values, place)


def test_entities_that_settle_provisionally_stand_beside_others(folder):
    scenario(folder)
    scenario(folder, "early")
    with (folder / "early.toml").open("a") as early:
        early.write("provisional_settlement = {}\n")
    plain = ran(portfolio(folder, entity("a"), name="plain"), "plain.zarr")
    path = portfolio(folder, entity("a"), entity("b", track="professional", of="early"))
    both = ran(path, "both.zarr")
    for variable, values in of_entity(plain, "a").items():
        np.testing.assert_array_equal(values, of_entity(both, "a")[variable], variable)
    moved = group(both, "summary")["provisional_settlement"].sel(figure="estimate")
    assert moved.sel(entity="a").values.tolist() == [0.0] * moved.sizes["statistic"]
    assert (moved.sel(entity="b", statistic="standard_deviation") > 0.0).all()
    by_step = group(both, "guarantee")["covering_amount_by_step"].sel(figure="estimate")
    final = group(both, "guarantee")["covering_amount"].sel(figure="estimate")
    np.testing.assert_array_equal(by_step.sel(step="until_final"), final)


def test_the_nation_is_shared_to_the_bit_and_nothing_else(folder):
    """Correlations of independent draws stay within their bound but once in 100,000 times."""
    draws = 20_000
    scenario(folder)
    scenario(folder, "coupled", COUPLED)
    path = portfolio(folder, entity("a"), entity("b"), entity("c", of="coupled"))
    values = {}
    for member in load_portfolio(path).members:
        drivers = prepare(member.scenario, member.loaded.base_dir).drivers
        values[member.name] = draw_drivers(
            drivers,
            seed=entity_seed(1, member.name),
            first_draw=0,
            draws=draws,
            threads=Threads(1),
            national_seed=1,
        )
    bound = ndtri(1.0 - FALSE_ALARM / 2.0) / math.sqrt(draws)
    # A correlated driver of the nation is the same as one that is not.
    for one, other in (("a", "b"), ("a", "c")):
        np.testing.assert_array_equal(
            values[one]["national_trend"], values[other]["national_trend"]
        )
        effects = [values[name]["entity_effect"] for name in (one, other)]
        # The coupled effect moves with the trend, which the other does not.
        assert abs(np.corrcoef(effects)[0, 1]) < bound
    coupled = values["c"]
    for name, expected in {
        ("national_trend", "pandemic"): 0.4,
        ("national_trend", "entity_effect"): 0.6,
    }.items():
        found = np.corrcoef(coupled[name[0]], coupled[name[1]])[0, 1]
        error = (1.0 - expected**2) / math.sqrt(draws)
        assert found == pytest.approx(expected, abs=ndtri(1.0 - FALSE_ALARM / 2.0) * error)


@pytest.mark.parametrize("shared", [False, True])
def test_settlements_move_together_by_the_nation_alone(folder, shared):
    """Without it their correlation stays within its bound but once in 100,000 times.

    The trend of the nation would not do: the benchmark follows it.
    """
    draws = 4_000
    scenario(folder, drivers=CODING if shared else EFFECT, draws=draws, people=400)
    tree = ran(portfolio(folder, entity("a"), entity("b")))
    found = np.corrcoef(group(tree, "draws")["gross_savings"].values)[0, 1]
    bound = ndtri(1.0 - FALSE_ALARM / 2.0) / math.sqrt(draws)
    assert (found > bound) if shared else (abs(found) < bound)


def test_seeds_of_entities_do_not_meet():
    """Of 2,000 names under 50 seeds two keys of 64 bits meet once in 4 billion times."""
    names = [
        f"{prefix}{number}" for prefix in ("", "e", "1 entity ", "entity ") for number in range(500)
    ]
    seeds = [*range(49), 2**64 - 1]
    found = {entity_seed(seed, name) for seed, name in product(seeds, names)}
    assert len(found) == len(seeds) * len(names)
    assert all(0 <= key < 2**64 for key in found)
    assert found.isdisjoint(seeds)  # the nation's own


# --- groups -------------------------------------------------------------------------------------


def test_a_group_is_the_sum_of_its_entities(three):
    tree = ran(three)
    groups, draws = group(tree, "groups"), group(tree, "draws")
    assert groups["group"].values.tolist() == [EVERYONE, "g"]
    assert groups["entities_of_group"].values.tolist() == [3, 2]
    required = group(tree, "guarantee")["required_guarantee"].values
    for name, places in {EVERYONE: [0, 1, 2], "g": [0, 1]}.items():
        here = groups.sel(group=name, figure="estimate")
        for line, of_group in zip(
            KEPT_DRAWS, ("gross_savings", "shared", "settlement"), strict=True
        ):
            total = draws[line].values[places].sum(axis=0)
            found = here[f"{of_group}_of_group"]
            assert float(found.sel(statistic="mean")) == pytest.approx(total.mean(), rel=1e-12)
            median = np.quantile(total, 0.5, method="inverted_cdf")
            assert float(found.sel(statistic="quantile_50")) == pytest.approx(median, rel=1e-12)
        owing = (draws["cash_due"].values[places].sum(axis=0) < 0.0).mean()
        assert float(here["probability_owing_of_group"]) == owing
        assert float(here["required_of_group"]) == pytest.approx(required[places].sum())


def test_amounts_are_those_of_numpy():
    rng = np.random.default_rng(1)
    cash = rng.normal([[1.0], [-2.0], [0.5]], [[3.0], [1.0], [2.0]], (3, 2_000))
    levels = (0.9, 0.99)
    found = pool(cash, levels)
    owed = np.maximum(-cash, 0.0)
    for at, level in enumerate(levels):
        separately = sum(np.quantile(row, level, method="inverted_cdf") for row in owed)
        together = np.quantile(owed.sum(axis=0), level, method="inverted_cdf")
        left = np.maximum(-cash.sum(axis=0), 0.0)
        netted = np.quantile(left, level, method="inverted_cdf")
        assert found.separately[at].value == pytest.approx(separately, rel=1e-12)
        assert found.together[at].value == pytest.approx(together, rel=1e-12)
        assert found.netted[at].value == pytest.approx(netted, rel=1e-12)
        assert found.saved_together[at].value == pytest.approx(separately - together, rel=1e-12)
        assert found.saved_netted[at].value == pytest.approx(separately - netted, rel=1e-12)


def test_two_alike_and_independent_against_the_closed_form():
    """Separately 2 (m + z s), together 2 m + sqrt(2) z s; false alarm once in 100,000 times."""
    mean, sd, level, draws = 5.0, 1.0, 0.99, 200_000
    rng = np.random.default_rng(2)
    found = pool(-rng.normal(mean, sd, (2, draws)), [level])
    separately, together = (
        2 * (mean + ndtri(level) * sd),
        2 * mean + math.sqrt(2) * ndtri(level) * sd,
    )
    width = ndtri(1.0 - FALSE_ALARM / 2.0)
    for estimate, expected in (
        (found.separately[0], separately),
        (found.together[0], together),
        (found.netted[0], together),  # nobody is ever paid
        (found.saved_together[0], separately - together),
    ):
        assert abs(estimate.value - expected) < width * estimate.standard_error
    (apart,), (saved,) = found.separately, found.saved_together
    ratio = found.together[0].value / apart.value
    # That of the saving, and as much of that of the whole as is saved: at most.
    error = (saved.standard_error + (1.0 - ratio) * apart.standard_error) / apart.value
    assert abs(ratio - together / separately) < width * error < 0.01


def test_entities_that_owe_most_at_the_same_time_save_nothing():
    luck = np.random.default_rng(3).normal(size=3_000)
    found = pool([-np.exp(luck), -(5.0 + luck), -np.maximum(luck, 0.0)], [0.9, 0.99])
    for apart, saved in zip(found.separately, found.saved_together, strict=True):
        assert saved.value == pytest.approx(0.0, abs=1e-12 * apart.value)
    for saved in found.saved_netted:
        assert saved.value == pytest.approx(0.0, abs=1e-9)


def test_one_entity_saves_nothing_and_has_its_own_limits():
    cash = np.random.default_rng(4).normal(size=(1, 3_000))
    found = pool(cash, [0.99])
    assert found.saved_together[0] == found.saved_netted[0] == (0.0, 0.0, 0.0, 0.0)
    assert found.separately[0].value == found.together[0].value == found.netted[0].value
    assert found.separately[0].standard_error == pytest.approx(found.together[0].standard_error)


def test_those_who_are_paid_make_up_for_those_who_owe():
    luck = np.random.default_rng(5).normal(size=3_000)
    found = pool([luck, -luck], [0.99])  # what one owes the other is paid
    assert found.netted[0].value == found.netted[0].high == 0.0
    assert found.together[0].value > 0.0
    assert found.saved_netted[0].value == found.separately[0].value
    assert found.probability_owing.value == 0.0


def test_nobody_owes():
    found = pool([np.full(100, 5.0)] * 2, [0.9])
    assert found.separately[0] == found.together[0] == found.saved_netted[0] == (0.0,) * 4


def test_too_few_draws_are_refused():
    found = pool(np.random.default_rng(6).normal(size=(2, 20)), [0.5, 0.99])
    assert math.isfinite(found.separately[0].value)
    for amounts in (found.separately, found.together, found.netted, found.saved_together):
        assert math.isnan(amounts[1].value)
        assert math.isnan(amounts[1].high)


def test_nobody_cannot_be_added_up():
    with pytest.raises(ValueError, match="no entity"):
        pool([], [0.99])


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.7])
def test_limits_hold_what_they_promise(correlation):
    """Of 600 repetitions as many limits hold the truth as 93% to 98% would.

    Either bound is crossed once in 100,000 times where it is met. Were dependence left out, limits
    of a sum of three that are correlated by 0.7 would hold it in about 85%.
    """
    repetitions, draws, level, members = 600, 1_500, 0.95, 3
    shape = np.full((members, members), correlation) + (1.0 - correlation) * np.eye(members)
    factor = np.linalg.cholesky(shape)
    sd_of_sum = math.sqrt(shape.sum())
    z = float(ndtri(level))
    # With means that nobody is ever paid, together and netted have the same closed form.
    truth = {
        -6.0: {
            "separately": members * (6.0 + z),
            "saved_together": z * (members - sd_of_sum),
            "saved_netted": z * (members - sd_of_sum),
        },
        0.0: {"separately": members * z, "saved_netted": z * (members - sd_of_sum)},
    }
    held = {(mean, name): 0 for mean, names in truth.items() for name in names}
    rng = np.random.default_rng(7)
    for _ in range(repetitions):
        luck = factor @ rng.normal(size=(members, draws))
        for mean, names in truth.items():
            found = pool(mean + luck, [level])
            for name, expected in names.items():
                (estimate,) = getattr(found, name)
                held[mean, name] += estimate.low <= expected <= estimate.high
    fewest = binom.ppf(FALSE_ALARM, repetitions, 0.93)
    most = binom.isf(FALSE_ALARM, repetitions, 0.98)
    assert all(fewest <= count <= most for count in held.values()), held


# --- assumptions --------------------------------------------------------------------------------


def told(path):
    inputs = group(ran(path), "inputs")
    columns = ("subject", "statement", "entities")
    return [
        tuple(map(str, row))
        for row in zip(*(inputs[f"assumption_{each}"].values for each in columns), strict=True)
    ]


def test_what_all_assume_is_said_once(folder):
    scenario(folder)
    scenario(folder, "other", f"{TREND}\n{EFFECT}\nquality_score = {{ distribution = 'default' }}")
    path = portfolio(folder, entity("a"), entity("b"), entity("c", of="other"))
    rows = told(path)
    assert len(rows) == len(set(rows))
    first = ("entities together", "all entities have the same draws of national_trend; whatever ")
    assert rows[0][0] == first[0]
    assert rows[0][1].startswith(first[1])
    makers = {subject: entities for subject, _, entities in rows}
    assert makers["guarantee"] == ""
    assert makers["driver quality_score"] == "c"
    assert any(entities == "a, b" for *_, entities in rows)
    assert not any("differ" in statement for _, statement, _ in rows)


@pytest.mark.parametrize(
    ("drivers", "subject"),
    [
        (TREND.replace("0.03", "0.04"), "driver national_trend"),
        (f'{TREND}\npandemic = {{ distribution = "normal", sd = 0.1 }}', "driver pandemic"),
        ('national_trend = { distribution = "fixed", value = 0.1 }', "driver national_trend"),
        (COUPLED, "entities together"),
    ],
)
def test_entities_that_know_the_nation_otherwise_are_told(folder, drivers, subject):
    scenario(folder)
    scenario(folder, "other", drivers)
    rows = told(portfolio(folder, entity("a"), entity("b", of="other")))
    differing = [each for each, statement, _ in rows if statement.startswith("entities differ")]
    assert subject in differing


def test_the_same_nation_is_not_told_to_differ(folder):
    scenario(folder, drivers=COUPLED)
    scenario(folder, "other", COUPLED.replace("0.6", "0.5"))  # with the entity's own
    rows = told(portfolio(folder, entity("a"), entity("b", of="other")))
    assert not any(statement.startswith("entities differ") for _, statement, _ in rows)


def test_without_a_nation_entities_are_independent(folder):
    scenario(folder, drivers=EFFECT)
    assert "they are independent" in told(portfolio(folder, entity("a"), entity("b")))[0][1]


def test_an_entity_that_cannot_be_run_is_named_before_anything_is(folder, monkeypatch, capsys):
    scenario(folder)
    scenario(folder, "young", 'quality_score = { distribution = "default" }')
    text = (folder / "young.toml").read_text()
    text = text.replace("2023", "2021").replace("reach", "gpdc")  # before there is evidence
    (folder / "young.toml").write_text(text, encoding="utf-8")
    path = portfolio(folder, entity("a", of="young"))
    with pytest.raises(InputError, match=r"entity 'a': .*quality_score"):
        PortfolioRun(load_portfolio(path))
    monkeypatch.chdir(folder)
    assert _status(["portfolio", "p.csv"]) == 2
    assert "entity 'a'" in capsys.readouterr().err
    assert not (folder / "results").exists()


# --- the same bits ------------------------------------------------------------------------------


def test_threads_and_the_way_it_is_written_change_no_bit(three, folder):
    ran(three, executor=Threads(1))
    toml = folder / "p.toml"
    names = [("a", "global", "g"), ("b", "professional", "g"), ("c", "global", None)]
    toml.write_text(
        'title = "As TOML"\nscenario = "one.toml"\n'
        + "".join(
            f'[[entity]]\nname = "{name}"\ntrack = "{track}"\n'
            + (f'group = "{of}"\n' if of else "")
            for name, track, of in names
        ),
        encoding="utf-8",
    )
    ran(toml, "toml.zarr", executor=Threads(3))
    assert content_hash(folder / "toml.zarr") == content_hash(folder / "store.zarr")


@pytest.mark.slow
def test_a_cluster_changes_no_bit(three, folder):
    ran(three)
    with Dask.connect(workers=2) as executor:
        ran(three, "cluster.zarr", executor=executor)
    assert content_hash(folder / "cluster.zarr") == content_hash(folder / "store.zarr")


# --- what stops it ------------------------------------------------------------------------------

SLOWLY = """
import sys, time
from simdc.cli.main import main
from simdc.sweep.store import SweepStore
write = SweepStore.write
def telling(store, unit, values):
    write(store, unit, values)
    print("wrote", unit.index, flush=True)
SweepStore.write = telling
import simdc.portfolio.run as run
settled, wrote = run._settled, []
def slowly(*given):
    if wrote:
        time.sleep(float(sys.argv[1]))
    wrote.append(given)
    return settled(*given)
run._settled = slowly
main(["portfolio", "p.csv", *sys.argv[2:]])
"""
STORE = "results/p.portfolio.zarr"


def process(folder, pause, *options):
    """A portfolio in a process of its own that says which entities it wrote."""
    warm_up()
    command = [sys.executable, "-c", SLOWLY, str(pause), *options]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")
@pytest.mark.parametrize(
    ("wanted", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_stopped_portfolio_goes_on_to_the_same_bits(three, folder, wanted, status):
    ran(three)
    running = process(folder, 60)
    assert running.stdout.readline() == "wrote 0\n"
    running.send_signal(wanted)
    _, told = running.communicate(timeout=60)
    assert running.returncode == status
    if wanted == signal.SIGINT:
        assert f"1 of 3 entities are saved in {STORE}; the same command with --resume" in told
        assert "Traceback" not in told
    assert "groups" not in read_portfolio(folder / STORE).children
    running = process(folder, 0, "--resume", "--quiet")
    printed, told = running.communicate(timeout=120)
    assert (running.returncode, printed.count("wrote")) == (0, 2), told
    assert content_hash(folder / STORE) == content_hash(folder / "store.zarr")


def test_a_full_disk_says_what_is_saved(three, folder, monkeypatch, capsys):
    from simdc.sweep import store

    monkeypatch.chdir(folder)
    ran(three)
    real, forced = store.force, []

    def full(paths):
        forced.append(None)
        if len(forced) > 5:  # four for each entity
            raise OSError(28, os.strerror(28))
        real(paths)

    monkeypatch.setattr(store, "force", full)
    assert _status(["portfolio", "p.csv"]) == 1
    assert "1 of 3 entities are saved" in capsys.readouterr().err
    monkeypatch.setattr(store, "force", real)
    assert _status(["portfolio", "p.csv", "--resume"]) == 0
    assert content_hash(folder / STORE) == content_hash(folder / "store.zarr")


def test_damage_is_told_and_worked_out_again(three, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    ran(three)
    assert _status(["portfolio", "p.csv"]) == 0
    (chunk,) = (folder / STORE / "draws" / "cash_due").glob("c.1.*")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(InputError, match="is damaged"):
        read_portfolio(STORE)
    assert _status(["portfolio", "p.csv", "--resume"]) == 0
    assert "1 of 3 entities were damaged on disk" in capsys.readouterr().err
    assert content_hash(folder / STORE) == content_hash(folder / "store.zarr")


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        (["--draws", "400"], None, r"the number of draws \(500, now 400\)"),
        (["--seed", "2"], None, r"the seed \(1, now 2\)"),
        (["--level", "0.9"], None, "the levels of the guarantee"),
        ([], ("p.csv", "c,one", "d,one"), "the portfolio, the entities"),
        ([], ("one.toml", "1050", "1051"), "the file 'one.toml' of 'a'"),
    ],
)
def test_another_portfolio_does_not_resume(
    three, folder, monkeypatch, capsys, options, change, said
):
    monkeypatch.chdir(folder)
    assert _status(["portfolio", "p.csv"]) == 0
    if change:
        name, before, after = change
        text = (folder / name).read_text().replace(before, after)
        (folder / name).write_text(text, encoding="utf-8")
    assert _status(["portfolio", "p.csv", "--resume", *options]) == 2
    assert re.search(f"differs in {said}", capsys.readouterr().err)


def test_what_is_there_is_not_overwritten(three, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert _status(["portfolio", "p.csv", "--resume"]) == 2
    assert "there is nothing to go on with" in capsys.readouterr().err
    assert _status(["portfolio", "p.csv"]) == 0
    before = content_hash(STORE)
    assert _status(["portfolio", "p.csv"]) == 2
    assert "there are results already" in capsys.readouterr().err
    assert _status(["portfolio", "p.csv", "-o", "p.csv"]) == 2
    assert content_hash(STORE) == before


def test_a_sweep_is_no_portfolio(three, folder, monkeypatch):
    monkeypatch.chdir(folder)
    sweep = ["sweep", "one.toml", "--vary", "run.seed=1,2", "-o", "s.zarr"]
    assert _status(sweep) == 0
    with pytest.raises(InputError, match="not a portfolio"):
        read_portfolio(folder / "s.zarr")


@pytest.mark.parametrize("room", ["memory", "disk"])
def test_what_does_not_fit_is_refused_beforehand(three, folder, monkeypatch, capsys, room):
    monkeypatch.chdir(folder)
    if room == "disk":
        usage = type("usage", (), {"free": 1000})
        monkeypatch.setattr("simdc.cli.room.shutil.disk_usage", lambda folder: usage)
    draws = "1000000000000" if room == "memory" else "500"
    assert _status(["portfolio", "p.csv", "--draws", draws]) == 2
    said = capsys.readouterr().err
    assert "draws of 3 entities need about" in said
    assert f"iB of {room}" in said
    assert not (folder / "results").exists()


# --- what it takes ------------------------------------------------------------------------------


def test_the_dry_run_writes_nothing(three, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert _status(["portfolio", "p.csv", "--dry-run", "--json", "--threads", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {
        "entities": 3,
        "beneficiaries": 600,
        "draws": 500,
        "workers": 3,
    }.items() <= found.items()
    assert _status(["portfolio", "p.csv", "--dry-run"]) == 0
    assert "3 entities with 600 beneficiaries x 500 draws" in capsys.readouterr().out
    assert sorted(folder.iterdir()) == before


MEASURED = """
import os, re, sys
from simdc.cli.main import _status
with open(os.devnull, "w") as sys.stdout:
    assert _status(sys.argv[1:]) == 0
sys.stderr.write(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; the base is Linux's")
def test_memory_does_not_grow_with_entities_and_is_foretold(folder):
    warm_up()
    draws = 150_000
    scenario(folder, draws=draws)
    peaks = {}
    for entities in (3, 12):
        rows = [entity(f"e{place}", f"g{place % 2}") for place in range(entities)]
        path = portfolio(folder, *rows, name=f"of{entities}")
        store = folder / f"{entities}.zarr"
        asked = ("portfolio", str(path), "--quiet", "-o", str(store))
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *asked], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        peaks[entities] = 1024 * int(done.stderr)
        foretold = PortfolioRun(load_portfolio(path)).forecast(1)
        assert peaks[entities] == pytest.approx(foretold.memory_bytes, rel=0.2)
        disk = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        assert disk == pytest.approx(foretold.disk_bytes, rel=0.2)
    assert peaks[12] == pytest.approx(peaks[3], rel=0.1)


# --- reports ------------------------------------------------------------------------------------


def printed(tree):
    file = StringIO()
    render_portfolio(tree, file)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_the_report_has_entities_groups_and_assumptions(three):
    tree = ran(three)
    text = printed(tree)
    for part in (
        "3 entities, 600 beneficiaries, performance year 2023",
        "500 draws, seed 1",
        "Entity ",
        "  professional",
        "all entities",
        "Separately",
        "Netted: what\ncovers what is left",
        "To cover what is owed in 99% of years",
        "in 2 guarantees, one for each entity",
        "Assumptions",
        "- entities together: all entities have the same draws of national_trend",
    ):
        assert part in text, text
    assert "in the store" not in text


def test_a_group_of_all_is_not_shown_twice(folder):
    scenario(folder)
    text = printed(ran(portfolio(folder, entity("a", "g"), entity("b", "g"))))
    assert EVERYONE not in text.split("What groups come to")[1].split("Assumptions")[0]


def test_of_many_those_that_owe_most_are_shown(folder):
    scenario(folder, draws=40, people=20)
    names = [f"e{number}" for number in range(45)]
    path = portfolio(folder, *(entity(name, f"g{name}") for name in names))
    tree = ran(path, levels=[0.9])
    owed = group(tree, "guarantee")["mean_total_owed"].sel(figure="estimate").to_series()
    text = printed(tree)
    entities = text.split("What groups come to")[0]
    assert {name for name in names if f"\n{name} " in entities} == set(owed.nlargest(10).index)
    assert "35 more entities in the store" in text
    assert "36 more groups in the store" in text
    assert "e44" in {each["name"] for each in portfolio_document(tree)["entities"]}


def test_too_few_draws_are_refused_in_the_report(three):
    text = printed(ran(three, draws=35))
    assert text.count("needs 368") == 11  # of three entities, two groups, and in two sentences
    assert re.search(r"Saved +Saved\n.*together +netted\n", text)  # nothing is cut off


def test_json_has_everything(three, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert _status(["portfolio", "p.csv", "--json", "--level", "0.9", "--level", "0.95"]) == 0
    found = json.loads(capsys.readouterr().out)
    tree = read_portfolio(STORE)
    assert [each["name"] for each in found["entities"]] == ["a", "b", "c"]
    b = found["entities"][1]
    assert (b["track"], b["option"], b["group"]) == ("professional", "professional", "g")
    assert found["entities"][2]["group"] is None
    mean = group(tree, "summary")["cash_due"].sel(entity="b", statistic="mean").values.tolist()
    assert [*b["summary"]["cash_due"]["mean"].values()] == mean
    assert [each["level"] for each in b["guarantee"]["covering_amount"]] == [0.9, 0.95]
    assert [each["entities"] for each in found["groups"]] == [["a", "b", "c"], ["a", "b"]]
    saved = group(tree, "groups")["saved_netted"].sel(group="g", level=0.95).values
    assert found["groups"][1]["saved_netted"][1]["estimate"] == saved[0]
    shared = next(each for each in found["assumptions"] if each["subject"] == "guarantee")
    assert shared["entities"] == ["a", "b", "c"]
    discount = [each for each in found["rules"] if each["name"] == "discount"]
    assert {tuple(each["entities"]): each["value"] for each in discount} == {
        ("a", "c"): 0.03,  # of Global in 2023
        ("b",): 0.0,
    }


def test_settings_of_entities_are_kept_as_they_were_written(folder):
    scenario(folder)
    path = folder / "p.csv"
    path.write_text(
        "name,scenario,track,track.global.rules.discount\na,one.toml,global,0.05\nb,one.toml,global,\n"
    )
    a, b = portfolio_document(ran(path))["entities"]
    assert a["settings"] == {"track.global.rules.discount": "0.05"}
    assert b["settings"] == {}


# --- ready portfolios ---------------------------------------------------------------------------


def test_the_ready_portfolios_run_and_say_the_same(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for kind in ("toml", "csv"):
        path = PORTFOLIOS / f"two-acos.{kind}"
        assert _status(["portfolio", str(path), "--draws", "400", "-o", f"{kind}.zarr"]) == 0
    assert "parent" in capsys.readouterr().out
    assert content_hash("toml.zarr") == content_hash("csv.zarr")
    assert load_portfolio(PORTFOLIOS / "two-acos.toml").draws == 10_000


def test_the_nation_is_more_than_the_trend():
    """Every driver that no entity has for itself is shared."""
    assert {"national_trend", "national_trend_esrd", "pandemic"} <= set(NATIONAL_DRIVERS)
    assert {"regional_trend", "entity_effect", "quality_score"}.isdisjoint(NATIONAL_DRIVERS)
