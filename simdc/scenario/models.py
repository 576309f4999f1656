"""What a user asks for: the frozen models behind a scenario file.

Each class is one table of the TOML file. Unknown keys are refused. Money is in US dollars, rates
are fractions, and a field says in its name or description which of the two it is.

A rule about one table is kept here, with its model; rules between tables, and between a scenario
and its program, are in ``checks``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from simdc.scenario.fields import (
    REFUSAL,
    AgreementYear,
    Beneficiaries,
    CalendarYear,
    Coefficient,
    Count,
    Dollars,
    Flag,
    Growth,
    Months,
    Name,
    Nonnegative,
    Number,
    Positive,
    PositiveDollars,
    Probability,
    Rate,
    Seed,
    Spread,
    SpreadOrZero,
    UpperEdge,
    Year,
    YearKey,
    refuse,
)

Category = Literal["A&D", "ESRD"]
Alignment = Literal["claims", "voluntary", "plan"]
EntityType = Literal["standard", "new_entrant", "high_needs"]
Option = Literal["global", "professional"]


class Model(BaseModel):
    """Base of every table: immutable, unknown keys refused, docstrings shown in the schema."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _tell_which_table(cls, table: Any, info: ValidationInfo) -> Any:
        """Note which model reads which table, so that a mistyped key is compared with its keys."""
        if info.context is not None:
            info.context[id(table)] = cls
        return table


def _exactly_one(table: Model, *keys: str) -> None:
    given = [key for key in keys if getattr(table, key) is not None]
    if len(given) != 1:
        names = ", ".join(f"'{key}'" for key in keys[:-1]) + f" and '{keys[-1]}'"
        raise refuse(f"needs exactly one of {names}", given=" and ".join(given) or "none of them")


def _sum_to_one(shares: Sequence[float], what: str) -> None:
    total = math.fsum(shares)
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        raise refuse(f"the {what} must add up to 1", given=f"a sum of {total:.12g}")


class Run(Model):
    """How much to simulate."""

    draws: Count = 10_000
    """Number of draws of the performance year."""
    seed: Seed = 1
    """Key of the random numbers; the same seed gives every track the same luck."""


class Entity(Model):
    """The organisation that takes the risk."""

    id: Name
    """Public identifier, such as the one CMS publishes."""
    type: EntityType
    """Kind of entity, which sets the rules and the defaults."""
    performance_year: Year
    """Calendar year of the contract; seen from before it began."""
    option: Option | None = None
    """Option of the published entities that the default entity effect rests on; absent: Global,
    unless every track is Professional."""
    note: str = ""
    """A remark of your own."""


# --- population -------------------------------------------------------------------------------


class Concentration(Model):
    """Shares of all spending that the costliest part of the population holds."""

    top_1: Rate | None = None
    """Share held by the costliest 1%."""
    top_5: Rate | None = None
    """Share held by the costliest 5%."""
    top_10: Rate | None = None
    """Share held by the costliest 10%."""
    top_20: Rate | None = None
    """Share held by the costliest 20%."""
    top_25: Rate | None = None
    """Share held by the costliest 25%."""
    top_50: Rate | None = None
    """Share held by the costliest 50%."""


class _Severity(Model):
    zero_probability: Probability = 0.0
    """Probability that a beneficiary costs nothing in the year."""
    cv: Spread | None = None
    """Coefficient of variation of cost given the risk score, zeros included."""
    total_cv: Spread | None = None
    """Coefficient of variation of cost across the whole population, risk score included."""
    risk_share: Rate | None = None
    """Share of the variance of cost that the risk score explains (R squared)."""


class GeneralisedGammaSeverity(_Severity):
    """Generalised gamma with density proportional to x^(a c - 1) exp(-(x/s)^c), mean one."""

    distribution: Literal["generalised_gamma"]
    a: Positive | None = None
    """Shape of the gamma whose power 1/c this is; the smaller, the wider."""
    c: Positive | None = None
    """Power of cost in the exponent; the smaller, the longer the tail."""
    concentration: Concentration | None = None
    """Published shares from which a and c are fitted."""


class WeibullSeverity(_Severity):
    """Weibull, mean one."""

    distribution: Literal["weibull"]
    shape: Positive | None = None
    """Power; below 1 the tail is longer than an exponential's."""
    concentration: Concentration | None = None
    """Published shares from which the shape is fitted."""


class GammaSeverity(_Severity):
    """Gamma, mean one."""

    distribution: Literal["gamma"]
    shape: Positive | None = None
    """One over the squared coefficient of variation."""
    concentration: Concentration | None = None
    """Published shares from which the shape is fitted."""


class LognormalSeverity(_Severity):
    """Lognormal, mean one."""

    distribution: Literal["lognormal"]
    sigma: Positive | None = None
    """Standard deviation of the logarithm."""
    concentration: Concentration | None = None
    """Published shares from which sigma is fitted."""


