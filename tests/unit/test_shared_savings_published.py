"""Published Shared Savings results, recomputed row by row.

Source: CMS, Performance Year Financial and Quality Results, ACO-level public use files of 2016
and 2022 (https://data.cms.gov/medicare-shared-savings-program).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from published import published

from simdc.programs import load_program
from simdc.settlement.shared_savings import Figures, Terms, settle
from simdc.settlement.statement import Statement
from simdc.settlement.steps import Amount

Row = dict[str, str]
OFFERED = (0.0, 0.005, 0.01, 0.015, 0.02)
TRACKS_2022 = {
    "A": "basic-a",
    "B": "basic-b",
    "C": "basic-c",
    "D": "basic-d",
    "E": "basic-e",
    "EN": "enhanced",
}


def rows(name: str) -> list[Row]:
    with published(name).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float:
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def column(table: Sequence[Row], name: str) -> NDArray[np.float64]:
    return np.array([number(row[name]) for row in table])


def recomputed(
    table: Sequence[Row], year: int, option_of: Callable[[Row], str]
) -> Iterator[tuple[list[Row], Terms, Statement]]:
    """Each track's rows, settled together.

    A printed minimum rate that is on offer counts as elected; any other comes from the table.
    """
    for option in sorted({option_of(row) for row in table}):
        mine = [row for row in table if option_of(row) == option]
        terms = Terms.from_rules(load_program("mssp").rules(year, option))
        minimum = column(mine, "MinSavPerc")
        figures = Figures(
            benchmark=column(mine, "ABtotBnchmk"),
            expenditure=column(mine, "ABtotExp"),
            beneficiaries=column(mine, "N_AB"),
            elected_minimum_rate=np.where(np.isin(minimum, OFFERED), minimum, np.nan)
            if terms.two_sided
            else None,
            quality_score=column(mine, "QualScore"),
            quality_standard_met=column(mine, "Met_QPS") == 1,
        )
        yield mine, terms, settle(terms, figures)


def settled_2022() -> Iterator[tuple[list[Row], Terms, Statement]]:
    return recomputed(
        rows("mssp_results_py2022.csv"), 2022, lambda row: TRACKS_2022[row["Current_Track"]]
    )


def settled_2016() -> Iterator[tuple[list[Row], Terms, Statement]]:
    def option(row: Row) -> str:
        return next(f"track-{track}" for track in "123" if row[f"Current_Track_{track}"] == "1")

    return recomputed(rows("mssp_results_py2016.csv"), 2016, option)


def joined(parts: Sequence[Amount]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(part) for part in parts])


def test_2022_generated_savings_to_the_dollar() -> None:
    errors = joined(
        [
            statement["generated_savings"] - column(mine, "GenSaveLoss")
            for mine, _, statement in settled_2022()
        ]
    )
    assert errors.size == 482
    assert np.abs(errors).max() <= 1.0


def test_2022_earned_within_a_thousandth() -> None:
    published_earned, computed = [], []
    for mine, _, statement in settled_2022():
        published_earned.append(column(mine, "EarnSaveLoss"))
        computed.append(statement["shared_after_sequestration"])
    expected = joined(published_earned)
    error = np.abs(joined(computed) - expected)
    assert expected.size == 482
    assert np.mean(error <= np.maximum(1.0, 1e-3 * np.abs(expected))) >= 0.995
    assert abs(joined(computed).sum() - expected.sum()) < expected.size  # a dollar each


def test_2022_minimum_rates_to_the_printed_digit() -> None:
    for mine, _, statement in settled_2022():
        printed = column(mine, "MinSavPerc")
        np.testing.assert_allclose(statement["minimum_rate"], printed, rtol=0, atol=0.5001e-4)


def test_2022_final_rates() -> None:
    for mine, _, statement in settled_2022():
        np.testing.assert_allclose(statement["final_sharing_rate"], column(mine, "FinalShareRate"))


def test_2022_relief_forgives_what_was_owed() -> None:
    """Where only the benchmark limits losses, the relief published is the whole of them."""
    for mine, terms, statement in settled_2022():
        if terms.two_sided and terms.loss_limit_revenue is None:
            relief = np.array([number(row["DisAdj"] or "0") for row in mine])
            owed = np.minimum(statement["limited_losses"], 0.0)
            np.testing.assert_allclose(owed, relief, rtol=1e-3, atol=1.0)


def test_2016_earned_within_the_rounding_of_the_score() -> None:
    half_a_digit, dollar = 0.5e-4, 1.0
    seen = 0
    for mine, terms, statement in settled_2016():
        generated = statement["generated_savings"]
        rounding = np.abs(generated) * terms.maximum_sharing_rate * half_a_digit
        error = np.abs(statement["shared_after_sequestration"] - column(mine, "EarnSaveLoss"))
        assert (error <= rounding + dollar).all()
        assert np.abs(generated - column(mine, "GenSaveLoss")).max() <= dollar
        seen += len(mine)
    assert seen == 432
