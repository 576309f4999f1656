"""The scenarios of a sweep: what a command line asks for, and the scenario of each point, checked.

Every point goes through the scenario's own parser, with what no point touches read once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from simdc import interrupts
from simdc.errors import InputError, Problem
from simdc.scenario import LoadedScenario, Scenario, parse_scenario
from simdc.scenario.checks import check
from simdc.scenario.files import files_named, hashes
from simdc.scenario.sentences import as_path
from simdc.sweep.design import Axis, Design, grid, zipped
from simdc.sweep.paths import Path, split_vary
from simdc.sweep.places import Place, at, by_names, places, put, refuse_overlap
from simdc.sweep.table import from_table
from simdc.sweep.values import as_toml, parse_values, told_of

__all__ = ["Variation", "build_scenario", "build_scenarios", "design_of", "varied"]


# --- what the user asks for -------------------------------------------------------------------


def design_of(
    loaded: LoadedScenario,
    vary: Sequence[str],
    *,
    zip: bool = False,
    sample: str | None = None,
    table: FilePath | None = None,
    seed: int,
) -> Design:
    """The design that a command line asks for, its paths checked against the scenario.

    Parameters
    ----------
    loaded : LoadedScenario
    vary : sequence of str
        Each ``PATH=VALUES``, or with `sample` ``PATH=RANGE``.
    zip : bool
        Walk the lists together instead of meeting every value with every other.
    sample : str, optional
        ``sobol:COUNT`` or ``lhs:COUNT``.
    table : path-like, optional
        A file of points, instead of `vary`.
    seed : int
        Of the sample.

    Raises
    ------
    InputError
        For options that contradict each other, paths that lead nowhere, meet or repeat, and
        values that are none.
    """
    _refuse_contradiction(vary, zip, sample, table)
    document = loaded.document()
    if table is not None:
        return from_table(document, FilePath(table))
    texts = varied(document, vary)
    if sample is None:
        axes = []
        for path, text in texts.items():
            with told_of(str(path)):
                axes.append(Axis(path, parse_values(text)))
        return zipped(axes) if zip else grid(axes)

    # scipy takes a while to import and only samples need it
    from simdc.sweep.sampling import parse_range, parse_sample, sampled

    method, points = parse_sample(sample)
    ranges = {}
    for path, text in texts.items():
        with told_of(str(path)):
            ranges[path] = parse_range(text)
    return sampled(ranges, method, points, seed)


def varied(document: Mapping[str, Any], vary: Sequence[str]) -> dict[Path, str]:
    """What each ``PATH=TEXT`` varies, with the text as it stands.

    Parameters
    ----------
    document : mapping
        The scenario without mistakes.
    vary : sequence of str

    Raises
    ------
    InputError
        For paths that lead nowhere, meet or repeat.
    """
    texts: dict[Path, str] = {}
    for option in vary:
        path, text = split_vary(option)
        if path in texts:
            raise InputError(Problem("is varied twice", str(path)))
        texts[path] = text
    refuse_overlap(document, texts)
    return texts


def _refuse_contradiction(
    vary: Sequence[str], zip: bool, sample: str | None, table: FilePath | None
) -> None:
    if zip and sample is not None:
        raise InputError("--zip and --sample exclude each other: a sample has no lists to walk")
    if table is not None and (vary or zip or sample is not None):
        raise InputError("--from gives whole points; leave out --vary, --zip and --sample")
    if table is None and not vary:
        raise InputError("nothing to vary: give --vary PATH=VALUE,VALUE,... or --from FILE")


# --- scenarios --------------------------------------------------------------------------------

_REMEMBERED = 2_048  # points: a sweep looks at each when it is planned and when it is run
_TOLD = 5  # bad points
_SHOWN = 4  # values of a point, in a sentence


def build_scenarios(loaded: LoadedScenario, design: Design) -> Iterator[LoadedScenario]:
    """The scenario of each point, in order.

    Whoever walks to the end before running anything has checked every point: scenarios come up to
    the first bad point, after which the others are only checked.

    Parameters
    ----------
    loaded : LoadedScenario
        What is varied; its file names stay relative to its own folder.
    design : Design

    Yields
    ------
    LoadedScenario
        Its overrides are those of `loaded` and the values of the point.

    Raises
    ------
    InputError
        After the last point, with what is wrong with the first bad points and how many there are.
    """
    variation = Variation(loaded, design)
    for index, scenario in variation.scenarios():
        yield variation.loaded(index, scenario)


def build_scenario(loaded: LoadedScenario, design: Design, index: int) -> LoadedScenario:
    """The scenario of one point.

    Raises
    ------
    InputError
        If it has mistakes, naming the point.
    """
    variation = Variation(loaded, design)
    return variation.loaded(index, variation.scenario(index))


class Variation:
    """A scenario and a design, ready to be checked point by point.

    Tables that no point touches are read once: the models of the scenario as it is stand in their
    place, which pydantic takes as they are and the checks between tables know to be sound.

    Parameters
    ----------
    loaded : LoadedScenario
        What is varied.
    design : Design

    Attributes
    ----------
    inputs_sha256 : mapping of str to str
        Of the content of every file that some point names, by the name it gives.
    """

    def __init__(self, loaded: LoadedScenario, design: Design) -> None:
        self._loaded, self._design = loaded, design
        self._document = loaded.document()
        self._sound = parse_scenario(
            self._document, file=loaded.path, base_dir=loaded.base_dir, text=loaded.text
        )
        self._places = {axis.path: places(self._document, axis.path) for axis in design.axes}
        touched = [place for led in self._places.values() for place in led]
        self._prepared = _with_models(self._document, self._sound, touched)
        self._sound_at = functools.lru_cache(_REMEMBERED)(self._find)
        swept = {
            file
            for axis in design.axes
            for value in axis.values
            for file in files_named({str(axis.path.steps[-1]): value})
        }
        self._sweeps_files = bool(swept)
        self.inputs_sha256 = {**loaded.inputs_sha256, **hashes(swept, loaded.base_dir)}

    def scenario(self, index: int) -> Scenario:
        """The scenario of a point.

        Raises
        ------
        InputError
            If it has mistakes, naming the point.
        """
        scenario = self._sound_at(index)
        if scenario is None:
            raise InputError(self._problems(index), file=self._loaded.path)
        return scenario

    def scenarios(self) -> Iterator[tuple[int, Scenario]]:
        """Every point's number and scenario, up to the first bad point; others are only checked.

        Raises
        ------
        InputError
            After the last point, with what is wrong with the first bad points and how many there
            are.
        """
        problems: list[Problem] = []
        bad, size = 0, self._design.size
        for index in range(size):
            interrupts.check()
            scenario = self._sound_at(index)
            if scenario is None:
                bad += 1
                problems += self._problems(index) if bad <= _TOLD else ()
            elif not bad:
                yield index, scenario
        if bad > _TOLD:
            others = f"{bad - _TOLD:,} more of the {size:,} points"
            problems.append(Problem(f"{others} cannot be run either"))
        if bad:
            raise InputError(problems, file=self._loaded.path)

    def refusal(self, index: int, error: InputError) -> InputError:
        """An error that a point's scenario led to, naming the point."""
        problems = [self._of_point(index, problem) for problem in _each_once(error.problems)]
        return InputError(problems, file=error.file or self._loaded.path)

    def _find(self, index: int) -> Scenario | None:
        """The scenario of a point, or None if it has mistakes."""
        try:
            scenario = Scenario.model_validate(self._changed(self._prepared, index))
        except ValidationError:
            return None
        wrong = check(scenario, self._loaded.base_dir, sound=self._sound)
        return None if wrong else scenario

    def _problems(self, index: int) -> list[Problem]:
        """What is wrong with a point, each mistake once."""
        try:
            parse_scenario(self._changed(self._document, index), base_dir=self._loaded.base_dir)
        except InputError as error:
            return [self._of_point(index, problem) for problem in _each_once(error.problems)]
        raise AssertionError("what is wrong with part of a scenario is wrong with the whole")

    def loaded(self, index: int, scenario: Scenario) -> LoadedScenario:
        """The scenario of a point with what made it."""
        values = self._design.point(index)
        changes = {as_path(p): value for path, value in values.items() for p in self._places[path]}
        made = replace(
            self._loaded, scenario=scenario, overrides={**self._loaded.overrides, **changes}
        )
        if not self._sweeps_files:
            return made
        named = set(files_named(self._changed(self._document, index)))
        inputs = {name: digest for name, digest in self.inputs_sha256.items() if name in named}
        return replace(made, inputs_sha256=inputs)

    def _changed(self, document: dict[str, Any], index: int) -> dict[str, Any]:
        for path, value in self._design.point(index).items():
            for place in self._places[path]:
                document = put(document, place, value)
        return document

    def _of_point(self, index: int, problem: Problem) -> Problem:
        where = by_names(self._document, problem.path)
        return replace(problem, path=f"{self._name(index)}{f': {where}' if where else ''}")

    def _name(self, index: int) -> str:
        """A point as sentences call it: its number and its first values."""
        values = [
            f"{path} = {_short(as_toml(value))}"
            for path, value in self._design.point(index).items()
        ]
        shown = ", ".join(values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
        own = f" '{self._design.names[index]}'" if self._design.names else ""
        return f"point {index + 1:,} of {self._design.size:,}{own} ({shown})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."


def _each_once(problems: Iterable[Problem]) -> list[Problem]:
    """The first of those that say the same of several tables."""
    first: dict[tuple[str, str, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.message, problem.given, problem.suggestion), problem)
    return list(first.values())


def _with_models(
    document: Mapping[str, Any], sound: Scenario, touched: Sequence[Place]
) -> dict[str, Any]:
    """The document, with models in place of the tables, segments and tracks that stay as they are.

    Parameters
    ----------
    document : mapping
    sound : Scenario
        What was read from it.
    touched : sequence of Place
        What will be changed.
    """

    def changes(*place: str | int) -> bool:
        return any(there[: len(place)] == place for there in touched)

    prepared = {
        key: table if changes(key) else getattr(sound, key) for key, table in document.items()
    }
    lists: dict[Place, Sequence[BaseModel]] = {
        ("track",): sound.track,
        ("population", "segment"): sound.population.segment,
    }
    for place, models in lists.items():
        if changes(*place):
            tables = enumerate(zip(at(document, place), models, strict=True))
            kept = [table if changes(*place, i) else model for i, (table, model) in tables]
            prepared = put(prepared, place, kept)
    return prepared
