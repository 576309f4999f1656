"""What the user asks for: a TOML file read into frozen models, or one sentence for each mistake.

Read in this order: ``fields`` (kinds of number), ``models`` (one class per table), ``checks``
(rules between tables), ``load`` (the file), ``sentences`` and ``lines`` (how a mistake is told).
"""

from __future__ import annotations

from simdc.scenario.checks import track_rules
from simdc.scenario.load import LoadedScenario, load_scenario, parse_scenario, scenario_schema
from simdc.scenario.models import Scenario

__all__ = [
    "LoadedScenario",
    "Scenario",
    "load_scenario",
    "parse_scenario",
    "scenario_schema",
    "track_rules",
]