class ParetoSpliceSeverity(_Severity):
    """A body of another family whose costliest part is replaced by a Pareto tail, mean one."""

    distribution: Literal["pareto_splice"]
    body: Annotated[
        GeneralisedGammaSeverity | WeibullSeverity | GammaSeverity | LognormalSeverity,
        Field(discriminator="distribution"),
    ]
    """Distribution of everybody else's cost."""
    splice_probability: Probability
    """Share of the population that lies in the tail."""
    tail_index: Positive
    """Pareto index of the tail, above 1; above 2 for a finite variance."""


class EmpiricalSeverity(_Severity):
    """Annual costs read from a file, divided by their mean; the zeros in it are kept."""

    distribution: Literal["empirical"]
    file: str
    """CSV or Parquet file of annual costs, from the scenario's folder."""
    column: str | None = None
    """Column that holds them; needed where there are several."""


Severity = Annotated[
    GeneralisedGammaSeverity
    | WeibullSeverity
    | GammaSeverity
    | LognormalSeverity
    | ParetoSpliceSeverity
    | EmpiricalSeverity,
    Field(discriminator="distribution"),
]


class MonthsShare(Model):
    """Part of a segment that is aligned for so many months."""

    months: Months
    """Months aligned."""
    share: Probability
    """Share of the segment's people; the shares add up to 1."""


def _months_kind(value: object) -> str | None:
    if isinstance(value, list | tuple):
        return "(shares)"
    return None if isinstance(value, dict) else "(figure)"


def _whole_segment(shares: tuple[MonthsShare, ...]) -> tuple[MonthsShare, ...]:
    _sum_to_one([part.share for part in shares], "shares")
    return shares


EligibleMonths = Annotated[
    Annotated[Months, Tag("(figure)")]
    | Annotated[tuple[MonthsShare, ...], AfterValidator(_whole_segment), Tag("(shares)")],
    Discriminator(
        _months_kind,
        custom_error_type=REFUSAL,
        custom_error_message="must be a number of months above 0 and at most 12, or a list of "
        "tables such as { months = 12, share = 0.9 }",
    ),
]


class Segment(Model):
    """Beneficiaries who share a category, an alignment and a shape of cost."""

    name: Name
    """Name of your own; it also addresses the segment's random numbers."""
    category: Category
    """Aged and disabled, or end-stage renal disease."""
    alignment: Alignment = "claims"
    """By claims, by the beneficiary's own choice, or (proposed) by a Medicaid plan's enrolment."""
    opt_out: Rate = 0.0
    """Share of beneficiaries who leave an alignment through a plan."""
    beneficiaries: Beneficiaries | None = None
    """Number of people; left out when a beneficiary file is given."""
    expected_cost_pbpm: PositiveDollars | None = None
    """Expected Part A and B cost per beneficiary per month, all services, before capitation."""
    eligible_months: EligibleMonths = 12.0
    """Months a person is aligned: one figure for all, or a distribution."""
    risk_score_cv: SpreadOrZero | None = None
    """Dispersion (coefficient of variation) of the risk score between people."""
    severity: Severity
    """How cost spreads around what is expected of a person."""


class Population(Model):
    """Who is aligned and what they are expected to cost."""

    segment: tuple[Segment, ...] = Field(min_length=1)
    """One table for each kind of beneficiary."""
    file: str | None = None
    """CSV or Parquet with a row per beneficiary: expected_cost, months, segment, risk_score, id."""


# --- benchmark --------------------------------------------------------------------------------


class BenchmarkAmount(Model):
    """One target, as dollars or per beneficiary per month."""

    dollars: PositiveDollars | None = None
    """For the whole year."""
    pbpm: PositiveDollars | None = None
    """Per beneficiary per month."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        _exactly_one(self, "dollars", "pbpm")
        return self


class BenchmarkBaseYear(Model):
    """One year of history: what those cost who would have been aligned."""

    category: Category
    """Whose cost it is."""
    alignment: Literal["claims", "voluntary"] = "claims"
    """Whose cost it is."""
    year: CalendarYear
    """Calendar year of the history."""
    pbpm: PositiveDollars
    """Part A and B cost per beneficiary per month, before payment reductions and sequestration."""
    uspcc_trend: Positive | None = None
    """Adjusted US per capita cost (USPCC) of the performance year over that of this year."""
    uspcc_pbpm: PositiveDollars | None = None
    """Instead: adjusted USPCC of this year, per month."""
    geographic_trend: Positive = 1.0
    """Geographic adjustment factors of the performance year over this year's, by months."""
    risk_score: Positive
    """Mean normalized risk score of this year's population."""

    @model_validator(mode="after")
    def _one_trend(self) -> Self:
        _exactly_one(self, "uspcc_trend", "uspcc_pbpm")
        return self


class BenchmarkRegion(Model):
    """What the nation and the entity's region cost per beneficiary per month."""

    category: Category
    """Whom it is for."""
    alignment: Literal["claims", "voluntary"] | None = None
    """Whom it is for; both when absent."""
    uspcc_pbpm: PositiveDollars
    """Adjusted fee-for-service USPCC of the performance year."""
    rate_pbpm: PositiveDollars | None = None
    """Rate of the region at a risk score of 1; absent: from the rate book."""


