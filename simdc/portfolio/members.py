"""The entities of a portfolio, each a scenario with one track elected and settings of its own."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from simdc import interrupts
from simdc.errors import InputError, Problem, nearest
from simdc.portfolio.file import EntityTable, PortfolioFile, read_file
from simdc.prepare import published_option
from simdc.scenario import LoadedScenario, load_scenario
from simdc.scenario.load import load_scenario_text
from simdc.scenario.models import Scenario
from simdc.scenario.sentences import as_path, quote
from simdc.sweep.paths import Path as Setting
from simdc.sweep.places import by_names, places, refuse_overlap
from simdc.sweep.values import told_of

__all__ = ["EVERYONE", "Member", "Portfolio", "load_portfolio", "of_entities"]

EVERYONE = "all entities"
"""The group of all, which is always there."""

_TOLD = 5  # entities with mistakes
_LISTED = 3  # entities, in a sentence
_COMMON = {
    "run": "is the same for all entities: give draws and seed in [run] of the portfolio",
    "years": "a portfolio is of one performance year",
    "observed": "a portfolio is compared with no published outcome",
}
"""What entities cannot set for themselves."""

Loader: TypeAlias = Callable[[Path], LoadedScenario]


@dataclass(frozen=True, eq=False)
class Member:
    """One entity of a portfolio.

    Attributes
    ----------
    name : str
    group : str or None
    loaded : LoadedScenario
        With the settings of its own.
    track : str
        The one elected.
    """

    name: str
    group: str | None
    loaded: LoadedScenario
    track: str

    @property
    def scenario(self) -> Scenario:
        """The scenario with the elected track alone.

        Its default entity effect stays that of the option that the whole scenario rests on.
        """
        scenario = self.loaded.scenario
        entity = scenario.entity.model_copy(update={"option": published_option(scenario)})
        tracks = tuple(track for track in scenario.track if track.name == self.track)
        return scenario.model_copy(update={"entity": entity, "track": tracks, "observed": None})


@dataclass(frozen=True, eq=False)
class Portfolio:
    """Entities that are simulated together.

    Attributes
    ----------
    title : str
    path : Path
    sha256 : str
        Of the file, and of the table if there is one.
    draws, seed : int
    members : tuple of Member
        In the order of the file; those of the table come last.
    """

    title: str
    path: Path
    sha256: str
    draws: int
    seed: int
    members: tuple[Member, ...]

    @property
    def performance_year(self) -> int:
        """Calendar year of all contracts."""
        return self.members[0].loaded.scenario.entity.performance_year

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of the entities of every group, in the order of the file."""
        found: dict[str, tuple[str, ...]] = {}
        for member in self.members:
            if member.group is not None:
                found[member.group] = (*found.get(member.group, ()), member.name)
        return found


def load_portfolio(
    path: str | Path, *, draws: int | None = None, seed: int | None = None
) -> Portfolio:
    """Read and check a portfolio with all its scenarios.

    Parameters
    ----------
    path : path-like
        A TOML or CSV file, see `simdc.portfolio.file.read_file`.
    draws, seed : int, optional
        Instead of the portfolio's own.

    Raises
    ------
    InputError
        With a sentence for each problem, naming the entity.
    """
    path = Path(path)
    written, digest = read_file(path)
    _check_names(written, path)
    members = _members(written, path)
    _refuse_several_years(members, path)
    if draws is None:
        draws = written.run.draws
    return Portfolio(
        title=written.title,
        path=path,
        sha256=digest,
        draws=_common_draws(members, path) if draws is None else draws,
        seed=written.run.seed if seed is None else seed,
        members=members,
    )


def of_entities(error: InputError, name: str) -> list[Problem]:
    """What is wrong, naming the entity and the file it is in."""
    where = [f"entity '{name}'", *([error.file] if error.file else [])]
    problems = []
    for problem in error.problems:
        line = [f"line {problem.line}"] if problem.line else []
        place = ": ".join([*where, *line, *([problem.path] if problem.path else [])])
        problems.append(replace(problem, path=place, line=0))
    return problems


def _check_names(written: PortfolioFile, path: Path) -> None:
    if not written.entity:
        raise InputError("has no entities: give [[entity]] tables, or a table of them", file=path)
    counts = Counter(entity.name for entity in written.entity)
    problems = [
        Problem("is the name of several entities; results go by names, so each needs its own", name)
        for name in (f"entity '{name}'" for name, count in counts.items() if count > 1)
    ]
    problems += [
        Problem(
            f"the group '{EVERYONE}' is always there; give another name", f"entity '{entity.name}'"
        )
        for entity in written.entity
        if entity.group == EVERYONE
    ]
    if problems:
        raise InputError(problems, file=path)


