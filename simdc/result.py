"""A simulation as a labelled tree: built, written, read.

============ ====================================================================================
group        holds
============ ====================================================================================
/            provenance, as attributes (see `simdc.provenance`)
/inputs      segments, tracks, every rule with its source, assumptions
/draws       settlement lines per track and draw, cost per segment and draw, drivers per draw
/summary     per line and track: statistics, each with confidence limits and standard error
/guarantee   per track: the required amount, how often it fails, the amounts that would cover
/observed    a published outcome and where it falls; only where the scenario gives one
/attribution what each driver and people's luck are worth; only where asked for
/convergence watched figures by number of draws; only of a run that went on until they were known
/years       every performance year, all together, and the guarantee by date; only with [years]
============ ====================================================================================

An estimate lies along the dimension ``figure``: ``estimate, ci_low, ci_high, standard_error``. NaN
stands where the draws do not support it. Variables are described in `simdc.variables`.
"""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from simdc import interrupts
from simdc.errors import InputError, SimdcError
from simdc.estimate import CONFIDENCE, draws_needed, probability
from simdc.figures import FIGURES, STATISTICS, guarantee_figures, outcome, summary_figures
from simdc.guarantee import LEVELS, STEPS
from simdc.provenance import provenance
from simdc.variables import SIGN_CONVENTION, VARIABLES

if TYPE_CHECKING:
    from simdc.attribution import Attribution
    from simdc.outcome import Assumption, Simulation, TrackOutcome
    from simdc.programs import RuleSet
    from simdc.scenario import LoadedScenario
    from simdc.scenario.models import Observed

__all__ = [
    "FIXED",
    "add_attribution",
    "assumption_columns",
    "build_result",
    "check_target",
    "group",
    "labelled",
    "read_result",
    "resize_guarantee",
    "rule_columns",
    "write_result",
]

Array: TypeAlias = NDArray[np.float64]

FORMAT = "simdc result"
FORMAT_VERSION = 1

FIXED = (
    "unadjusted_benchmark",
    "stop_loss_charge",
    "base_capitation",
    "enhanced_capitation",
    "guarantee_base",
)
_GUARANTEE_LINES = ("cash_due", "shared_after_sequestration", "provisional_settlement")
_OBSERVABLE = (
    "gross_savings_rate",
    "gross_savings",
    "shared_savings",
    "shared_after_sequestration",
)


def group(tree: xr.DataTree, name: str) -> xr.Dataset:
    """One group of a result, such as ``summary``."""
    return tree.children[name].dataset


# --- building ---------------------------------------------------------------------------------


def build_result(
    simulation: Simulation, loaded: LoadedScenario, levels: Sequence[float] = LEVELS
) -> xr.DataTree:
    """Estimate everything a simulation supports and lay it out as a tree.

    The draws are not copied: rows of the tracks are stacked only when a variable is read.

    Parameters
    ----------
    simulation : Simulation
    loaded : LoadedScenario
        The scenario it came from.
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover the total owed.
    """
    scenario = loaded.scenario
    root = xr.Dataset(
        attrs={
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "title": scenario.title,
            "entity": scenario.entity.id,
            "entity_type": scenario.entity.type,
            "performance_year": scenario.entity.performance_year,
            "sign_convention": SIGN_CONVENTION,
            "confidence": CONFIDENCE,
            **provenance(simulation, loaded),
        }
    )
    groups = {
        "/": root,
        "/inputs": _inputs(simulation),
        "/draws": _draws(simulation),
        "/summary": _summary(simulation.tracks),
        "/guarantee": _guarantee(
            [track.name for track in simulation.tracks],
            [track.draws for track in simulation.tracks],
            [track.required_guarantee for track in simulation.tracks],
            [track.guarantee_basis for track in simulation.tracks],
            levels,
        ),
    }
    if scenario.observed is not None:
        track = next(t for t in simulation.tracks if t.name == scenario.observed.track)
        groups["/observed"] = _observed(scenario.observed, track)
    return xr.DataTree.from_dict(groups)


def resize_guarantee(tree: xr.DataTree, levels: Sequence[float]) -> xr.DataTree:
    """The same result with its guarantee sized at other levels.

    Raises
    ------
    InputError
        For a level that is not a fraction.
    """
    draws, before = group(tree, "draws"), group(tree, "guarantee")
    names = [str(name) for name in before["track"].values]
    sized = _guarantee(
        names,
        [
            {line: draws[line].sel(track=name).values for line in _GUARANTEE_LINES if line in draws}
            for name in names
        ],
        [None if math.isnan(v) else float(v) for v in before["required_guarantee"].values],
        [str(basis) for basis in before["guarantee_basis"].values],
        levels,
    )
    groups = {path: node for path, node in tree.to_dict().items() if path != "/guarantee"}
    return xr.DataTree.from_dict({**groups, "/guarantee": sized})


_OF_SOURCE = (
    "driver_mean_in_worst",
    "covering_change",
    "what_if_probability_owing",
    "what_if_covering_amount",
)
_OF_SOURCE_AND_LINE = (
    "variance_share",
    "variance_removed",
    "what_if_mean",
    "what_if_standard_deviation",
)


