"""Runs over consecutive draws, joined into the one run that they are parts of.

A draw is addressed by its number, so runs over draws 0-999 and 1,000-1,999 hold the very numbers
that one run over draws 0-1,999 holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError
from simdc.outcome import Simulation, TrackOutcome

__all__ = ["join"]

Array = NDArray[np.float64]
Rows = dict[str, Array]


def join(parts: Iterable[Simulation]) -> Simulation:
    """One simulation out of runs over consecutive draws of the same scenario and seed.

    Parameters
    ----------
    parts : iterable of Simulation
        In any order. Arrays that nobody else holds are let go one by one, so an iterator that
        gives its parts away, such as ``(parts.pop() for _ in range(len(parts)))``, keeps the draws
        from being held twice.

    Returns
    -------
    Simulation
        The bits of one run over all the draws. Durations are summed; whatever is the same in every
        draw is that of the first part.

    Raises
    ------
    InputError
        Without parts; when draws are missing between them or are in two of them; when seeds,
        tracks, segments or drivers differ.
    """
    held = sorted(parts, key=lambda part: part.first_draw)
    _refuse_what_is_no_run(held)
    first = held[0]
    frame = replace(
        first,
        draws=sum(part.draws for part in held),
        durations=_added([part.durations for part in held]),
        tracks=(),
        cost=np.empty((len(first.segments), 0)),
        drivers={},
    )
    tracks = [replace(track, draws={}) for track in first.tracks]
    lines = [[dict(part.tracks[place].draws) for part in held] for place in range(len(tracks))]
    drivers = [dict(part.drivers) for part in held]
    cost = [{"cost": part.cost} for part in held]
    del first
    held.clear()  # from here on, emptying the rows lets their arrays go
    return replace(
        frame,
        tracks=tuple(
            replace(track, draws=_end_to_end(rows))
            for track, rows in zip(tracks, lines, strict=True)
        ),
        cost=_end_to_end(cost)["cost"],
        drivers=_end_to_end(drivers),
    )


def _end_to_end(parts: Sequence[Rows]) -> Rows:
    """Arrays of the parts one after another along their draws; the parts are emptied."""
    return {
        name: np.concatenate([rows.pop(name) for rows in parts], axis=-1) for name in list(parts[0])
    }


def _added(durations: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Seconds of each phase, all parts together."""
    phases = dict.fromkeys(phase for part in durations for phase in part)
    return {phase: sum(part.get(phase, 0.0) for part in durations) for phase in phases}


# --- what joins -------------------------------------------------------------------------------


def _refuse_what_is_no_run(parts: Sequence[Simulation]) -> None:
    """Refuse parts, in the order of their draws, that are not of one run."""
    if not parts:
        raise InputError("there is nothing to join")
    for one, other in pairwise(parts):
        _refuse_gap(one, other)
        for what in _differences(one, other):
            raise InputError(
                f"runs over {_range(one)} and {_range(other)} do not join: their {what} differ"
            )


def _refuse_gap(one: Simulation, other: Simulation) -> None:
    end = one.first_draw + one.draws
    if other.first_draw > end:
        missing = f"draws {end:,} to {other.first_draw - 1:,} are missing"
    elif other.first_draw < end:
        missing = f"draw {other.first_draw:,} is in both"
    else:
        return
    raise InputError(f"runs over {_range(one)} and {_range(other)} do not join: {missing}")


def _differences(one: Simulation, other: Simulation) -> list[str]:
    compared = {
        "seeds": one.seed == other.seed,
        "tracks": list(map(_terms, one.tracks)) == list(map(_terms, other.tracks)),
        "segments": (one.segments, one.segment_table) == (other.segments, other.segment_table),
        "drivers": set(one.drivers) == set(other.drivers),
    }
    return [what for what, same in compared.items() if not same]


def _terms(track: TrackOutcome) -> tuple[object, ...]:
    """All of a track that no draw changes."""
    settled = (track.name, track.program, track.option, track.rules, set(track.draws))
    return (*settled, track.fixed, track.required_guarantee, track.guarantee_basis)


def _range(part: Simulation) -> str:
    return f"draws {part.first_draw:,} to {part.first_draw + part.draws - 1:,}"