def _members(written: PortfolioFile, path: Path) -> tuple[Member, ...]:
    """Every entity with its scenario; what is wrong with the first few is told together."""
    load = functools.cache(_loaded)  # entities often share a scenario
    members: list[Member] = []
    problems: list[Problem] = []
    bad = 0
    for entity in written.entity:
        interrupts.check()
        try:
            members.append(_member(entity, written, path.parent, load))
        except InputError as error:
            bad += 1
            problems += of_entities(error, entity.name) if bad <= _TOLD else []
    if bad > _TOLD:
        problems.append(Problem(f"{bad - _TOLD:,} more of the entities cannot be run either"))
    if problems:
        raise InputError(problems, file=path)
    return tuple(members)


def _loaded(path: Path) -> LoadedScenario:
    try:
        return load_scenario(path)
    except OSError as error:  # a name that no file system takes
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None


def _member(entity: EntityTable, written: PortfolioFile, folder: Path, load: Loader) -> Member:
    file = entity.scenario or written.scenario
    if file is None:
        raise InputError("needs a 'scenario', its own or that of the whole portfolio")
    loaded = _changed(load(folder / file), entity.set)
    if loaded.scenario.years is not None:
        raise InputError(
            "a portfolio is of one performance year, and the scenario has a table [years]",
            file=loaded.path,
        )
    track = entity.track or written.track
    return Member(entity.name, entity.group, loaded, _elected(loaded, track))


def _changed(loaded: LoadedScenario, settings: Mapping[str, object]) -> LoadedScenario:
    """A scenario with some settings changed."""
    if not settings:
        return loaded
    document = loaded.document()
    values = dict(_parsed(settings))
    refuse_overlap(document, values)
    changes = {
        as_path(place): value
        for setting, value in values.items()
        for place in places(document, setting)
    }
    try:
        return load_scenario_text(loaded.text, loaded.path, changes)
    except InputError as error:  # by the names that the settings were addressed by
        problems = [replace(p, path=by_names(document, p.path), line=0) for p in error.problems]
        raise InputError(problems, file=error.file) from None


def _parsed(settings: Mapping[str, object]) -> Iterator[tuple[Setting, object]]:
    for written, value in settings.items():
        with told_of(written):
            setting = Setting.parse(written)
            if refusal := _COMMON.get(str(setting.steps[0])):
                raise InputError(refusal)
        yield setting, value


def _elected(loaded: LoadedScenario, track: str | None) -> str:
    tracks = [track.name for track in loaded.scenario.track]
    if track is None and len(tracks) == 1:
        return tracks[0]
    if track is None:
        raise InputError(f"needs a 'track': its scenario has {', '.join(tracks)}")
    if track not in tracks:
        raise InputError(
            Problem(
                f"must be one of {', '.join(tracks)}", "track", quote(track), nearest(track, tracks)
            )
        )
    return track


# --- what all entities must agree in ----------------------------------------------------------


def _refuse_several_years(members: Iterable[Member], path: Path) -> None:
    years = _by(members, lambda member: member.loaded.scenario.entity.performance_year)
    if len(years) > 1:
        raise InputError(
            f"entities share the drivers of one performance year, and these are of {_told(years)}; "
            "give each year a portfolio of its own",
            file=path,
        )


def _common_draws(members: Iterable[Member], path: Path) -> int:
    """The number of draws that all scenarios ask for."""
    asked = _by(members, lambda member: member.loaded.scenario.run.draws)
    if len(asked) > 1:
        raise InputError(
            f"the scenarios ask for different numbers of draws, {_told(asked, ',')}; say with "
            "'draws' in [run], or --draws, how many all are to have",
            file=path,
        )
    return next(iter(asked))


def _by(members: Iterable[Member], figure: Callable[[Member], int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for member in members:
        found.setdefault(figure(member), []).append(member.name)
    return dict(sorted(found.items()))


def _told(names: Mapping[int, list[str]], style: str = "") -> str:
    """Figures with the entities that have them: ``2022 (north, south) and 2023 (west)``."""
    parts = []
    for figure, having in names.items():
        more = f" and {len(having) - _LISTED} more" if len(having) > _LISTED else ""
        parts.append(f"{figure:{style}} ({', '.join(having[:_LISTED])}{more})")
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