def add_attribution(tree: xr.DataTree, found: Attribution) -> xr.DataTree:
    """The same result with what each source of its uncertainty is worth."""

    def figures(name: str) -> list[list[Any]]:
        return [
            [getattr(of_source[source], name) for source in found.sources]
            for of_source in found.tracks.values()
        ]

    def of_line(line: str, rows: list[list[Any]]) -> list[list[Any]]:
        return [[by_line[line] for by_line in row] for row in rows]

    attribution = labelled(
        {
            "track": list(found.tracks),
            "driver": list(found.sources),
            "line": list(found.lines),
            "figure": list(FIGURES),
            "driver_mean": [found.means[source] for source in found.sources],
            **{name: figures(name) for name in _OF_SOURCE},
            **{
                name: [of_line(line, figures(name)) for line in found.lines]
                for name in _OF_SOURCE_AND_LINE
            },
        }
    )
    return xr.DataTree.from_dict({**tree.to_dict(), "/attribution": attribution})


class _TrackRows(BackendArray):
    """One row of draws per track, stacked only where somebody reads them.

    A run of a million draws holds hundreds of megabytes in these rows; they are never held twice.
    """

    def __init__(self, rows: Sequence[Array]) -> None:
        self._rows = tuple(rows)
        self.shape = (len(self._rows), self._rows[0].size)
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        rows, draws = key
        if isinstance(rows, slice):
            return np.stack([row[draws] for row in self._rows[rows]])
        return self._rows[rows][draws]


def _variable(name: str, data: Any, dims: tuple[str, ...] | None = None) -> xr.Variable:
    described = VARIABLES[name]
    return xr.Variable(described.dims if dims is None else dims, data, described.attributes)


def labelled(names_and_data: Mapping[str, Any], **attributes: Any) -> xr.Dataset:
    """A dataset of registered variables; those named after their dimension become coordinates."""
    variables = {name: _variable(name, data) for name, data in names_and_data.items()}
    coordinates = {name for name in variables if variables[name].dims == (name,)}
    return xr.Dataset(
        {name: v for name, v in variables.items() if name not in coordinates},
        {name: v for name, v in variables.items() if name in coordinates},
        attributes,
    )


def _inputs(simulation: Simulation) -> xr.Dataset:
    tracks = simulation.tracks
    return labelled(
        {
            "segment": list(simulation.segments),
            **{name: list(column) for name, column in simulation.segment_table.items()},
            "track": [track.name for track in tracks],
            "program": [track.program for track in tracks],
            "option": [track.option for track in tracks],
            **{name: [track.fixed.get(name, math.nan) for track in tracks] for name in FIXED},
            **rule_columns((track.name, track.rules) for track in tracks),
            **assumption_columns(simulation.assumptions),
        }
    )


_RULE_COLUMNS = (
    "rule_track",
    "rule_name",
    "rule_value",
    "rule_unit",
    "rule_source",
    "rule_confidence",
    "rule_note",
    "rule_original",
)
_ASSUMPTION_COLUMNS = ("assumption_subject", "assumption_statement", "assumption_source")


def _columns(rows: Sequence[tuple[str, ...]], names: tuple[str, ...]) -> dict[str, Any]:
    table = np.array(rows, dtype=object).reshape(len(rows), len(names))
    return {name: table[:, column] for column, name in enumerate(names)}


def rule_columns(tracks: Iterable[tuple[str, RuleSet]]) -> dict[str, Any]:
    """Every rule of every track, given with its name, one row each, as a table's variables."""
    rows = [
        (
            track,
            name,
            _json(rule.value),
            rule.unit,
            rules.citation(name),
            rule.confidence,
            rule.note,
            _json(rule.original) if rule.overridden else "",
        )
        for track, rules in tracks
        for name, rule in rules.items()
    ]
    return _columns(rows, _RULE_COLUMNS)


def assumption_columns(assumptions: Sequence[Assumption]) -> dict[str, Any]:
    """Every assumption, one row each, as the variables of a table."""
    rows = [(each.subject, each.statement, each.source) for each in assumptions]
    return _columns(rows, _ASSUMPTION_COLUMNS)