class BenchmarkRateBook(Model):
    """County rates, from which the region's is averaged by months."""

    months_file: str
    """CSV of where the aligned live: county, category, months, and alignment if it matters."""
    rates_file: str | None = None
    """CSV of rates: county, category, rate_pbpm."""
    costs_file: str | None = None
    """Instead: CSV of county, category, year, pbpm and risk_score, with the county 'national'."""
    uspcc_trend: dict[Category, Positive] = Field(default_factory=dict)
    """With costs_file: adjusted USPCC of the performance year over that of its last year."""

    @model_validator(mode="after")
    def _rates_or_costs(self) -> Self:
        _exactly_one(self, "rates_file", "costs_file")
        if self.costs_file is not None and not self.uspcc_trend:
            raise refuse(
                'is missing; costs need it, such as { "A&D" = 1.12 }',
                at="uspcc_trend",
            )
        if self.rates_file is not None and self.uspcc_trend:
            raise refuse("must be left out: rates need no trend", at="uspcc_trend")
        return self


class BenchmarkRisk(Model):
    """Risk score of the performance year, and what caps and corrects it."""

    category: Category
    """Whose score it is."""
    alignment: Literal["claims", "newly_voluntary", "continuously_voluntary"] = "claims"
    """Whose score it is: caps differ by how people came to be aligned."""
    raw_score: Positive
    """Mean raw risk score."""
    normalization_factor: Positive = 1.0
    """Mean raw score of the national reference population in the same year."""
    reference_score: Positive | None = None
    """Normalized score of the cap's reference year; absent: no cap."""
    demographic_change: Positive = 1.0
    """Demographic score over that of the reference year, which moves the cap from 2024 on."""
    coding_factor: Positive = 1.0
    """Coding intensity factor, as published or projected; the rules limit it."""
    growth_reference_score: Positive | None = None
    """Normalized score of the year from which the further ceiling of 2026 counts."""
    months: Positive | None = None
    """Beneficiary-months, where a category has both kinds of voluntary alignment."""
    reference_beneficiaries: Beneficiaries | None = None
    """People in the reference year; who has grown to a multiple is not capped from 2025 on."""
    most_historical_beneficiaries: Beneficiaries | None = None
    """Most people in a historical year; High Needs entities need enough for the cap to hold."""


class SharedSavingsStratum(Model):
    """One enrollment type; US dollars per person-year, lists from base year 1 to 3."""

    name: Literal["esrd", "disabled", "aged_dual", "aged_non_dual"]
    """Enrollment type."""
    base_person_years: Positive
    """Of base year 3, as a weight between the types."""
    person_years: Positive
    """Of the performance year, as a weight between the types."""
    per_capita_dollars: tuple[PositiveDollars, PositiveDollars, PositiveDollars]
    """The entity's spending, each person's truncated."""
    risk_scores: tuple[Positive, Positive, Positive]
    """Its mean prospective risk scores."""
    risk_score: Positive
    """Of the performance year."""
    national_trend: tuple[Positive, Positive]
    """Growth of national assignable spending from base years 1 and 2 to base year 3."""
    regional_trend: tuple[Positive, Positive]
    """The same of the region."""
    national_growth: Positive
    """Growth of national assignable spending from base year 3 to the performance year."""
    regional_growth: Positive
    """The same of the region."""
    prospective_growth: Positive = 1.0
    """The same as projected before the agreement, which counts from 2024 on."""
    regional_per_capita_dollars: PositiveDollars
    """Spending of the region in base year 3, at the entity's own risk."""
    national_per_capita_dollars: PositiveDollars
    """National assignable spending in base year 3."""


