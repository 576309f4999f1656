"""What a stored sweep is of: two sweeps with the same identity have the same bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from simdc.provenance import versions

__all__ = ["FORMAT", "FORMAT_VERSION", "differences", "fingerprint", "sweep_identity"]

FORMAT = "simdc sweep"
FORMAT_VERSION = 1

_NAMES = {
    "scenario": "the scenario",
    "overrides": "the settings changed on the command line",
    "points": "the swept points",
    "draws": "the number of draws",
    "seed": "the seed",
    "draw_scheme": "the way random numbers are addressed",
    "levels": "the levels of the guarantee",
    "simdc": "the version of simdc",
    "format": "the format",
    "variables": "the result variables",
}
_SHOWN = {
    "draws",
    "seed",
    "draw_scheme",
    "levels",
    "simdc",
    "format",
}  # short enough for a sentence
_FILE = "file "


def sweep_identity(
    *,
    scenario_sha256: str,
    files: Mapping[str, str],
    overrides: Mapping[str, object],
    points: Mapping[str, tuple[str, ArrayLike]],
    draws: int,
    seed: int,
    draw_scheme: str,
    levels: Iterable[float],
    variables: Mapping[str, Iterable[str]],
) -> dict[str, str]:
    """Everything that the bits of a sweep rest on, as short texts by name.

    Parameters
    ----------
    scenario_sha256 : str
        Of the text of the scenario.
    files : mapping of str to str
        SHA-256 of every file that the scenario names, by that name.
    overrides : mapping of str to object
        Settings changed after the scenario was read, by path.
    points : mapping of str to (str, sequence)
        Label of every swept path: the dimension it lies along and its values in order.
    draws, seed : int
    draw_scheme : str
        Version of the addresses of random numbers.
    levels : iterable of float
        Probabilities with which a guarantee is to cover the total owed.
    variables : mapping of str to iterable of str
        Names of the variables of every group, such as ``summary``.
    """
    return {
        "scenario": scenario_sha256,
        "overrides": _digest(dict(overrides)),
        "points": _digest([[label, *given] for label, given in points.items()]),
        "draws": str(draws),
        "seed": str(seed),
        "draw_scheme": draw_scheme,
        "levels": ", ".join(map(str, levels)),
        "simdc": versions(["simdc"])["simdc"],
        "format": str(FORMAT_VERSION),
        "variables": _digest({group: sorted(names) for group, names in variables.items()}),
        **{f"{_FILE}{name}": content for name, content in files.items()},
    }


def fingerprint(identity: Mapping[str, str]) -> str:
    """SHA-256 of an identity, in hexadecimal; the order of its parts does not matter."""
    return _digest(dict(identity))


def differences(stored: Mapping[str, str], wanted: Mapping[str, str]) -> Sequence[str]:
    """The parts in which two identities differ, each as a phrase such as ``the seed (1, now 2)``.

    Parameters
    ----------
    stored, wanted : mapping of str to str
        From `sweep_identity`.
    """
    return [
        _phrase(part, stored.get(part, "none"), wanted.get(part, "none"))
        for part in dict.fromkeys((*wanted, *stored))
        if stored.get(part) != wanted.get(part)
    ]


def _phrase(part: str, stored: str, wanted: str) -> str:
    if part.startswith(_FILE):
        return f"the file '{part.removeprefix(_FILE)}'"
    name = _NAMES.get(part, f"the {part.replace('_', ' ')}")
    return f"{name} ({stored}, now {wanted})" if part in _SHOWN else name


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