def _json(value: object) -> str:
    """JSON text of a rule's value; an infinite edge is null, which every reader of JSON takes."""

    def plain(item: Any) -> Any:
        if isinstance(item, list | tuple):
            return [plain(each) for each in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    return json.dumps(plain(value))


def _draws(simulation: Simulation) -> xr.Dataset:
    tracks = simulation.tracks
    first = simulation.first_draw
    return labelled(
        {
            "track": [track.name for track in tracks],
            "segment": list(simulation.segments),
            "draw": np.arange(first, first + simulation.draws, dtype=np.int64),
            **{
                line: indexing.LazilyIndexedArray(_TrackRows([t.draws[line] for t in tracks]))
                for line in tracks[0].draws
            },
            "cost": simulation.cost,
            **simulation.drivers,
        }
    )


# --- estimating -------------------------------------------------------------------------------


def _summary(tracks: Sequence[TrackOutcome]) -> xr.Dataset:
    labels = labelled(
        {
            "track": [track.name for track in tracks],
            "statistic": list(STATISTICS),
            "figure": list(FIGURES),
        }
    )
    found = [summary_figures(track.draws) for track in tracks]
    return labels.assign(
        {
            line: _variable(
                line,
                np.array([of_track[line] for of_track in found]),
                ("track", "statistic", "figure"),
            )
            for line in found[0]
        }
    )


def _guarantee(
    names: Sequence[str],
    draws: Sequence[Mapping[str, Array]],
    required: Sequence[float | None],
    basis: Sequence[str],
    levels: Sequence[float],
) -> xr.Dataset:
    """Sizing of every track, from its rows of `_GUARANTEE_LINES`; the last need not be there."""
    levels = sorted(set(levels))
    sized = [
        guarantee_figures(of_track, amount, levels)
        for of_track, amount in zip(draws, required, strict=True)
    ]
    return labelled(
        {
            "track": list(names),
            "figure": list(FIGURES),
            "level": np.array(levels, dtype=np.float64),
            "guarantee_basis": list(basis),
            "draws_needed": [draws_needed(level) for level in levels],
            **({"step": list(STEPS)} if "covering_amount_by_step" in sized[0] else {}),
            **{name: np.array([of_track[name] for of_track in sized]) for name in sized[0]},
        }
    )


def _observed(observed: Observed, track: TrackOutcome) -> xr.Dataset:
    """Published figures, each with the share of draws at or below it."""
    found: dict[str, xr.Variable] = {}
    for name in _OBSERVABLE:
        published = getattr(observed, name)
        if published is None:
            continue
        values = outcome(track.draws, name)
        below = probability(int(np.count_nonzero(values <= published)), values.size)
        found[name] = _variable(name, published, ())
        found[f"{name}_percentile"] = xr.Variable(
            ("figure",),
            np.array(below),
            {
                "long_name": f"share of draws at or below the published {name.replace('_', ' ')}",
                "units": "1",
                "sign_convention": "none",
            },
        )
    labels = labelled({"figure": list(FIGURES)}, track=track.name, source=observed.source)
    return labels.assign(found)


# --- files ------------------------------------------------------------------------------------


def check_target(path: str | Path) -> None:
    """Make sure that a result can be written there, before hours are spent on it.

    The folder is made if need be.

    Raises
    ------
    InputError
        When the name does not end in .nc, the path is a folder, or its folder cannot be made or
        written to.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError("is a folder; give the name of a file", file=path)
    if path.suffix != ".nc":
        raise InputError("a result is a netCDF file and its name ends in .nc", file=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError("cannot be written: its folder is write-protected", file=path)


def write_result(tree: xr.DataTree, path: str | Path) -> None:
    """Write a result as one netCDF file that appears whole or not at all.

    The file is written under a temporary name in the same folder, forced to disk and renamed.
    Random draws do not compress, so nothing is compressed.

    Raises
    ------
    InputError
        When nothing can be written there, see `check_target`.
    SimdcError
        When writing fails; an older file of that name is then still there.
    """
    path = Path(path)
    check_target(path)
    from simdc.netcdf import write_netcdf  # h5py is for those who keep a result

    with _replacing(path) as temporary:
        write_netcdf(tree, temporary)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    _sweep(path)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        interrupts.check()
        temporary.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error).partition(" (")[0]
        raise SimdcError(f"{path}: cannot be written: {reason}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what earlier runs left when they were killed while writing this result."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = left.suffixes[-2].removeprefix(".")
        if pid.isdecimal() and not _is_running(int(pid)):
            left.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def read_result(path: str | Path) -> xr.DataTree:
    """Open a result: draws stay on disk until they are used, everything else is loaded.

    Close it, or use it in a ``with`` statement.

    Raises
    ------
    InputError
        When there is no such file, or it is no result, damaged, or of a later format.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "zarr.json").exists():
            raise InputError(
                "is the store of many points, not a result of 'simdc run'; the command that made "
                "it prints its tables again with --resume",
                file=path,
            )
        raise InputError("is a folder, not a result file", file=path)
    if not path.exists():
        raise InputError("there is no such file; 'simdc run' writes results", file=path)
    with contextlib.ExitStack() as on_failure:
        try:
            tree = xr.open_datatree(path, engine="h5netcdf")
            on_failure.callback(tree.close)
            _check_format(tree, path)
            for node in tree.subtree:
                if node.name != "draws":
                    node.dataset.load()
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError("is not a netCDF file, or is damaged", file=path) from error
        on_failure.pop_all()
    return tree


def _check_format(tree: xr.DataTree, path: Path) -> None:
    if tree.attrs.get("format") != FORMAT:
        raise InputError("is a netCDF file, but not a result of simdc", file=path)
    if tree.attrs["format_version"] > FORMAT_VERSION:
        raise InputError("was written by a later version of simdc; update to read it", file=path)
    missing = {"inputs", "draws", "summary", "guarantee"} - set(tree.children)
    if missing:
        raise InputError(f"is damaged: its group '{min(missing)}' is missing", file=path)
