"""Rules between a benchmark that is to be built, the people it is for, and their programs.

Each function looks at one matter and yields a `Problem` for everything wrong with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from simdc.errors import Problem
from simdc.programs import RuleSet, load_program
from simdc.scenario.models import Benchmark, Population, SharedSavingsBenchmark

__all__ = ["check_built"]

Problems = Iterator[Problem]
Cell = tuple[str, str]
Figure = tuple[str, float | None, float, str]  # place, figure, most and least 1/most, meaning

# Far wider than anything published: mean normalized scores of 2023 lay between 0.8 and 5.3. What
# these are to catch is larger: a year's cost is twelve times a month's, a percentage 100 times a
# fraction.
_TIMES_USPCC, _HIGHEST_SCORE, _GROWTH = 6.0, 20.0, 3.0
_MONTHLY = (
    "is {figure:.3g} times the adjusted USPCC of the category, at a risk score of 1: both are US "
    "dollars per beneficiary per month"
)
_YEARLY = (
    "is {figure:.3g} times national spending of the enrollment type: both are US dollars per "
    "person-year"
)
_SCORE = "is a mean score near 1, or near 4 for High Needs (105% is 1.05), not {figure:.6g}"
_FACTOR = "is a factor near 1 (4% growth is 1.04), not {figure:.6g}"


def check_built(
    target: Benchmark,
    population: Population,
    rule_sets: Mapping[str, RuleSet],
    path: str,
    base_dir: Path,
) -> Problems:
    """Everything wrong with a benchmark that is to be built.

    Parameters
    ----------
    target : Benchmark
        With ``mode = "built"``.
    population : Population
    rule_sets : mapping of str to RuleSet
        Rules of the tracks that it is the target of, by track name.
    path : str
        Where it stands, such as ``track[1].benchmark``.
    base_dir : Path
        Folder that file names in the scenario are relative to.
    """
    chained = []
    for name, rules in rule_sets.items():
        if load_program(rules.program).family == "shared_savings":
            yield from _shared_savings(target, rules, name, path)
        elif "history_weight_claims" not in rules:
            yield Problem(
                f"must be 'given' for track '{name}': no source says how '{rules.program}' builds "
                f"a benchmark in {rules.year}",
                f"{path}.mode",
                '"built"',
            )
        else:
            chained.append(rules)
    if not chained:
        return
    cells = list(
        dict.fromkeys(
            (s.category, "claims" if s.alignment == "claims" else "voluntary")
            for s in population.segment
        )
    )
    yield from _regions(target, cells, path)
    yield from _risks(target, cells, path)
    yield from _base_years(target, cells, chained, path)
    yield from _units(target, path)
    yield from _files(target, path, base_dir)


def _shared_savings(target: Benchmark, rules: RuleSet, track: str, path: str) -> Problems:
    if target.shared_savings is None:
        yield Problem(
            f"is missing; track '{track}' is of the Shared Savings Program, whose benchmark is "
            "built from this table",
            f"{path}.shared_savings",
        )
    elif "base_year_weights_first" not in rules:
        yield Problem(
            f"must be 'given' for track '{track}': how benchmarks were built is held for the BASIC "
            "and ENHANCED tracks alone",
            f"{path}.mode",
            '"built"',
        )
    else:
        yield from _strata_units(target.shared_savings, f"{path}.shared_savings")


def _regions(target: Benchmark, cells: Sequence[Cell], path: str) -> Problems:
    for category, alignment in cells:
        rows = [
            index
            for index, row in enumerate(target.region)
            if row.category == category and row.alignment in (None, alignment)
        ]
        if not rows:
            yield Problem(
                f"needs a table for {category} beneficiaries aligned {_how(alignment)}",
                f"{path}.region",
            )
        for index in rows[1:]:
            yield Problem(
                f"must not speak of the same beneficiaries as region[{rows[0]}]",
                f"{path}.region[{index}]",
            )
    if target.rate_book is not None and all(row.rate_pbpm is not None for row in target.region):
        yield Problem("must be left out: every region gives its rate", f"{path}.rate_book")
    for index, row in enumerate(target.region):
        place = f"{path}.region[{index}]"
        if not any(row.category == c and row.alignment in (None, a) for c, a in cells):
            yield _nobody(row.category, row.alignment, place)
        if row.rate_pbpm is None and target.rate_book is None:
            yield Problem(
                f"is missing; a region needs its rate unless a table [{path}.rate_book] gives it",
                f"{place}.rate_pbpm",
            )


def _risks(target: Benchmark, cells: Sequence[Cell], path: str) -> Problems:
    keys = [(row.category, row.alignment) for row in target.risk]
    yield from _twice(keys, f"{path}.risk", "risk")
    for category, alignment in cells:
        rows = [
            (index, row)
            for index, row in enumerate(target.risk)
            if row.category == category and _way(row.alignment) == alignment
        ]
        if not rows:
            yield Problem(
                f"needs a table for {category} beneficiaries aligned {_how(alignment)}",
                f"{path}.risk",
            )
        for index, row in rows:
            if len(rows) > 1 and row.months is None:
                yield Problem(
                    "is missing; with newly and continuously voluntary alignment each needs its "
                    "beneficiary-months",
                    f"{path}.risk[{index}].months",
                )
    for index, row in enumerate(target.risk):
        if (row.category, _way(row.alignment)) not in cells:
            yield _nobody(row.category, _way(row.alignment), f"{path}.risk[{index}]")


def _base_years(
    target: Benchmark, cells: Sequence[Cell], rule_sets: Sequence[RuleSet], path: str
) -> Problems:
    keys = [(row.category, row.alignment, row.year) for row in target.base_year]
    yield from _twice(keys, f"{path}.base_year", "base_year")
    for category, alignment in cells:
        given = sorted(
            {
                row.year
                for row in target.base_year
                if (row.category, row.alignment) == (category, alignment)
            }
        )
        needed = [r for r in rule_sets if r.value(f"history_weight_{alignment}") > 0]
        who = f"{category} beneficiaries aligned {_how(alignment)}"
        if given and not needed:
            yield Problem(
                f"must be left out for {who}: their benchmark rests on the region alone",
                f"{path}.base_year",
                _list(given),
            )
        for rules in needed:
            years = rules.value(f"base_years_{alignment}")
            if given != list(years):
                weight = rules.value(f"history_weight_{alignment}")
                yield Problem(
                    f"needs one table for each of {_list(years)} for {who}: history weighs "
                    f"{weight:.6g} in the benchmark of '{rules.program}' in {rules.year}",
                    f"{path}.base_year",
                    _list(given),
                )
    for index, row in enumerate(target.base_year):
        if (row.category, row.alignment) not in cells:
            yield _nobody(row.category, row.alignment, f"{path}.base_year[{index}]")


def _units(target: Benchmark, path: str) -> Problems:
    """Figures so far from any that has been seen that they must be in other units."""
    figures: list[Figure] = []
    uspcc = {row.category: row.uspcc_pbpm for row in target.region}
    for index, region in enumerate(target.region):
        rate = None if region.rate_pbpm is None else region.rate_pbpm / region.uspcc_pbpm
        figures.append((f"region[{index}].rate_pbpm", rate, _TIMES_USPCC, _MONTHLY))
    for index, year in enumerate(target.base_year):
        place = f"base_year[{index}]"
        cost = year.pbpm / year.risk_score / uspcc.get(year.category, year.pbpm)
        figures += [
            (f"{place}.pbpm", cost, _TIMES_USPCC, _MONTHLY),
            (f"{place}.uspcc_trend", year.uspcc_trend, _GROWTH, _FACTOR),
            (f"{place}.geographic_trend", year.geographic_trend, _GROWTH, _FACTOR),
        ]
    for index, row in enumerate(target.risk):
        place = f"risk[{index}]"
        normalized = row.raw_score / row.normalization_factor
        figures += [
            (f"{place}.raw_score", normalized, _HIGHEST_SCORE, _SCORE),
            (f"{place}.reference_score", row.reference_score, _HIGHEST_SCORE, _SCORE),
            (f"{place}.growth_reference_score", row.growth_reference_score, _HIGHEST_SCORE, _SCORE),
            (f"{place}.demographic_change", row.demographic_change, _GROWTH, _FACTOR),
            (f"{place}.coding_factor", row.coding_factor, _GROWTH, _FACTOR),
        ]
    yield from _implausible(figures, path)


def _strata_units(given: SharedSavingsBenchmark, path: str) -> Problems:
    """The same of the Shared Savings Program."""
    figures: list[Figure] = [("demographic_growth", given.demographic_growth, _GROWTH, _FACTOR)]
    for index, row in enumerate(given.stratum):
        place = f"stratum[{index}]"
        growths = ("national_growth", "regional_growth", "prospective_growth")
        figures += [(f"{place}.{name}", getattr(row, name), _GROWTH, _FACTOR) for name in growths]
        for name in ("national_trend", "regional_trend"):
            figures += [(f"{place}.{name}", each, _GROWTH, _FACTOR) for each in getattr(row, name)]
        scores = ("risk_scores", row.risk_scores), ("risk_score", (row.risk_score,))
        for name, each_year in scores:
            figures += [(f"{place}.{name}", each, _HIGHEST_SCORE, _SCORE) for each in each_year]
        for year, cost in enumerate(row.per_capita_dollars):
            ratio = cost / row.national_per_capita_dollars
            figures.append((f"{place}.per_capita_dollars[{year}]", ratio, _TIMES_USPCC, _YEARLY))
        ratio = row.regional_per_capita_dollars / row.national_per_capita_dollars
        figures.append((f"{place}.regional_per_capita_dollars", ratio, _TIMES_USPCC, _YEARLY))
    yield from _implausible(figures, path)


def _implausible(figures: Iterable[Figure], path: str) -> Problems:
    for place, figure, most, meaning in figures:
        if figure is not None and not 1.0 / most <= figure <= most:
            yield Problem(meaning.format(figure=figure), f"{path}.{place}")


def _files(target: Benchmark, path: str, base_dir: Path) -> Problems:
    if target.rate_book is None:
        return
    for key in ("rates_file", "costs_file", "months_file"):
        name = getattr(target.rate_book, key)
        if name is not None and not (base_dir / name).is_file():
            yield Problem(
                "there is no such file; names start from the scenario's folder",
                f"{path}.rate_book.{key}",
                f'"{name}"',
            )


def _twice(keys: Sequence[Hashable], path: str, what: str) -> Problems:
    count: Counter[Hashable] = Counter()
    for index, key in enumerate(keys):
        if count[key]:
            yield Problem(
                f"must not speak of the same beneficiaries as {what}[{keys.index(key)}]",
                f"{path}[{index}]",
            )
        count[key] += 1


def _nobody(category: str, alignment: str | None, place: str) -> Problem:
    how = f" aligned {_how(alignment)}" if alignment else ""
    return Problem(f"must be left out: no segment has {category} beneficiaries{how}", place)


def _way(alignment: str) -> str:
    return "claims" if alignment == "claims" else "voluntary"


def _how(alignment: str) -> str:
    return "by claims" if alignment == "claims" else "voluntarily"


def _list(years: Sequence[int]) -> str:
    return ", ".join(map(str, years)) or "none"