class SharedSavingsBenchmark(Model):
    """What the benchmark of the Shared Savings Program is built from."""

    stratum: tuple[SharedSavingsStratum, ...] = Field(min_length=1)
    """One table for each enrollment type."""
    agreement_period: Count = 1
    """1 in the entity's first agreement."""
    regional_exposure: Count = 1
    """Which agreement with a regional adjustment this is, 1 the first."""
    national_weight: Rate = 0.0
    """The entity's share of the assignable beneficiaries of its region."""
    prior_savings_dollars: Nonnegative = 0.0
    """Mean savings per person-year before the agreement."""
    demographic_growth: Positive = 1.0
    """Growth of the mean demographic score from base year 3."""
    dual_share: Rate = 0.0
    """Share of dually eligible beneficiaries in base year 3."""
    mean_risk_score: Positive = 1.0
    """Mean prospective risk score of all assigned beneficiaries in base year 3."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [stratum.name for stratum in self.stratum]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise refuse(
                    f"must differ from stratum[{names.index(name)}]",
                    at=f"stratum[{place}].name",
                    given=f'"{name}"',
                )
        return self


class Benchmark(Model):
    """The target before retrospective trend adjustment, discount and quality."""

    mode: Literal["given", "built"] = "given"
    """'given' as an amount, or 'built' from history, region and risk."""
    dollars: PositiveDollars | None = None
    """For the whole year; or give pbpm or by_category."""
    pbpm: PositiveDollars | None = None
    """The same per beneficiary per month."""
    by_category: dict[Category, BenchmarkAmount] | None = None
    """The same by category; else one amount is split by expected cost."""
    base_year: tuple[BenchmarkBaseYear, ...] = ()
    """One table for each year of history, category and alignment."""
    region: tuple[BenchmarkRegion, ...] = ()
    """One table for each category, and alignment if they differ."""
    rate_book: BenchmarkRateBook | None = None
    """County rates, where the region's are not given."""
    risk: tuple[BenchmarkRisk, ...] = ()
    """One table for each category and alignment."""
    shared_savings: SharedSavingsBenchmark | None = None
    """What the Shared Savings Program builds its own from."""
    concurrent_risk_share: Rate | None = None
    """Share of the variance of cost that a concurrent risk model explains (R squared), of which a
    segment's risk_share is taken as known beforehand; absent: 0.45, a working value. With
    drivers.raw_risk_score, where the program has such a model."""
    seasonality: Positive = 1.0
    """Factor of the nine-month first year (2021 only)."""
    health_equity_up_months: Nonnegative = 0.0
    """Beneficiary-months that earn the upward health-equity adjustment."""
    health_equity_down_months: Nonnegative = 0.0
    """Beneficiary-months that bear the downward one."""
    source: str = ""
    """Where the figures come from."""

    @model_validator(mode="after")
    def _given_or_built(self) -> Self:
        amounts = ("dollars", "pbpm", "by_category")
        tables = ("base_year", "region", "rate_book", "risk", "shared_savings")
        if self.mode == "given":
            for table in tables:
                if getattr(self, table):
                    raise refuse('this table needs mode = "built"', at=table)
            _exactly_one(self, *amounts)
            return self
        for amount in amounts:
            if getattr(self, amount) is not None:
                raise refuse('must be left out: mode = "built" works it out', at=amount)
        if not self.region and self.shared_savings is None:
            raise refuse(
                'is missing; mode = "built" needs tables headed [[benchmark.region]] and '
                "[[benchmark.risk]], or [benchmark.shared_savings]",
                at="region",
            )
        return self


# --- drivers ----------------------------------------------------------------------------------


class _Driver(Model):
    source: str = ""
    """Where the figures come from."""


class DefaultDriver(_Driver):
    """The documented default for the entity's type, on evidence from before its year."""

    distribution: Literal["default"]


class FixedDriver(_Driver):
    """Always the same value."""

    distribution: Literal["fixed"]
    value: Number
    """The value in every draw."""


class NormalDriver(_Driver):
    """Normal; of a cost driver, the deviation on the log scale."""

    distribution: Literal["normal"]
    mean: Number = 0.0
    """Mean."""
    sd: Nonnegative
    """Standard deviation; 4% is 0.04."""


class LognormalDriver(_Driver):
    """Lognormal; of a cost driver, the cost factor itself."""

    distribution: Literal["lognormal"]
    mean: Positive = 1.0
    """Mean of the factor."""
    cv: Nonnegative
    """Its coefficient of variation."""


class StudentTDriver(_Driver):
    """Student t, cut off once in a billion draws on either side."""

    distribution: Literal["student_t"]
    location: Number = 0.0
    """Centre."""
    scale: Nonnegative
    """Scale; the standard deviation is larger."""
    degrees_of_freedom: Positive
    """The fewer, the longer the tails."""


class BetaDriver(_Driver):
    """Beta, stretched to lie between two values."""

    distribution: Literal["beta"]
    alpha: Positive
    """First shape."""
    beta: Positive
    """Second shape."""
    low: Number = 0.0
    """Least value."""
    high: Number = 1.0
    """Greatest value."""
    spike: Probability = 0.0
    """Probability of exactly 'high', on top of the density."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise refuse(
                "'low' must be below 'high'", given=f"low {self.low:.12g}, high {self.high:.12g}"
            )
        return self


class TriangularDriver(_Driver):
    """Triangular."""

    distribution: Literal["triangular"]
    low: Number
    """Least value."""
    mode: Number
    """Likeliest value."""
    high: Number
    """Greatest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not (self.low <= self.mode <= self.high and self.low < self.high):
            raise refuse(
                "'low', 'mode' and 'high' must be in rising order",
                given=f"low {self.low:.12g}, mode {self.mode:.12g}, high {self.high:.12g}",
            )
        return self


class DiscreteDriver(_Driver):
    """A few values with their probabilities."""

    distribution: Literal["discrete"]
    values: tuple[Number, ...] = Field(min_length=1)
    """What can happen."""
    probabilities: tuple[Probability, ...] = Field(min_length=1)
    """How likely each is; they add up to 1."""

    @model_validator(mode="after")
    def _one_probability_each(self) -> Self:
        if len(self.values) != len(self.probabilities):
            raise refuse(
                "needs one probability for each value",
                given=f"{len(self.probabilities)} for {len(self.values)}",
            )
        _sum_to_one(self.probabilities, "probabilities")
        return self


