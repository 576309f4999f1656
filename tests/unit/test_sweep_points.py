"""Designs of a sweep and the scenarios of their points."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import tomllib
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.scenario import LoadedScenario, Scenario, load_scenario, parse_scenario
from simdc.sweep.design import Axis, Design, grid, zipped
from simdc.sweep.paths import Path
from simdc.sweep.places import MISSING, assign
from simdc.sweep.points import Variation, build_scenario, build_scenarios, design_of
from simdc.sweep.table import from_table

HERE = FilePath(__file__).parent
WHOLE = HERE / "whole_scenario.toml"
SCENARIOS = HERE.parents[1] / "scenarios"
YEARS = SCENARIOS / "years" / "standard-reach-2024-2026.toml"
DISCOUNT = "track.global.rules.discount"


@pytest.fixture(scope="module")
def loaded() -> LoadedScenario:
    return load_scenario(WHOLE)


def design(loaded: LoadedScenario, *vary: str, **options: Any) -> Design:
    return design_of(loaded, vary, seed=1, **options)


def scenarios(loaded: LoadedScenario, *vary: str, **options: Any) -> list[Scenario]:
    built = build_scenarios(loaded, design(loaded, *vary, **options))
    return [each.scenario for each in built]


def refused(loaded: LoadedScenario, *vary: str, **options: Any) -> str:
    with pytest.raises(InputError) as found:
        scenarios(loaded, *vary, **options)
    return str(found.value)


# --- designs ----------------------------------------------------------------------------------


def test_a_grid_has_one_dimension_for_each_path(loaded: LoadedScenario) -> None:
    found = design(
        loaded, f"{DISCOUNT}=0.01:0.03:0.01", "run.seed=1,2", "track.*.early_exit=true,false"
    )
    assert found.dims == (DISCOUNT, "run.seed", "track.*.early_exit")
    assert found.shape == (3, 2, 2)
    assert found.size == len(found) == 12
    assert found.coords == {
        DISCOUNT: (0.01, 0.02, 0.03),
        "run.seed": (1, 2),
        "track.*.early_exit": (True, False),
    }


def test_points_of_a_grid_are_in_c_order(loaded: LoadedScenario) -> None:
    found = design(loaded, f"{DISCOUNT}=0.01,0.02", "run.seed=1,2,3", "run.draws=10,20")
    expected = itertools.product((0.01, 0.02), (1, 2, 3), (10, 20))
    assert [tuple(point.values()) for point in found] == list(expected)
    assert list(map(str, found.point(5))) == [DISCOUNT, "run.seed", "run.draws"]


def test_lists_are_walked_together(loaded: LoadedScenario) -> None:
    found = design(loaded, f"{DISCOUNT}=0.01,0.02,0.03", "run.seed=7,8,9", zip=True)
    assert (found.kind, found.dims, found.shape) == ("zip", ("point",), (3,))
    assert found.coords == {DISCOUNT: (0.01, 0.02, 0.03), "run.seed": (7, 8, 9)}
    assert [tuple(point.values()) for point in found] == [(0.01, 7), (0.02, 8), (0.03, 9)]


def test_lists_of_different_lengths_cannot_be_walked_together(loaded: LoadedScenario) -> None:
    assert refused(loaded, "run.seed=1,2,3", "run.draws=10", zip=True) == (
        "lists that are walked together must be of one length: run.seed has 3 values and run.draws "
        "has 1 value."
    )


def test_coordinates_are_numbers_or_flags_or_text() -> None:
    def coordinate(*values: object) -> tuple[object, ...]:
        return Design("zip", (Axis(Path(("a",)), values),)).coords["a"]

    assert coordinate(1, 2.5) == (1, 2.5)
    number, nothing = coordinate(1, MISSING)
    assert number == 1
    assert math.isnan(nothing)
    assert coordinate(True, False) == (True, False)
    assert coordinate(True, 1) == ("true", "1")
    assert coordinate("neutral", {"pbpm": 3}, MISSING) == ("neutral", "{ pbpm = 3 }", "")
    assert coordinate([1, "x"], True) == ('[1, "x"]', "true")


def test_a_grid_has_at_most_a_million_points() -> None:
    axis = Axis(Path(("run", "seed")), tuple(range(1000)))
    assert grid([axis, axis]).size == 10**6
    with pytest.raises(InputError, match=r"1001 x 1000 points; a sweep has at most 1,000,000"):
        grid([Axis(axis.path, tuple(range(1001))), axis])


# --- what is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vary", "options", "sentence"),
    [
        ([], {}, "nothing to vary: give --vary PATH=VALUE,VALUE,... or --from FILE."),
        (["run.seed=1"], {"zip": True, "sample": "lhs:3"}, "--zip and --sample exclude each other"),
        (["run.seed=1"], {"table": "x.csv"}, "leave out --vary, --zip and --sample"),
        ([], {"table": "x.csv", "sample": "lhs:3"}, "leave out --vary, --zip and --sample"),
        ([], {"sample": "lhs:3"}, "nothing to vary"),
        (["run.seed=1", "run.seed=2"], {}, "run.seed: is varied twice."),
        (["run.seed=1", "run . seed=2"], {}, "run.seed: is varied twice."),
        (["run={}", "run.seed=2"], {}, "run.seed: sets what run sets too; vary one of them."),
        (["run.seed"], {}, "--vary: must be PATH=VALUE,VALUE,..."),
        (["run.seed=1,,2"], {}, "run.seed: a value is missing"),
        (["run.seed=uniform(1,2)"], {}, "run.seed: is a range to draw from and needs --sample"),
        (["run.seed=uniform(2,1)"], {"sample": "lhs:3"}, "run.seed: must have its first value"),
        (["run.seed=1,2"], {"sample": "sobol:3"}, "--sample: Sobol' points are balanced only"),
        (["run.sed=1"], {}, "did you mean 'run.seed'?"),
    ],
)
def test_contradictions_are_refused(
    loaded: LoadedScenario, vary: list[str], options: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(loaded, *vary, **options)


def test_a_list_under_sample_is_a_choice(loaded: LoadedScenario) -> None:
    found = design(loaded, "run.seed=integers(1,4)", f"{DISCOUNT}=0.01,0.02", sample="lhs:8")
    assert (found.kind, found.shape) == ("sample", (8,))
    assert sorted(found.coords["run.seed"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert sorted(found.coords[DISCOUNT]) == [0.01] * 4 + [0.02] * 4


# --- tables -----------------------------------------------------------------------------------


def table(tmp_path: FilePath, text: str, name: str = "points.csv") -> Design:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return from_table(load_scenario(WHOLE).document(), file)


def table_refused(tmp_path: FilePath, text: str, name: str = "points.csv") -> str:
    with pytest.raises(InputError) as found:
        table(tmp_path, text, name)
    told = str(found.value)
    assert told.startswith(str(tmp_path / name))
    return told.removeprefix(str(tmp_path / name))


def test_table_of_points_in_csv(tmp_path: FilePath) -> None:
    found = table(
        tmp_path,
        f"\ufeffname, {DISCOUNT}, track.professional.rules.discount, benchmark.pbpm\n"
        "as it is, , ,\n"
        "\n"
        "dearer, 0.05, 0.01, 1_250\n"
        ', "0.04",, 1_350.5\n',
    )
    assert (found.kind, found.dims, found.shape) == ("table", ("point",), (3,))
    assert found.names == ("as it is", "dearer", "")
    assert found.coords["name"] == found.names
    assert found.coords[DISCOUNT] == (0.03, 0.05, 0.04)
    assert found.coords["benchmark.pbpm"] == (1300, 1250, 1350.5)
    first, second, third = ({str(k): v for k, v in point.items()} for point in found)
    # the scenario's own discount is 0.03 and its own benchmark 1,300; it has no other rule
    assert first == {DISCOUNT: 0.03, "benchmark.pbpm": 1300}
    assert second["track.professional.rules.discount"] == 0.01
    assert "track.professional.rules.discount" not in third
    nothing, given, again = found.coords["track.professional.rules.discount"]
    assert given == 0.01
    assert math.isnan(nothing)
    assert math.isnan(again)


def test_table_of_points_in_toml(tmp_path: FilePath) -> None:
    found = table(
        tmp_path,
        '[[point]]\nname = "one"\n"run.seed" = 3\n'
        '"drivers.entity_effect" = { distribution = "fixed", value = 0.01 }\n'
        f'[[point]]\n"{DISCOUNT}" = 0.02\n',
        "points.toml",
    )
    assert found.names == ("one", "")
    assert found.coords["run.seed"] == (3, 7)
    assert found.coords[DISCOUNT] == (0.03, 0.02)
    assert found.point(0)[Path(("drivers", "entity_effect"))] == {
        "distribution": "fixed",
        "value": 0.01,
    }


def test_points_without_names_have_none(tmp_path: FilePath) -> None:
    assert table(tmp_path, "name,run.seed\n,1\n,2\n").names == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ": has no column that is the path of a setting."),
        ("name\nx\n", ": has no column that is the path of a setting."),
        ("run.seed\n", ": must have 1 to 1,000,000 points."),
        ("run.seed,\n1,2\n", ": every column needs a path in the first line."),
        ("run.seed,run.seed\n1,2\n", ": names a path in two columns."),
        ("run.seed,run . seed\n1,2\n", ": names a path in two columns."),
        ("name,name,run.seed\na,b,1\n", ": names a path in two columns."),
        ("run.seed,run\n1,{}\n", ": run.seed: sets what run sets too; vary one of them."),
        ("run.sed\n1\n", ": run.sed: there is no setting 'sed' in run; there are draws, seed;"),
        ("run..seed\n1\n", ": must be the path of a setting"),
        ("run.seed,run.draws\n1,2\n3\n", ":3: has 1 cell; the first line has 2."),
        ("run.seed,run.draws\n\n1,2,3\n", ":3: has 3 cells; the first line has 2."),
        ("run.seed\n1\n$3\n", ":3: run.seed: must be a number, true, false, a word,"),
        ("run.seed\nnan\n", ":2: run.seed: nan is no value of a setting (given nan)."),
        ("name,run.seed\na,1\nb,2\na,3\n", ":4: an earlier point has the same name (given \"a\")."),
        ('run.seed\n"1\n', ": not valid CSV: unexpected end of data."),
    ],
)  # fmt: skip
def test_mistake_in_a_csv_table_is_told_with_its_line(
    tmp_path: FilePath, text: str, sentence: str
) -> None:
    assert sentence in table_refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ": must hold tables headed [[point]] and nothing else."),
        ("point = 3", ": must hold tables headed [[point]] and nothing else."),
        ("x = 1\n[[point]]\n'run.seed' = 1", ": must hold tables headed [[point]] and nothing"),
        ("[[point]", ": not valid TOML: "),
        ("[[point]]\nrun.seed = 1", ': point[0].run: write the path in quotes, such as "run.seed"'),
        ("[[point]]\n'run.seed' = nan", ": point[0].run.seed: nan is no value of a setting"),
        ("[[point]]\nname = 3\n'run.seed' = 1", ": point[0]: the name of a point must be text"),
        ("[[point]]\n[[point]]", ": has no column that is the path of a setting."),
    ],
)  # fmt: skip
def test_mistake_in_a_toml_table_is_told(tmp_path: FilePath, text: str, sentence: str) -> None:
    assert sentence in table_refused(tmp_path, text, "points.toml")


def test_file_that_cannot_be_read_is_refused(tmp_path: FilePath, loaded: LoadedScenario) -> None:
    assert "cannot be read: No such file" in refused(loaded, table=tmp_path / "none.csv")
    assert "cannot be read: Is a directory" in refused(loaded, table=tmp_path)
    binary = tmp_path / "points.csv"
    binary.write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in refused(loaded, table=binary)


@given(st.binary(max_size=200) | st.text("run.seed,dw\n\"'[]{}=1 \r\x00point").map(str.encode))
@settings(max_examples=200)
def test_any_file_is_a_design_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    for suffix in ("csv", "toml"):
        file = tmp_path_factory.getbasetemp() / f"any.{suffix}"
        file.write_bytes(content)
        with contextlib.suppress(InputError):
            assert from_table(tomllib.loads(WHOLE.read_text(encoding="utf-8")), file).size > 0


# --- scenarios --------------------------------------------------------------------------------


def test_values_reach_the_scenario(loaded: LoadedScenario) -> None:
    found = scenarios(
        loaded,
        "track.global.stop_loss.bands[0].from=100_000,200_000",
        'drivers.entity_effect={distribution="fixed",value=0.0},{distribution="default"}',
    )
    assert [
        (each.track[1].stop_loss.bands[0].from_, each.drivers.entity_effect.distribution)
        for each in found
    ] == [(100_000, "fixed"), (100_000, "default"), (200_000, "fixed"), (200_000, "default")]
    assert loaded.scenario.track[1].stop_loss.bands[0].from_ == 150_000


def test_settings_that_need_one_another_are_set_together(loaded: LoadedScenario) -> None:
    both = scenarios(loaded, "guarantee.base=dollars", "guarantee.dollars=4e6,5e6")
    assert [each.guarantee.dollars for each in both] == [4e6, 5e6]
    assert "guarantee.dollars: is missing" in refused(loaded, "guarantee.base=dollars")
    assert "guarantee.dollars: this amount needs" in refused(loaded, "guarantee.dollars=4e6")


def test_overrides_say_how_to_make_a_point_again(tmp_path: FilePath) -> None:
    base = load_scenario(WHOLE, {"run.draws": 123})
    vary = ["track.*.rules.discount=0.01,0.02", "population.segment.dialysis.opt_out=0.1"]
    for built in build_scenarios(base, design_of(base, vary, seed=1)):
        again = load_scenario(WHOLE, built.overrides)
        assert again.scenario == built.scenario
        assert built.scenario.run.draws == 123
        assert (built.text, built.sha256, built.base_dir) == (base.text, base.sha256, base.base_dir)


def test_one_point_is_the_same_as_among_all(loaded: LoadedScenario) -> None:
    asked = design(loaded, f"{DISCOUNT}=0.01,0.02", "run.seed=1,2,3")
    for index, built in enumerate(build_scenarios(loaded, asked)):
        assert build_scenario(loaded, asked, index) == built
    bad = design(loaded, f"{DISCOUNT}=0.01,2")
    assert build_scenario(loaded, bad, 0).scenario.track[1].rules == {"discount": 0.01}
    with pytest.raises(InputError, match=r"point 2 of 2 \(track.global.rules.discount = 2\): "):
        build_scenario(loaded, bad, 1)


def test_file_names_stay_relative_to_the_folder_of_the_scenario(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "effects.csv").write_text("effect\n-0.01\n0.0\n0.01\n", encoding="utf-8")
    text = WHOLE.read_text(encoding="utf-8").replace(
        'entity_effect = { distribution = "default" }',
        'entity_effect = { distribution = "empirical", file = "effects.csv" }',
    )
    (folder / "scenario.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    base = load_scenario(FilePath("folder") / "scenario.toml")
    assert len(scenarios(base, "run.seed=1,2", "drivers.national_trend.sd=0.01,0.02")) == 4
    assert len(scenarios(base, "drivers.entity_effect.file=effects.csv")) == 1
    (folder / "more.csv").write_text("effect\n-0.02\n0.02\n", encoding="utf-8")
    swept = design(base, "drivers.entity_effect.file=effects.csv,more.csv")
    named = [list(each.inputs_sha256) for each in build_scenarios(base, swept)]
    assert named == [["effects.csv"], ["more.csv"]]
    assert set(Variation(base, swept).inputs_sha256) == {"effects.csv", "more.csv"}
    told = refused(base, "drivers.entity_effect.file=effects.csv,other.csv")
    assert 'point 2 of 2 (drivers.entity_effect.file = "other.csv"): drivers.entity_effect' in told


def test_bad_point_is_told_with_its_number_and_values(loaded: LoadedScenario) -> None:
    assert refused(loaded, f"{DISCOUNT}=0.01,3", "run.seed=1,2") == (
        f"{WHOLE}: point 3 of 4 ({DISCOUNT} = 3, run.seed = 1): {DISCOUNT}: must be a rate between "
        "0 and 1, written as a fraction (2% is 0.02) (given 3).\n"
        f"{WHOLE}: point 4 of 4 ({DISCOUNT} = 3, run.seed = 2): {DISCOUNT}: must be a rate between "
        "0 and 1, written as a fraction (2% is 0.02) (given 3)."
    )


def test_all_mistakes_of_a_point_are_told_and_each_once(loaded: LoadedScenario) -> None:
    lines = refused(loaded, "run.draws=0", "benchmark.pbpm=-1").split("\n")
    assert [line.partition(" must")[0].partition("): ")[2] for line in lines] == [
        "run.draws:",
        "benchmark.pbpm:",
    ]
    (line,) = refused(loaded, "track.*.rules.discount=3").split("\n")
    assert "(track.*.rules.discount = 3): track.professional.rules.discount: must be" in line


def test_five_bad_points_are_told_and_the_others_counted(loaded: LoadedScenario) -> None:
    lines = refused(loaded, "run.draws=0:-8:-1").split("\n")
    assert [re.search(r"point (\d) of 9", line)[1] for line in lines[:5]] == list("12345")
    assert lines[5:] == [f"{WHOLE}: 4 more of the 9 points cannot be run either."]
    assert len(refused(loaded, "run.draws=0:-4:-1").split("\n")) == 5


def test_long_points_are_told_in_short(tmp_path: FilePath, loaded: LoadedScenario) -> None:
    paths = ["run.seed", "run.draws", "benchmark.pbpm", DISCOUNT, "title"]
    file = tmp_path / "points.csv"
    file.write_text(f"name,{','.join(paths)}\nfirst,1,2,1200,9,{'t' * 200}\n", encoding="utf-8")
    told = refused(loaded, table=file)
    assert (
        f"point 1 of 1 'first' (run.seed = 1, run.draws = 2, benchmark.pbpm = 1200, {DISCOUNT} = 9,"
        f" ...): {DISCOUNT}: must be"
    ) in told
    told = refused(loaded, f"title={'t' * 200}", "run.draws=0")
    assert f'(title = "{"t" * 59}..., run.draws = 0)' in told


def test_nothing_comes_after_a_bad_point(loaded: LoadedScenario) -> None:
    walk = build_scenarios(loaded, design(loaded, "run.draws=10,0,20"))
    assert next(walk).scenario.run.draws == 10
    with pytest.raises(InputError, match="point 2 of 3"):
        next(walk)


def test_the_file_as_it_is_must_be_sound(tmp_path: FilePath) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(WHOLE.read_text(encoding="utf-8"), encoding="utf-8")
    base = load_scenario(file)
    assert scenarios(base, f"{DISCOUNT}=0.02,0.03")[1] == base.scenario


# --- what is read once is read right ----------------------------------------------------------

CHANGES: dict[FilePath, dict[str, list[object]]] = {
    WHOLE: {
        "run.seed": [1, -1],
        "run.draws": [5, 0, "x"],
        "title": ["t", 3],
        "entity.performance_year": [2021, 2022, 2023, 1999],
        "entity.type": ["standard", "new_entrant", "high_needs", "other"],
        "entity.option": ["global", "professional"],
        "population.segment.dialysis.category": ["A&D", "ESRD"],
        "population.segment.*.eligible_months": [12, 9, 13, [{"months": 6, "share": 1.0}]],
        "population.segment.aged and disabled.severity": [
            {"distribution": "lognormal", "sigma": 1.0},
            {"distribution": "lognormal"},
        ],
        "population.segment.dialysis.beneficiaries": [100, 10**9],
        "population.file": ["no-such.csv"],
        "benchmark.pbpm": [1200, 1.0, 1e6],
        "benchmark.seasonality": [0.75],
        "benchmark": [{"dollars": 2e8}, {"by_category": {"A&D": {"pbpm": 1300}}}],
        "drivers.national_trend_esrd": [{"distribution": "normal", "sd": 0.1}],
        "drivers.national_trend.sd": [0.01, -1],
        "drivers.entity_effect.distribution": ["default", "fixed"],
        "drivers.quality_score": [{"distribution": "normal", "mean": 2.0, "sd": 1.0}],
        "drivers.correlation.matrix": [[[1, 0.9], [0.9, 1]], [[1, 0.9], [0.1, 1]]],
        "track.*.program": ["gpdc", "reach", "mssp", "nothing"],
        "track.global.option": ["professional", "global"],
        "track.professional.option": ["professional", "global"],
        "track.professional.primary_care_capitation.enhanced_rate": [0.01, 0.5],
        "track.*.rules.discount": [0.01, 2],
        "track.global.rules.unknown": [1],
        "track.global.stop_loss.bands[0].from": [0, 3, 200_000, 400_000],
        "track.global.stop_loss.charge": ["neutral", {"pbpm": 3}, {"other": 3}],
        "track.global.cost.truncation": [{"A&D": 1e5}],
        "guarantee.base": ["dollars", "prospective_benchmark"],
        "guarantee.dollars": [1e6],
        "observed.track": ["global", "nobody"],
    },
    YEARS: {
        "years.through": [2024, 2025, 2026, 2027],
        "years.benchmark_growth": [0.04, {"2025": 0.03}],
        "entity.performance_year": [2023, 2024, 2025],
        "drivers.pandemic": [{"distribution": "default"}],
        "track.*.early_exit": [True, False],
        "track.*.from_year.2025.option": ["professional", "global"],
        "track.*.rules.discount": [0.01, 2],
        "population.segment.*.opt_out": [0.1],
    },
}  # fmt: skip


@st.composite
def varied(draw: st.DrawFn) -> tuple[FilePath, dict[Path, object]]:
    file = draw(st.sampled_from(list(CHANGES)))
    texts = draw(
        st.lists(st.sampled_from(list(CHANGES[file])), min_size=1, max_size=3, unique=True)
    )
    return file, {Path.parse(text): draw(st.sampled_from(CHANGES[file][text])) for text in texts}


BASES = {file: load_scenario(file) for file in CHANGES}


@given(varied())
@settings(deadline=None, max_examples=300)
def test_reading_what_changes_alone_is_reading_everything(
    case: tuple[FilePath, dict[Path, object]],
) -> None:
    file, values = case
    base, whole = BASES[file], BASES[file].document()
    for path, value in values.items():
        with contextlib.suppress(InputError):
            whole = assign(whole, path, value)
    asked = zipped([Axis(path, (value,)) for path, value in values.items()])
    try:
        expected = parse_scenario(whole, base_dir=base.base_dir)
    except InputError:
        with pytest.raises(InputError, match="point 1 of 1"):
            list(build_scenarios(base, asked))
        return
    (built,) = build_scenarios(base, asked)
    assert built.scenario == expected
    assert built.scenario.model_dump_json() == expected.model_dump_json()
    assert built.scenario.model_dump(exclude_unset=True) == expected.model_dump(exclude_unset=True)


# --- any text ---------------------------------------------------------------------------------

paths = st.one_of(
    st.sampled_from([text for changes in CHANGES.values() for text in changes]),
    st.text(max_size=12),
    st.lists(
        st.sampled_from(
            ["track", "global", "rules", "*", "[0]", "[*]", "bands", "stop_loss", "run"]
        ),
        max_size=5,
    ).map(".".join),
)
written = st.one_of(
    st.text(max_size=12),
    st.text("0123456789.,:e-+_()[]{}\"'#= \nainf", max_size=30),
    st.sampled_from(
        ["1,2", "0:1:0.25", "uniform(0,1)", "normal(0,1e308)", "beta(1e-9,1e9)", "{}", "[]", "inf",
         "0:1e9:1e-9", "log(1e-300,1e300,5)", "integers(0,18446744073709551615)", "choice(a,b)"]
    ),
)  # fmt: skip


@given(
    st.lists(st.tuples(paths, written).map("=".join) | st.text(max_size=20), max_size=3),
    st.booleans(),
    st.none() | st.sampled_from(["lhs:3", "sobol:4", "sobol:5", "lhs:"]) | st.text(max_size=8),
)
@settings(deadline=None, max_examples=500)
def test_any_text_is_a_sweep_or_refused(vary: list[str], zip: bool, sample: str | None) -> None:
    base = BASES[WHOLE]
    with contextlib.suppress(InputError):
        asked = design_of(base, vary, zip=zip, sample=sample, seed=1)
        assert asked.size == math.prod(asked.shape) > 0
        assert all(len(values) in asked.shape for values in asked.coords.values())
        if asked.size <= 10:
            assert len(list(build_scenarios(base, asked))) == asked.size
