"""What a backtest says, in sentences and tables made from its numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.special import ndtri

from simdc.backtest.judge import BINS, Backtest, Comparison, Group, Naive
from simdc.priors import type_name

__all__ = ["Finding", "Section", "findings", "sections"]

_UNLIKELY = 0.05  # chance below which a difference is called one
_WIDTH = float(ndtri(1.0 - _UNLIKELY / 2.0))  # standard errors
_MOST_DAMAGE_SHOWN = 20
_WIDEST_BAR = 40


@dataclass(frozen=True)
class Finding:
    """One thing the numbers say.

    Attributes
    ----------
    poor : bool
        Whether the fit is poor there.
    text : str
        A sentence.
    """

    poor: bool
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    title : str
    paragraphs : tuple of str
        Above the table.
    header : tuple of str
        Of the table; empty for none. The first column holds names.
    rows : tuple of tuple of str
    points : tuple of str
        A list below.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    points: tuple[str, ...] = ()


# --- findings ---------------------------------------------------------------------------------


def findings(result: Backtest) -> list[Finding]:
    """Where the forecasts fit and where they do not.

    A difference counts as one if simulated years show as large a one in fewer than 5% of cases.
    """
    return [
        _level(result),
        *_intervals(result),
        _evenness(result),
        *_kinds(result),
        *(_against(each, result) for each in result.naive),
        _far_out(result),
    ]


def _level(result: Backtest) -> Finding:
    mean = result.uniformity.mean
    side = "above" if mean.published > mean.simulated else "below"
    figures = (
        f"the mean transform is {mean.published:.2f}, in 95% of simulated years "
        f"{mean.low:.2f} to {mean.high:.2f}; {_chance(mean)}"
    )
    if mean.chance < _UNLIKELY:
        return Finding(True, f"Outcomes lie {side} their forecasts on the whole: {figures}.")
    return Finding(
        False,
        f"Outcomes lie {side} their forecasts, but no further than a shared trend: {figures}.",
    )


def _intervals(result: Backtest) -> Iterator[Finding]:
    """One finding for the levels at which too few are covered, one for those with too many."""
    n = result.total.entities
    found = False
    for word, sign in (("narrow", -1.0), ("wide", 1.0)):
        wrong = [
            each
            for each in result.coverage
            if each.covered.chance < _UNLIKELY
            and sign * (each.covered.published - each.covered.simulated) > 0.0
        ]
        if wrong:
            found = True
            counts = ", ".join(
                f"{each.covered.published:.0f} of {n} at {each.level:.0%} (simulated years: "
                f"{each.covered.low:.0f} to {each.covered.high:.0f})"
                for each in wrong
            )
            yield Finding(True, f"Forecasts are too {word}: central intervals cover {counts}.")
    if not found:
        counts = ", ".join(f"{c.covered.published:.0f} at {c.level:.0%}" for c in result.coverage)
        yield Finding(
            False, f"Central intervals cover as many entities as they should: {counts} of {n}."
        )


def _evenness(result: Backtest) -> Finding:
    even = result.uniformity
    fullest = max(range(BINS), key=even.histogram.__getitem__)
    figures = (
        f"chi-square {even.chi_square.published:.1f}, {_chance(even.chi_square)}; "
        f"Kolmogorov-Smirnov {even.kolmogorov_smirnov.published:.3f}, "
        f"{_chance(even.kolmogorov_smirnov)}"
    )
    if min(even.chi_square.chance, even.kolmogorov_smirnov.chance) < _UNLIKELY:
        return Finding(
            True,
            f"Transforms are not spread evenly: {figures}. The fullest tenth, from "
            f"{fullest / BINS:.1f} to {(fullest + 1) / BINS:.1f}, holds "
            f"{even.histogram[fullest]} of {result.total.entities}.",
        )
    return Finding(False, f"Transforms are spread evenly, as far as can be told: {figures}.")


def _kinds(result: Backtest) -> Iterator[Finding]:
    """Every mean, spread and count of owing that its law makes unlikely, and how many may be."""
    compared = 0
    poor = []
    for group in (result.total, *result.groups):
        for statistic in (_mean, _spread, _owing):
            told = statistic(group)
            if told is None:
                continue
            comparison, sentence = told
            compared += 1
            if comparison.chance < _UNLIKELY:
                poor.append(Finding(True, f"{group.name} ({group.entities}): {sentence}."))
    yield from poor
    yield Finding(
        False,
        f"Of {compared} means, spreads and counts of owing, {len(poor)} differ from what was "
        f"simulated; about {_UNLIKELY * compared:.0f} would by chance, and kinds overlap.",
    )


def _mean(group: Group) -> tuple[Comparison, str]:
    return group.mean, _unlike("mean savings rate", group.mean, ("higher", "lower"))


def _spread(group: Group) -> tuple[Comparison, str] | None:
    if group.spread is None:
        return None
    return group.spread, _unlike("spread", group.spread, ("wider", "narrower"))


def _owing(group: Group) -> tuple[Comparison, str]:
    owing = group.owing
    more = "more" if owing.published > owing.simulated else "fewer"
    return owing, (
        f"{owing.published:.0f} owe, {more} than in 95% of simulated years, {owing.low:.0f} to "
        f"{owing.high:.0f}; {_chance(owing)}"
    )


def _unlike(name: str, comparison: Comparison, words: tuple[str, str]) -> str:
    word = words[0] if comparison.published > comparison.simulated else words[1]
    return (
        f"the published {name} of {_percent(comparison.published)} is {word} than simulated, "
        f"{_range(comparison)} in 95% of years; {_chance(comparison)}"
    )


def _against(naive: Naive, result: Backtest) -> Finding:
    limits = _WIDTH * naive.error
    who = f"'{naive.name}', {naive.description}"
    figures = (
        f"continuous ranked probability score {_points(result.total.crps)} against "
        f"{_points(naive.crps)} points, a difference of {_points(abs(naive.advantage))} ± "
        f"{_points(limits)}"
    )
    if naive.advantage > limits:
        return Finding(False, f"Better than {who}: {figures}.")
    if naive.advantage < -limits:
        return Finding(True, f"Worse than {who}: {figures}.")
    return Finding(True, f"Neither better nor worse than {who}: {figures}.")


def _far_out(result: Backtest) -> Finding:
    missed = result.missed
    return Finding(
        missed.chance < _UNLIKELY and missed.published > missed.simulated,
        f"{missed.published:.0f} of {result.total.entities} outcomes lie outside the central 99% "
        f"of their forecasts, in 95% of simulated years {missed.low:.0f} to {missed.high:.0f}; "
        f"{_chance(missed)}.",
    )


# --- the whole report -------------------------------------------------------------------------


def sections(result: Backtest) -> list[Section]:
    """The report, part by part."""
    return [
        _heading(result),
        Section(
            "What the numbers say",
            points=tuple(
                f"{'Poor fit. ' if each.poor else ''}{each.text}" for each in findings(result)
            ),
        ),
        _spreads(result),
        _means(result),
        _coverage(result),
        _histogram(result),
        _scores(result),
        _misses(result),
        _basis(result),
        _account(result),
    ]


def _heading(result: Backtest) -> Section:
    year, n = result.year, result.total.entities
    return Section(
        f"Backtest: {Path(result.file).name}",
        (
            f"{result.program}, performance year {year}: {n} entities, {result.draws:,} draws "
            f"each, seed {result.seed}. Outcomes are gross savings over the final benchmark.",
            "Every entity is forecast from before its year, as the ready scenarios are: expected "
            "cost from the mean savings rate of its type and option in the latest year before, "
            "every driver at its default, which rests on earlier years alone. Taken from the file "
            "as known are its people, its benchmark before trend adjustment, discount and "
            "quality, and its elections; no entity's own result of an earlier year is used.",
            "How people divide, how their costs vary and where stop-loss attaches is assumed alike "
            "for all entities of a type. Their eligible months are an average of 2022, so for that "
            "year they are known as people are.",
            "In truth all entities had one national trend, so their outcomes are not independent "
            "and may miss together. A draw is therefore one simulated year: its national trend is "
            "the same for every entity, everything else is each entity's own. A chance is the "
            "share of simulated years whose statistic is as far out as the published one, and "
            f"cannot be told below {2.0 / (result.draws + 1):.1%}. How an error in a default "
            "shared by many entities moves them together is not in it.",
        ),
    )


def _spreads(result: Backtest) -> Section:
    return Section(
        "Spread of savings rates, and how many owe",
        (
            "Standard deviation between entities, and number of them with a loss: published, in "
            "the median simulated year (Sim.), and the range of 95% of simulated years. An "
            "asterisk marks a chance below 5%.",
        ),
        ("Entities", "n", "Spread", "Sim.", "95%", "Owe", "Sim.", "95%"),
        tuple(
            (
                _label(group),
                str(group.entities),
                *(("-", "-", "-") if group.spread is None else _cells(group.spread)),
                f"{group.owing.published:.0f}{_mark(group.owing)}",
                f"{group.owing.simulated:.0f}",
                f"{group.owing.low:.0f} to {group.owing.high:.0f}",
            )
            for group in (result.total, *result.groups)
        ),
    )


def _means(result: Backtest) -> Section:
    return Section(
        "Mean savings rates",
        ("The score is the mean continuous ranked probability score, in percentage points.",),
        ("Entities", "n", "Mean", "Simulated", "95%", "Score"),
        tuple(
            (_label(group), str(group.entities), *_cells(group.mean), _points(group.crps))
            for group in (result.total, *result.groups)
        ),
    )


def _coverage(result: Backtest) -> Section:
    n = result.total.entities
    return Section(
        "Coverage of central intervals",
        (
            "Entities inside, and their share with binomial 95% limits, which take entities for "
            "independent; then the range of 95% of simulated years, which does not.",
        ),
        ("Interval", "Inside", "Share", "Limits", "Simulated years", "Chance"),
        tuple(
            (
                f"{each.level:.0%}",
                f"{each.covered.published:.0f} of {n}",
                f"{each.share.value:.0%}",
                f"{each.share.low:.0%} to {each.share.high:.0%}",
                f"{each.covered.low:.0f} to {each.covered.high:.0f}",
                _share(each.covered.chance),
            )
            for each in result.coverage
        ),
    )


def _histogram(result: Backtest) -> Section:
    even, n = result.uniformity, result.total.entities
    squares, distance = even.chi_square, even.kolmogorov_smirnov
    width = min(1.0, _WIDEST_BAR / max(even.histogram))
    return Section(
        "Probability integral transform",
        (
            "The share of its forecast below an outcome: 0.5 at the median, even between 0 and 1 "
            f"if forecasts fit. Each tenth should hold about {n / BINS:.1f}.",
            f"Chi-square {squares.published:.1f}: {_chance(squares)} "
            f"({_share(even.chi_square_independent)} if entities were independent). "
            f"Kolmogorov-Smirnov {distance.published:.3f}: {_chance(distance)} "
            f"({_share(even.kolmogorov_smirnov_independent)}).",
        ),
        ("Transform", "n", ""),
        tuple(
            (f"{b / BINS:.1f} to {(b + 1) / BINS:.1f}", str(count), "#" * round(width * count))
            for b, count in enumerate(even.histogram)
        ),
    )


def _scores(result: Backtest) -> Section:
    return Section(
        "Against forecasts without simulation",
        (
            "Mean continuous ranked probability score in percentage points: lower is better. The "
            "advantage of simulation is the mean difference by entity with its standard error as "
            "if entities were independent.",
        ),
        ("Forecast", "Score", "Advantage", "Error", "Skill"),
        (
            ("simdc", _points(result.total.crps), "", "", ""),
            *(
                (
                    f"{each.name}: {each.description}",
                    _points(each.crps),
                    _points(each.advantage),
                    _points(each.error),
                    f"{each.advantage / each.crps:.0%}",
                )
                for each in result.naive
            ),
        ),
    )


def _misses(result: Backtest) -> Section:
    return Section(
        "Outcomes outside the central 99% of their forecasts",
        (),
        ("Entity", "Type", "People", "Published", "Median", "99% of draws"),
        tuple(
            (
                miss.entity.id,
                f"{type_name(miss.entity.entity_type)} {miss.entity.option.title()}",
                f"{miss.entity.beneficiaries:,}",
                _percent(miss.entity.savings_rate),
                _percent(miss.median),
                f"{_percent(miss.low)} to {_percent(miss.high)}",
            )
            for miss in result.misses
        ),
    )


def _basis(result: Backtest) -> Section:
    """Means and spreads of the year before, and the entity effect that is left of each spread."""
    shared = {
        f"{told.subject.removeprefix('driver ').replace('_', ' ').capitalize()}: "
        f"{told.statement} ({told.source})."
        for each in result.forecasts.assumptions.values()
        for told in each
        if told.subject not in ("driver entity_effect", "driver quality_score")
    }
    return Section(
        "What the forecasts rest on",
        (
            "Savings rates published for the latest year before, and the standard deviation of "
            "the entity effect: what is left of their spread when region, quality and the luck of "
            "people at those entities' median size have had their part.",
        ),
        ("Type and option", "Year", "n", "Mean", "Spread", "Effect"),
        tuple(
            (
                f"{type_name(prior.entity_type)} {prior.option.title()}",
                str(prior.evidence_year),
                str(prior.entities),
                _percent(prior.mean),
                _percent(prior.sd),
                _percent(
                    result.forecasts.laws[prior.entity_type, prior.option]["entity_effect"].sd
                ),
            )
            for prior in result.priors
        ),
        tuple(sorted(shared)),
    )


def _account(result: Backtest) -> Section:
    """What was left out or done without."""
    damage = [f"{each}." for each in result.left_out[:_MOST_DAMAGE_SHOWN]]
    if (more := len(result.left_out) - len(damage)) > 0:
        damage.append(f"... and {more} more.")
    return Section("Notes", points=(*result.notes, *damage))


# --- figures as text --------------------------------------------------------------------------


def _label(group: Group) -> str:
    return f"- {group.size}" if group.size else group.kind


def _cells(comparison: Comparison) -> Sequence[str]:
    return (
        _percent(comparison.published) + _mark(comparison),
        _percent(comparison.simulated),
        _range(comparison),
    )


def _mark(comparison: Comparison) -> str:
    return "*" if comparison.chance < _UNLIKELY else ""


def _range(comparison: Comparison) -> str:
    return f"{_percent(comparison.low)} to {_percent(comparison.high)}"


def _chance(comparison: Comparison) -> str:
    return f"chance {_share(comparison.chance)}"


def _share(chance: float) -> str:
    return "below 0.1%" if chance < 0.001 else f"{chance:.1%}" if chance < 0.1 else f"{chance:.0%}"


def _percent(rate: float) -> str:
    return f"{rate:.1%}"


def _points(rate: float) -> str:
    return f"{100.0 * rate:.2f}"
