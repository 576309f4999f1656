"""Trials of a fuzz run: ready scenarios, options, points, results and stores, each mutated."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from mutations import damaged, mutated, options_of_sensitivity, options_of_sweep, points_file
from trials import Trial, in_here

__all__ = ["Cases"]

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DRAWS = "64"

_OF_PEOPLE = """\
segment,months,risk_score,expected_cost_pbpm
aged,12,0.9,812.5
aged,11.5,1.4,1320
aged,6,2.2,4100
ESRD,12,1.0,8120
ESRD,3,1.3,9500
"""
_WITH_PEOPLE = """\
[run]
draws = 100
seed = 7
[entity]
id = "D9"
type = "standard"
performance_year = 2023
option = "global"
[population]
file = "people.csv"
[[population.segment]]
name = "aged"
category = "A&D"
severity = { distribution = "gamma", cv = 1.5 }
[[population.segment]]
name = "ESRD"
category = "ESRD"
severity = { distribution = "gamma", cv = 0.8 }
[benchmark]
dollars = 200000
[drivers]
national_trend = { distribution = "normal", mean = 1.0, sd = 0.02 }
[[track]]
name = "global"
program = "reach"
option = "global"
"""
_OF_PORTFOLIO = ("small-standard-global-tcc.toml", "standard-professional.toml")
_WAY_BACK = "my.zarr/.simdc/origin.zip"
"""From which labels and metadata are put back; with both damaged, a store is lost."""
_SWEPT = ("--vary", "track.*.rules.discount=0.01,0.02,0.03", "--vary", "run.seed=1,2")


class Cases:
    """Trials by number: the same seed and number give the same trial.

    Parameters
    ----------
    seed : int
    folder : Path
        An empty one, to make a result and a sweep in that are then damaged.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self._seed = seed
        ready = sorted(set(SCENARIOS.rglob("*.toml")) - set(SCENARIOS.glob("portfolios/*")))
        self._texts = [path.read_text(encoding="utf-8") for path in ready]
        self._small = (SCENARIOS / "high-needs-global.toml").read_text(encoding="utf-8")
        self._result, self._store = self._made(folder)

    def trial(self, number: int) -> Trial:
        """One trial."""
        random_ = random.Random(f"{self._seed} {number}")
        (make,) = random_.choices([make for make, _ in _KINDS], [share for _, share in _KINDS])
        return make(self, random_)

    def _made(self, folder: Path) -> tuple[bytes, dict[str, bytes]]:
        files = {"my.toml": self._small.encode()}
        run = ("run", "my.toml", "--draws", DRAWS, "-o", "my.nc", "--quiet")
        sweep = ("sweep", "my.toml", *_SWEPT, "--draws", DRAWS, "-o", "my.zarr", "--quiet")
        for args in (run, sweep):
            for ending in in_here(Trial("made", files, args), folder):
                assert ending.status == 0, ending.told
        store = folder / "my.zarr"
        content = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(store.rglob("*"))
            if path.is_file()
        }
        return (folder / "my.nc").read_bytes(), content

    # --- scenarios ------------------------------------------------------------------------------

    def _scenario(self, random_: random.Random) -> dict[str, bytes]:
        if random_.random() < 0.15:
            people, scenario = _OF_PEOPLE, _WITH_PEOPLE
            if random_.random() < 0.7:
                return {
                    "my.toml": scenario.encode(),
                    "people.csv": mutated(random_, people, [people]),
                }
            return {
                "my.toml": mutated(random_, scenario, self._texts),
                "people.csv": people.encode(),
            }
        text = random_.choice(self._texts)
        return {"my.toml": mutated(random_, text, self._texts)}

    def validated(self, random_: random.Random) -> Trial:
        command = random_.choice(("validate", "validate", "validate", "benchmark", "cash-flow"))
        args = [command, "my.toml", *random_.choice(([], ["--json"]))]
        return Trial(command, self._scenario(random_), args)

    def run(self, random_: random.Random) -> Trial:
        args = ["run", "my.toml", "--draws", DRAWS]
        kept = random_.choice((["--discard"], ["--discard"], ["-o", "out/my.nc"], []))
        more = random_.choice(([], [], [], ["--attribution"]))
        dry, real = [*args, *kept, *more, "--dry-run", "--json"], [*args, *kept, *more, "--quiet"]
        return Trial("run", self._scenario(random_), dry, real)

    # --- sweeps ---------------------------------------------------------------------------------

    def _swept(
        self, random_: random.Random, kind: str, files: dict[str, bytes], options: list[str]
    ) -> Trial:
        args = ["sweep", "my.toml", *options, "--draws", DRAWS, "-o", "out/my.zarr"]
        kept = random_.choice(([], [], [], ["--keep-draws"]))
        real = [*args, *kept, "--quiet", *random_.choice(([], ["--json"]))]
        return Trial(kind, files, [*args, *kept, "--dry-run", "--json", "--quiet"], real)

    def varied(self, random_: random.Random) -> Trial:
        files = {"my.toml": random_.choice(self._texts).encode()}
        return self._swept(random_, "vary", files, options_of_sweep(random_))

    def sensitivity(self, random_: random.Random) -> Trial:
        files = {"my.toml": random_.choice(self._texts).encode()}
        options = [*options_of_sensitivity(random_), "--draws", DRAWS, "-o", "out/my.zarr"]
        args = ["sensitivity", "my.toml", *options, "--quiet"]
        return Trial("sensitivity", files, [*args, "--dry-run", "--json"], args)

    def points(self, random_: random.Random) -> Trial:
        name, content = points_file(random_)
        files = {"my.toml": self._small.encode(), name: content}
        return self._swept(random_, "points", files, ["--from", name])

    def portfolio(self, random_: random.Random) -> Trial:
        scenarios = {name: (SCENARIOS / name).read_bytes() for name in _OF_PORTFOLIO}
        name = random_.choice(("two-acos.toml", "two-acos.csv"))
        text = (SCENARIOS / "portfolios" / name).read_text(encoding="utf-8")
        files = {**scenarios, name: mutated(random_, text.replace("../", ""), [text, self._small])}
        args = ["portfolio", name, "--draws", DRAWS, "-o", "out/my.zarr", "--quiet"]
        return Trial("portfolio", files, [*args, "--dry-run", "--json"], args)

    # --- what simdc wrote -----------------------------------------------------------------------

    def result(self, random_: random.Random) -> Trial:
        """What a broken copy leaves, or what is no result at all.

        Not a byte changed in the middle: netCDF-4 keeps no checksums, and its library may follow
        what it finds without end.
        """
        command = random_.choice(("guarantee", "compare", "extend"))
        more = ["--draws", "32", "--quiet"] if command == "extend" else []
        place = random_.randrange(len(self._result))
        content = random_.choice(
            (
                self._result[:place],
                self._result[place:],
                self._result + random_.randbytes(place),
                mutated(random_, self._small, self._texts),
                random_.randbytes(place),
            )
        )
        return Trial(command, {"my.nc": content}, [command, "my.nc", *more])

    def store(self, random_: random.Random) -> Trial:
        files = {"my.toml": self._small.encode(), **self._store}
        names = random_.sample(sorted(self._store), random_.choice((1, 1, 2, 5)))
        for name in [_WAY_BACK] if _WAY_BACK in names else names:
            match random_.randrange(4):
                case 0:
                    del files[name]
                case 1:
                    files[name] = self._store[random_.choice(sorted(self._store))]
                case _:
                    files[name] = damaged(random_, files[name])
        args = ["sweep", "my.toml", *_SWEPT, "--draws", DRAWS, "-o", "my.zarr", "--quiet"]
        return Trial("resume", files, [*args, "--resume"])


_KINDS: tuple[tuple[Callable[[Cases, random.Random], Trial], float], ...] = (
    (Cases.validated, 0.22),
    (Cases.run, 0.24),
    (Cases.varied, 0.26),
    (Cases.sensitivity, 0.06),
    (Cases.points, 0.07),
    (Cases.portfolio, 0.06),
    (Cases.result, 0.04),
    (Cases.store, 0.05),
)
