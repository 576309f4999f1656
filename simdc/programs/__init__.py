"""Rules of the programs by performance year: value, unit, source and confidence of each figure.

The figures live in ``data/NAME.toml``; this package is their typed view.
"""

from __future__ import annotations

from simdc.programs.load import load_program, program_names
from simdc.programs.model import Program, Rule, RuleSet

__all__ = ["Program", "Rule", "RuleSet", "load_program", "program_names"]