class EmpiricalDriver(_Driver):
    """Values that were observed, all as likely."""

    distribution: Literal["empirical"]
    values: Annotated[tuple[Number, ...], Field(min_length=1)] | None = None
    """The values, all as likely."""
    file: str | None = None
    """Instead: a CSV file of them, from the scenario's folder."""
    column: str | None = None
    """Column that holds them; needed where there are several."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _exactly_one(self, "values", "file")
        return self


class BernoulliDriver(_Driver):
    """1 with a probability, else 0: whether something happens."""

    distribution: Literal["bernoulli"]
    probability: Probability
    """How likely it is to happen."""


class ShockDriver(_Driver):
    """A rare shock: full in the year in which it strikes, partly made up for in the next."""

    distribution: Literal["shock"]
    probability: Probability
    """That a shock strikes in a year; the year after one is as likely, so at most 0.5."""
    size: Number
    """Deviation in the year in which it strikes."""
    recovery: Rate = 1.0
    """Share of it that is made up for in the year after."""

    @model_validator(mode="after")
    def _leaves_quiet_years(self) -> Self:
        if self.probability > 0.5:
            raise refuse(
                "must be at most 0.5: the year after a shock is as likely as its own",
                at="probability",
                given=f"{self.probability:.12g}",
            )
        return self


Driver = Annotated[
    DefaultDriver
    | FixedDriver
    | NormalDriver
    | LognormalDriver
    | StudentTDriver
    | BetaDriver
    | TriangularDriver
    | DiscreteDriver
    | EmpiricalDriver
    | BernoulliDriver
    | ShockDriver,
    Field(discriminator="distribution"),
]


class Correlation(Model):
    """Gaussian-copula correlation between drivers."""

    drivers: tuple[str, ...]
    """Names of the drivers that are correlated."""
    matrix: tuple[tuple[Coefficient, ...], ...]
    """Their correlations, row by row in that order; 1 on the diagonal."""


class Drivers(Model):
    """What is uncertain for all beneficiaries at once; a driver that is absent is off.

    Trend, pandemic, regional and entity drivers are deviations on the log scale that multiply
    everyone's cost; the others are amounts.
    """

    national_trend: Driver | None = None
    """Deviation of the national cost trend from the prospective one (A&D)."""
    national_trend_esrd: Driver | None = None
    """The same for ESRD; when absent ESRD shares the A&D draw."""
    pandemic: Driver | None = None
    """A shock to the nation's cost, which the retrospective trend adjustment sees too."""
    regional_trend: Driver | None = None
    """Deviation of the region from the nation."""
    entity_effect: Driver | None = None
    """The entity's own persistent deviation, mean zero."""
    quality_score: Driver | None = None
    """Total quality score, 0 to 1; absent means 1. With ci_sep_missed: the score before that."""
    ci_sep_missed: Driver | None = None
    """1 where continuous improvement or sustained exceptional performance (CI/SEP) is missed, so
    that the rules' ci_sep_multiplier cuts the quality score; else 0."""
    completion: Driver | None = None
    """Completed claims divided by claims as settled, around 1; provisional settlements have a
    completion of their own."""
    high_performers_bonus: Driver | None = None
    """Bonus from the High Performers Pool over the unadjusted benchmark; absent means 0. Has no
    default."""
    raw_risk_score: Driver | None = None
    """Raw risk score of the entity over the expected one, around 1: in a benchmark that is built it
    goes through normalization, cap and coding factor; in one that is given the expected score is
    taken to lie in the middle of the cap. Of Direct Contracting, REACH and Shared Savings."""
    reference_population_drift: Driver | None = None
    """Mean risk score of the national reference population over the projected one, around 1; risk
    scores of Direct Contracting and REACH are divided by it, before the cap where the benchmark is
    built or the raw score is a driver too."""
    coding_factor: Driver | None = None
    """Coding intensity factor over the one in the benchmark, around 1; risk scores of Direct
    Contracting and REACH are multiplied by it, after the cap."""
    health_equity_months: Driver | None = None
    """Months of health-equity adjustment over those in the benchmark, up and down alike. Has no
    default: no source states how far they are missed."""
    early_exit: Driver | None = None
    """1 where the entity leaves early and the retention withhold is kept, else 0; takes the place
    of every track's own election."""
    correlation: Correlation | None = None
    """Which of them move together; absent: none."""


# --- tracks -----------------------------------------------------------------------------------


# An attachment point of 3 is a multiple of expected cost, one of 150,000 is in dollars.
_LEAST_DOLLARS = 100


