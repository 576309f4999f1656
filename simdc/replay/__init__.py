"""Published results, recomputed row by row with the settlement functions that simulations use.

:mod:`~simdc.replay.table`, :mod:`~simdc.replay.cells` and :mod:`~simdc.replay.sheet` read what CMS
and its republishers write; :mod:`~simdc.replay.direct_contracting` and
:mod:`~simdc.replay.shared_savings` recompute it; :mod:`~simdc.replay.judge` counts what agrees.
"""

from __future__ import annotations

from simdc.replay.replay import PROGRAMS, Report, replay

__all__ = ["PROGRAMS", "Report", "replay"]
