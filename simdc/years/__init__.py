"""Several performance years: each settled by its own rules, together and date by date.

`simdc.scenario.rolling` gives each year as a scenario of its own; here they are simulated one after
another (`simulate`), what must be guaranteed on each date is worked out (`calendar`), and both are
laid out as the group ``/years`` of a result (`tree`).
"""

from simdc.years.calendar import Standing, guarantee_calendar
from simdc.years.simulate import YearOutcome, YearsOutcome, prepare_years, simulate_years

__all__ = [
    "Standing",
    "YearOutcome",
    "YearsOutcome",
    "guarantee_calendar",
    "prepare_years",
    "simulate_years",
]