class StopLossBand(Model):
    """Cost between two attachment points, of which a share is paid out."""

    from_: Nonnegative = Field(alias="from")
    """Attachment point from which cost is paid out."""
    to: UpperEdge = Field(default_factory=lambda: math.inf)
    """Absent: no upper limit."""
    payout_rate: Rate
    """Share of the cost within the band that is paid out."""
    category: Category | None = None
    """Category the band applies to; both when absent."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.from_ < self.to:
            raise refuse(
                "'from' must be below 'to'", given=f"from {self.from_:.12g}, to {self.to:.12g}"
            )
        return self


class ChargePBPM(Model):
    """Stop-loss charge in US dollars per beneficiary per month."""

    pbpm: Nonnegative
    """US dollars."""


class ChargeRate(Model):
    """Stop-loss charge as a share of the unadjusted benchmark."""

    rate: Rate
    """Share."""


def _charge_kind(value: Any) -> str | None:
    if isinstance(value, ChargePBPM) or (isinstance(value, dict) and "pbpm" in value):
        return "(pbpm)"
    if isinstance(value, ChargeRate) or (isinstance(value, dict) and "rate" in value):
        return "(rate)"
    return "(neutral)" if value == "neutral" else None


Charge = Annotated[
    Annotated[Literal["neutral"], Tag("(neutral)")]
    | Annotated[ChargePBPM, Tag("(pbpm)")]
    | Annotated[ChargeRate, Tag("(rate)")],
    Discriminator(
        _charge_kind,
        custom_error_type=REFUSAL,
        custom_error_message='must be "neutral", { pbpm = dollars } or { rate = fraction }',
    ),
]


class StopLoss(Model):
    """Stop-loss elected for a track. No source publishes attachment points: state your own."""

    basis: Literal["dollars", "expected_cost"] = "dollars"
    """Attachment points in dollars a year, prorated by months, or as multiples of expected cost."""
    bands: tuple[StopLossBand, ...] = Field(min_length=1)
    """One table for each band between two attachment points."""
    charge: Charge = "neutral"
    """'neutral' charges the expected payout; or dollars PBPM; or a share of the benchmark."""
    loading: Nonnegative = 1.0
    """Multiple of the expected payout that a neutral charge asks."""
    payout_neutrality_factor: Nonnegative = 1.0
    """CMS's factor on all payouts."""
    source: str = ""
    """Where the design comes from; shown with the results."""

    @model_validator(mode="after")
    def _plausible_attachment_points(self) -> Self:
        for place, band in enumerate(self.bands):
            if self.basis == "expected_cost" and band.from_ >= _LEAST_DOLLARS:
                raise refuse(
                    "must be a multiple of the person's expected cost, below 100; for dollars "
                    'write basis = "dollars"',
                    at=f"bands[{place}].from",
                    given=f"{band.from_:.12g}",
                )
            if self.basis == "dollars" and 0 < band.from_ < _LEAST_DOLLARS:
                raise refuse(
                    "must be 0 or at least 100 US dollars a year; for multiples of expected cost "
                    'write basis = "expected_cost"',
                    at=f"bands[{place}].from",
                    given=f"{band.from_:.12g}",
                )
        return self

    @model_validator(mode="after")
    def _bands_apart(self) -> Self:
        for category in get_args(Category):
            rising = sorted(
                (band.from_, band.to, place)
                for place, band in enumerate(self.bands)
                if band.category in (None, category)
            )
            for (_, below, first), (above, _, second) in pairwise(rising):
                if above < below:
                    raise refuse(
                        f"must not overlap bands[{first}], which ends at {below:.12g}",
                        at=f"bands[{second}]",
                        given=f"from {above:.12g}",
                    )
        return self

    @model_validator(mode="after")
    def _loading_is_used(self) -> Self:
        if "loading" in self.model_fields_set and self.charge != "neutral":
            raise refuse('applies only to charge = "neutral"', at="loading")
        return self


class PrimaryCareCapitation(Model):
    """Monthly payment in place of primary-care claims, and the enhanced part that is lent."""

    base_rate: Rate
    """Base payment as a share of the benchmark after discount and expected quality withhold."""
    enhanced_rate: Rate = 0.0
    """Enhanced payment elected, on the same base; recouped in full."""
    claims_reduced: Rate | None = None
    """Share of all cost that the base payment replaces; absent: as much as it pays, on average."""


QuarterlyRate = Annotated[
    Annotated[Rate, Tag("(figure)")] | Annotated[tuple[Rate, ...], Tag("(by quarter)")],
    Discriminator(lambda value: "(by quarter)" if isinstance(value, list | tuple) else "(figure)"),
]


class TotalCareCapitation(Model):
    """Monthly payment in place of all claims of the participating providers."""

    leakage_withhold: QuarterlyRate
    """Share of the benchmark withheld for services expected from non-participants: one figure, or
    one for each quarter, as it is updated quarterly."""
    claims_reduced: Rate | None = None
    """Share of all cost that the payment replaces; absent: as much as it pays, on average."""


class AdvancedPayment(Model):
    """Non-primary-care claims reduced against a monthly prepayment, reconciled in full."""

    claims_reduced: Rate
    """Share of all cost whose claims are reduced."""
    prepaid_dollars: Nonnegative | None = None
    """What CMS prepays; absent: the expected reduction."""


class ProvisionalSettlement(Model):
    """Interim settlement on the first months of the year, netted in the final one."""

    cost_share: Rate | None = None
    """Share of the year's completed claims that fall in those months; absent: their share of the
    year."""
    completion: Positive = 1.0
    """Completed claims over claims as they stand at that time."""


