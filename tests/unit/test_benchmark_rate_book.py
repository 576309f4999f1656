"""County rates: averages by months, books built from county costs, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdc.benchmark.rate_book import (
    NATIONAL,
    CountyCost,
    RateBook,
    build_rate_book,
    conversion_factor,
    county_index,
    months_of,
    read_costs,
    read_months,
    read_rates,
    regional_rate,
)
from simdc.errors import InputError

RATES = "county,category,rate_pbpm\n01001,A&D,1000\n01003,A&D,1200\n01001,ESRD,8000\n"


def costs(county: str, pbpm: dict[int, float], risk_score: float = 1.0) -> list[CountyCost]:
    return [CountyCost(county, "A&D", year, cost, risk_score) for year, cost in pbpm.items()]


NATION = {2017: 800.0, 2018: 840.0, 2019: 900.0}
HERE = {2017: 880.0, 2018: 1008.0, 2019: 900.0}  # 1.1, 1.2 and 1.0 times the nation


def test_region_is_the_mean_by_months() -> None:
    rates = {"a": 1_000.0, "b": 1_200.0, "unused": 9_999.0}
    assert regional_rate(rates, {"a": 3_000.0, "b": 1_000.0}) == pytest.approx(1_050.0)


def test_index_is_the_mean_of_three_relative_costs() -> None:
    assert county_index(HERE, NATION, (2017, 2018, 2019)) == pytest.approx(1.1)


def test_conversion_factor_is_the_last_year_trended() -> None:
    assert conversion_factor(NATION, (2017, 2018, 2019), 1.1) == pytest.approx(990.0)


def test_built_rate_is_index_times_conversion_factor() -> None:
    book = build_rate_book(
        [*costs(NATIONAL, NATION), *costs("here", HERE)], (2017, 2018, 2019), {"A&D": 1.1}
    )
    assert book.rates["A&D"] == {"here": pytest.approx(990.0 * 1.1)}


def test_costs_are_taken_at_a_risk_score_of_one() -> None:
    sicker = {year: cost * 1.25 for year, cost in HERE.items()}
    book = build_rate_book(
        [*costs(NATIONAL, NATION), *costs("here", sicker, risk_score=1.25)],
        (2017, 2018, 2019),
        {"A&D": 1.0},
    )
    assert book.rates["A&D"]["here"] == pytest.approx(900.0 * 1.1)


def test_2020_can_be_replaced() -> None:
    nation = NATION | {2020: 700.0}
    here = HERE | {2020: 1_400.0}
    figures = [*costs(NATIONAL, nation), *costs("here", here)]
    with_2020 = build_rate_book(figures, (2018, 2019, 2020), {"A&D": 1.0})
    without = build_rate_book(figures, (2017, 2018, 2019), {"A&D": 1.0})
    assert with_2020.rates["A&D"]["here"] == pytest.approx(700.0 * (1.2 + 1.0 + 2.0) / 3)
    assert without.rates["A&D"]["here"] == pytest.approx(990.0)


def test_a_missing_year_is_named() -> None:
    figures = [*costs(NATIONAL, NATION), *costs("here", {2017: 880.0, 2019: 900.0})]
    with pytest.raises(InputError, match="no A&D cost of 'here' in 2018"):
        build_rate_book(figures, (2017, 2018, 2019), {"A&D": 1.0})
    with pytest.raises(InputError, match="no A&D cost of 'national' in 2017 and 2018 and 2019"):
        build_rate_book(costs("here", HERE), (2017, 2018, 2019), {"A&D": 1.0})


def test_a_category_without_trend_is_refused() -> None:
    figures = [*costs(NATIONAL, NATION), *costs("here", HERE)]
    with pytest.raises(InputError, match="no trend to bring A&D costs"):
        build_rate_book(figures, (2017, 2018, 2019), {"ESRD": 1.0})


def test_a_county_without_rate_is_refused_with_the_nearest() -> None:
    book = RateBook({"A&D": {"Autauga": 1_000.0}})
    with pytest.raises(InputError, match=r"given 'Autaga'.*did you mean 'Autauga'"):
        book.of("A&D", {"Autaga": 1.0})


# --- files ------------------------------------------------------------------------------------


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_county_codes_keep_their_leading_zeros(tmp_path: Path) -> None:
    book = read_rates(written(tmp_path, RATES))
    assert book.rates == {"A&D": {"01001": 1_000.0, "01003": 1_200.0}, "ESRD": {"01001": 8_000.0}}


def test_months_may_be_told_apart_by_alignment(tmp_path: Path) -> None:
    together = read_months(written(tmp_path, "county,category,months\n01001,A&D,10\n"))
    assert months_of(together, "A&D", "voluntary") == {"01001": 10.0}
    apart = read_months(
        written(tmp_path, "county,category,months,alignment\n01001,A&D,10,claims\n")
    )
    assert months_of(apart, "A&D", "claims") == {"01001": 10.0}
    with pytest.raises(InputError, match="no months of A&D beneficiaries aligned by voluntary"):
        months_of(apart, "A&D", "voluntary")


def test_costs_are_read(tmp_path: Path) -> None:
    text = "county,category,year,pbpm,risk_score\nnational,A&D,2019,900,1.0\n"
    assert read_costs(written(tmp_path, text)) == (CountyCost(NATIONAL, "A&D", 2019, 900.0, 1.0),)


@pytest.mark.parametrize(
    ("reader", "text", "told"),
    [
        (read_rates, "county,category,rate\n1,A&D,5\n", "did you mean 'rate'"),
        (
            read_rates,
            RATES + "01001,A&D,5\n",
            "line 5: gives the A&D rate of '01001' a second time",
        ),
        (read_rates, "county,category,rate_pbpm\n1,A&D,0\n", "line 2: must be an amount above 0"),
        (read_rates, "county,category,rate_pbpm\n1,A&D,inf\n", "must be an amount above 0"),
        (read_rates, "county,category,rate_pbpm\n1,A&D,\n", r"above 0 \(given nothing\)"),
        (read_rates, "county,category,rate_pbpm\n", "has no rows"),
        (read_months, "county,category,months\n1,A&D,-1\n", "must be a number of months above 0"),
        (read_months, "county,category,months\n1,A&D,1\n1,A&D,2\n", "a second time"),
        (
            read_costs,
            "county,category,year,pbpm,risk_score\n1,A&D,2019.5,1,1\n",
            "must be a calendar year",
        ),
        (
            read_costs,
            "county,category,year,pbpm,risk_score\n1,A&D,2019,1,1\n1,A&D,2019,1,1\n",
            "cost of '1' in 2019 a second time",
        ),
    ],
)
def test_faulty_files_are_told_by_row(tmp_path: Path, reader, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        reader(written(tmp_path, text))
