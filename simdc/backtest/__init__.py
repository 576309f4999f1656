"""Forecasts from before a performance year, scored against what was published after it.

:mod:`~simdc.backtest.published` reads the file, :mod:`~simdc.backtest.ready` builds each entity's
scenario, :mod:`~simdc.backtest.forecast` simulates them, :mod:`~simdc.backtest.scores` holds the
statistics, :mod:`~simdc.backtest.judge` puts them together and :mod:`~simdc.backtest.words` says
what they mean.
"""

from __future__ import annotations

from simdc.backtest.judge import Backtest, backtest

__all__ = ["Backtest", "backtest"]