class CostDefinition(Model):
    """How a program's own definition of cost differs from all Part A and B spending."""

    excluded_share: Rate = 0.0
    """Share of Part A and B cost that the program leaves out, such as indirect medical education,
    disproportionate-share and uncompensated-care payments."""
    truncation: dict[Category, PositiveDollars] = Field(default_factory=dict)
    """Dollars a year, by category, at which each beneficiary's cost is cut off; prorated by months.
    Absent: not truncated."""
    source: str = ""
    """Where the figures come from."""


class SharedSavings(Model):
    """Elections and facts that a Shared Savings Program track needs."""

    elected_minimum_rate: Rate | None = None
    """Minimum savings and loss rate elected; absent: the table by number of beneficiaries."""
    quality_score: Rate | None = None
    """Quality score, 0 to 1; absent: the driver's, or 1."""
    quality_standard_met: Flag = True
    """Whether the quality performance standard is met; without it savings are not shared."""
    alternative_standard_met: Flag = False
    """Whether at least the alternative standard is (from 2024), which scales the rate."""
    participant_revenue: PositiveDollars | None = None
    """Participants' Part A and B revenue, which limits losses on BASIC tracks."""
    low_revenue: Flag = False
    """Entitled to half the rate below the minimum savings rate: a low-revenue entity in an
    agreement that began in 2024 or later."""
    regional_share: Rate = 0.0
    """Share of the region's assignable beneficiaries that are the entity's: the weight of the
    national in the national-regional blend that updates the benchmark."""
    agreement_year: AgreementYear = 3
    """Year of the agreement period: on Track 2 it sets the loss limit, and from 2024 on by which
    rules the benchmark is built and updated."""
    disaster_relief_share: Rate | None = None
    """Share of losses forgiven; absent: what the rules give everyone that year."""
    advance_payments: Nonnegative = 0.0
    """Advance payments still to be recouped, US dollars."""


class NextGeneration(Model):
    """Elections that a Next Generation track needs."""

    quality_score: Rate | None = None
    """Quality score, 0 to 1; absent: the driver's, or 1."""
    regional_efficiency: Number = 0.0
    """Fraction of the benchmark by which low cost against the region lessens the discount."""
    national_efficiency: Number = 0.0
    """The same against the nation."""
    infrastructure_payments: Nonnegative = 0.0
    """Received during the year, US dollars; all of it is recouped."""


class TrackChange(Model):
    """What is different on a track from one performance year on; all else stays as it was."""

    program: str | None = None
    """Program whose rules hold from then on, such as "reach" from 2023."""
    option: str | None = None
    """Its option."""
    primary_care_capitation: PrimaryCareCapitation | None = None
    """As elected from then on; the kind of capitation stays."""
    total_care_capitation: TotalCareCapitation | None = None
    """Likewise."""
    advanced_payment: AdvancedPayment | None = None
    """As elected from then on."""
    stop_loss: StopLoss | None = None
    """As elected from then on, or with the attachment points of that year."""
    early_exit: Flag | None = None
    """The entity leaves in that year, which must then be the last."""
    projected_quality_score: Rate | None = None
    """Score from which capitation is computed from then on."""
    provisional_settlement: ProvisionalSettlement | None = None
    """Interim settlement elected from then on."""
    shared_savings: SharedSavings | None = None
    """Elections and facts of the Shared Savings Program from then on."""
    next_generation: NextGeneration | None = None
    """Elections of Next Generation ACO from then on."""
    cost: CostDefinition | None = None
    """How the program's cost differs from then on."""
    benchmark: Benchmark | None = None
    """The track's own target of that year, from which later ones grow."""
    rules: dict[str, Any] | None = None
    """Rules that the track overrides from then on, in place of those before."""


class Track(Model):
    """One way to take part: a program, an option and the elections within it."""

    name: Name
    """Name of your own."""
    program: str
    """One of `simdc programs list`."""
    option: str
    """One of the program's."""
    capitation: Literal["none", "primary_care", "total_care"] = "none"
    """Payment mechanism elected."""
    primary_care_capitation: PrimaryCareCapitation | None = None
    """Needed with capitation = "primary_care"."""
    total_care_capitation: TotalCareCapitation | None = None
    """Needed with capitation = "total_care"."""
    advanced_payment: AdvancedPayment | None = None
    """Only beside primary care capitation."""
    stop_loss: StopLoss | None = None
    """Absent: not elected."""
    early_exit: Flag = False
    """The entity leaves early and the retention withhold is kept."""
    projected_quality_score: Rate | None = None
    """Score from which monthly capitation is computed before the year ends; absent: the mean of
    the quality driver."""
    provisional_settlement: ProvisionalSettlement | None = None
    """Interim settlement elected; taken anyway where the rules make it mandatory."""
    shared_savings: SharedSavings | None = None
    """Only for the Shared Savings Program."""
    next_generation: NextGeneration | None = None
    """Only for Next Generation ACO."""
    cost: CostDefinition = CostDefinition()
    """How the program's cost differs from all Part A and B spending."""
    benchmark: Benchmark | None = None
    """This track's own target; needed where tracks of a scenario count cost differently."""
    rules: dict[str, Any] = Field(default_factory=dict)
    """Rules of the program that this track overrides, by name."""
    from_year: dict[YearKey, TrackChange] = Field(default_factory=dict)
    """With a table [years]: what changes from a performance year on, such as the program."""

    @model_validator(mode="after")
    def _capitation_has_its_table(self) -> Self:
        for kind in ("primary_care", "total_care"):
            table = f"{kind}_capitation"
            elected, given = self.capitation == kind, getattr(self, table) is not None
            if elected and not given:
                raise refuse(f'is missing; capitation = "{kind}" needs this table', at=table)
            if given and not elected:
                raise refuse(
                    f'this table needs capitation = "{kind}"',
                    at=table,
                    given=f'capitation = "{self.capitation}"',
                )
        return self


class Guarantee(Model):
    """What the required guarantee is a percentage of; fixed before the year."""

    base: Literal["prospective_benchmark", "prior_expenditure", "dollars"] = "prospective_benchmark"
    """No source states the base: an assumption unless you know it from your CMS letter."""
    prior_expenditure: PositiveDollars | None = None
    """US dollars, when base is 'prior_expenditure'."""
    dollars: PositiveDollars | None = None
    """The required amount itself, when base is 'dollars'."""

    @model_validator(mode="after")
    def _base_has_its_amount(self) -> Self:
        for key in ("prior_expenditure", "dollars"):
            needed, given = self.base == key, getattr(self, key) is not None
            if needed and not given:
                raise refuse(f'is missing; base = "{key}" needs this amount', at=key)
            if given and not needed:
                raise refuse(
                    f'this amount needs base = "{key}"', at=key, given=f'base = "{self.base}"'
                )
        return self


def _growth_kind(value: object) -> str | None:
    if isinstance(value, dict):
        return "(by year)"
    return None if isinstance(value, list | tuple) else "(figure)"


YearlyGrowth = Annotated[
    Annotated[Growth, Tag("(figure)")] | Annotated[dict[YearKey, Growth], Tag("(by year)")],
    Discriminator(
        _growth_kind,
        custom_error_type=REFUSAL,
        custom_error_message="must be a growth such as 0.04, or a table of years such as "
        "{ 2023 = 0.04, 2024 = 0.05 }",
    ),
]
"""One figure for every year, or one for each; a year that is left out has none."""


class Years(Model):
    """Performance years after the entity's first, each settled by its own rules."""

    through: Year
    """Last performance year."""
    alignment_turnover: Rate = 0.0
    """Share of beneficiaries replaced by others each year."""
    cost_persistence: Rate = 0.0
    """Correlation, from one year to the next, of what chance does to a person who stays: cost over
    what is expected of them. No source states it."""
    benchmark_growth: YearlyGrowth | None = None
    """Growth of the unadjusted benchmark over the year before, as projected; absent: none."""
    benchmark: dict[YearKey, Benchmark] = Field(default_factory=dict)
    """Instead, the benchmark of a year, from which later ones grow."""
    expected_cost_growth: YearlyGrowth | None = None
    """Growth of expected cost over the year before; absent: that of the benchmark."""
    entity_effect_correlation: Coefficient | None = None
    """Correlation of the entity effect, as a normal score, from one year to the next; absent: the
    published one of savings rates."""


class Observed(Model):
    """A published outcome to place in the simulated distribution."""

    track: Name
    """Name of the track that was really taken."""
    source: str
    """Where it was published."""
    gross_savings: Dollars | None = None
    """US dollars; negative for losses."""
    gross_savings_rate: Number | None = None
    """Gross savings over the final benchmark."""
    shared_savings: Dollars | None = None
    """The entity's share before sequestration."""
    shared_after_sequestration: Dollars | None = None
    """As it was paid or owed."""

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        figures = (
            "gross_savings",
            "gross_savings_rate",
            "shared_savings",
            "shared_after_sequestration",
        )
        if all(getattr(self, figure) is None for figure in figures):
            names = ", ".join(f"'{figure}'" for figure in figures)
            raise refuse(f"needs at least one of {names}", given="none of them")
        return self


class Scenario(Model):
    """A whole scenario file."""

    title: str = ""
    """Heading of the report."""
    run: Run = Run()
    """How much to simulate."""
    entity: Entity
    """Who takes the risk."""
    population: Population
    """Who is aligned."""
    benchmark: Benchmark
    """The target."""
    drivers: Drivers = Drivers()
    """What is uncertain for everyone at once."""
    track: tuple[Track, ...] = Field(min_length=1)
    """One table for each way to take part; all are settled on the same draws."""
    guarantee: Guarantee = Guarantee()
    """What the required guarantee is a percentage of."""
    years: Years | None = None
    """Later performance years; everything else in the file is of the first."""
    observed: Observed | None = None
    """A published outcome to compare with."""
