"""Results: what the tree holds, that its file says the same, and that files are whole or absent."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest
import xarray as xr
from synthetic import TRACKS, loaded_scenario, simulation, three_tracks, track

import simdc.netcdf
from simdc.errors import InputError, SimdcError
from simdc.result import (
    build_result,
    check_target,
    group,
    read_result,
    resize_guarantee,
    write_result,
)
from simdc.variables import VARIABLES


@pytest.fixture
def tree():
    return build_result(simulation(three_tracks()), loaded_scenario())


@pytest.fixture
def path(tree, tmp_path):
    path = tmp_path / "run.nc"
    write_result(tree, path)
    return path


class TestTree:
    def test_summary_of_normal_laws(self, tree):
        cash = group(tree, "summary")["cash_due"]
        found = cash.sel(track="Global PCC", figure="estimate")
        # Shared savings have mean $2 million and standard deviation $6 million; $3 million is
        # repaid. Quantiles of the normal law; midpoints put them within a draw.
        for statistic, expected in {
            "mean": -1e6,
            "standard_deviation": 6e6,
            "quantile_05": -1e6 - 1.6449 * 6e6,
            "quantile_50": -1e6,
            "quantile_95": -1e6 + 1.6449 * 6e6,
        }.items():
            assert float(found.sel(statistic=statistic)) == pytest.approx(expected, abs=1e4)
        error = cash.sel(track="Global PCC", statistic="mean", figure="standard_error")
        assert float(error) == pytest.approx(6e6 / 100, rel=1e-3)

    def test_rate_is_gross_savings_over_final_benchmark(self, tree):
        rate = group(tree, "summary")["gross_savings_rate"]
        # Gross savings are twice the shared: mean $6 million of $150 million.
        mean = rate.sel(track="Global TCC", statistic="mean", figure="estimate")
        assert float(mean) == pytest.approx(0.04)
        assert rate.attrs["units"] == "1"

    def test_draws_are_rows_of_tracks(self, tree):
        tracks = three_tracks()
        draws = group(tree, "draws")
        for line in tracks[0].draws:
            assert draws[line].dims == ("track", "draw")
            for each in tracks:
                np.testing.assert_array_equal(draws[line].sel(track=each.name), each.draws[line])

    @pytest.mark.parametrize(
        "key", [(1, 5), (slice(0, 2), 5), (1, slice(3, 9, 2)), (slice(None, None, -1), slice(4))]
    )
    def test_any_part_of_the_draws_can_be_read(self, tree, key):
        everything = np.stack([each.draws["cash_due"] for each in three_tracks()])
        found = group(tree, "draws")["cash_due"][key]
        np.testing.assert_array_equal(found.values, everything[key])

    def test_draws_are_numbered_by_their_address(self):
        later = simulation(three_tracks(100), first_draw=5_000)
        draw = group(build_result(later, loaded_scenario()), "draws")["draw"]
        assert (int(draw[0]), int(draw[-1]), draw.size) == (5_000, 5_099, 100)

    def test_every_variable_says_what_it_is(self, tree):
        for node in tree.subtree:
            for name, variable in node.dataset.variables.items():
                assert {"long_name", "units", "sign_convention"} <= set(variable.attrs), name
                assert all(variable.attrs[key] for key in ("long_name", "units")), name

    def test_variables_have_the_dimensions_of_the_registry(self, tree):
        for node in ("inputs", "draws", "guarantee"):
            for name, variable in group(tree, node).variables.items():
                assert variable.dims == VARIABLES[name].dims, name

    def test_every_rule_is_listed_with_its_source(self, tree):
        inputs = group(tree, "inputs")
        tracks = three_tracks()
        assert inputs.sizes["rule"] == sum(len(each.rules) for each in tracks)
        assert all(inputs["rule_source"].values)
        discount = (inputs["rule_name"] == "discount") & (inputs["rule_track"] == TRACKS[1])
        found = json.loads(inputs["rule_value"].values[discount.values].item())
        assert found == tracks[1].rules.value("discount")

    def test_an_override_shows_with_the_programs_own_value(self):
        own = three_tracks()[0].rules.value("quality_withhold")
        changed = track("Global", np.zeros(100), rules={"quality_withhold": 0.0123})
        inputs = group(build_result(simulation((changed,)), loaded_scenario()), "inputs")
        row = list(inputs["rule_name"].values).index("quality_withhold")
        assert json.loads(str(inputs["rule_value"].values[row])) == 0.0123
        assert json.loads(str(inputs["rule_original"].values[row])) == own
        others = [text for i, text in enumerate(inputs["rule_original"].values) if i != row]
        assert not any(others)

    def test_a_corridor_without_edge_is_json_that_any_reader_takes(self, tree):
        inputs = group(tree, "inputs")
        row = list(inputs["rule_name"].values).index("corridors")

        def refuse(constant):
            raise AssertionError(constant)

        corridors = json.loads(str(inputs["rule_value"].values[row]), parse_constant=refuse)
        assert corridors[-1][0] is None

    def test_a_figure_without_support_is_nan(self):
        summary = group(build_result(simulation(three_tracks(50)), loaded_scenario()), "summary")
        cash = summary["cash_due"].sel(track=TRACKS[0], figure="estimate")
        assert math.isnan(cash.sel(statistic="quantile_05"))  # needs 72 draws
        assert not math.isnan(cash.sel(statistic="quantile_25"))  # needs 13

    def test_published_outcome_is_placed_among_the_draws(self):
        observed = {
            "track": "Global TCC",
            "source": "a public file",
            "shared_after_sequestration": 9e6,  # one standard deviation above the mean
            "gross_savings_rate": 0.04,  # the mean
        }
        placed = group(
            build_result(simulation(three_tracks()), loaded_scenario(observed=observed)), "observed"
        )
        assert placed.attrs == {"track": "Global TCC", "source": "a public file"}
        estimate, low, high, _ = placed["shared_after_sequestration_percentile"].values
        assert estimate == pytest.approx(0.8413, abs=1e-4)
        assert low < estimate < high
        assert float(placed["gross_savings_rate_percentile"][0]) == pytest.approx(0.5, abs=1e-4)
        assert "gross_savings" not in placed

    def test_without_published_outcome_there_is_no_such_group(self, tree):
        assert set(tree.children) == {"inputs", "draws", "summary", "guarantee"}

    def test_provenance(self, tree):
        assert tree.attrs["scenario"] == loaded_scenario().text
        assert tree.attrs["scenario_name"] == "synthetic.toml"
        assert tree.attrs["seed"] == str(2**64 - 1)
        assert tree.attrs["draw_scheme"]
        assert json.loads(tree.attrs["versions"])["numpy"] == np.__version__
        assert json.loads(tree.attrs["durations"]) == {"kernel": 1.5}
        assert tree.attrs["created"].endswith("+00:00")
        assert tree.attrs["sign_convention"].startswith("positive is paid to the entity")

    def test_guarantee_at_other_levels(self, tree):
        before = group(tree, "guarantee")
        resized = resize_guarantee(tree, (0.99, 0.5))
        after = group(resized, "guarantee")
        assert list(after["level"].values) == [0.5, 0.99]
        xr.testing.assert_identical(
            before["covering_amount"].sel(level=0.99), after["covering_amount"].sel(level=0.99)
        )
        for same in ("required_guarantee", "guarantee_basis", "expected_shortfall"):
            xr.testing.assert_identical(before[same], after[same])
        xr.testing.assert_identical(group(tree, "draws"), group(resized, "draws"))

    def test_a_track_without_required_guarantee_keeps_none_when_resized(self):
        free = build_result(simulation(three_tracks(100, required=None)), loaded_scenario())
        resized = group(resize_guarantee(free, (0.5,)), "guarantee")
        assert np.isnan(resized["required_guarantee"]).all()
        assert np.isnan(resized["probability_total_owed_exceeds_required"]).all()


class TestFile:
    def test_says_the_same_as_the_tree(self, tree, path):
        with read_result(path) as read:
            assert read.attrs == tree.attrs
            assert set(read.children) == set(tree.children)
            for name in tree.children:
                xr.testing.assert_identical(group(read, name).load(), group(tree, name))

    def test_is_read_by_xarray_alone(self, path):
        with xr.open_datatree(path, engine="h5netcdf") as read:
            owed = read["guarantee/covering_amount"].sel(level=0.9, figure="estimate")
            assert owed.sel(track=["Global TCC"]).values > 0
            assert read["draws/cash_due"].shape == (3, 10_000)

    def test_draws_are_not_compressed(self, path):
        with xr.open_datatree(path, engine="h5netcdf") as read:
            encoding = read["draws/cash_due"].encoding
        assert not encoding.get("zlib")
        assert not encoding.get("compression")

    def test_same_draws_give_the_same_figures(self, tree, path):
        again = build_result(simulation(three_tracks()), loaded_scenario())
        with read_result(path) as read:
            for name in ("draws", "summary", "guarantee"):
                xr.testing.assert_identical(group(again, name), group(read, name).load())

    def test_long_scenarios_and_no_assumptions_fit(self, tmp_path):
        bare = simulation(three_tracks(100))
        object.__setattr__(bare, "assumptions", ())
        loaded = loaded_scenario()
        object.__setattr__(loaded, "text", "# é\n" * 100_000)
        write_result(build_result(bare, loaded), tmp_path / "long.nc")
        with read_result(tmp_path / "long.nc") as read:
            assert read.attrs["scenario"] == loaded.text
            assert group(read, "inputs").sizes["assumption"] == 0

    def test_makes_its_folder(self, tree, tmp_path):
        write_result(tree, tmp_path / "new" / "deep" / "run.nc")
        assert [p.name for p in (tmp_path / "new" / "deep").iterdir()] == ["run.nc"]

    def test_is_replaced_whole(self, path):
        write_result(build_result(simulation(three_tracks(100)), loaded_scenario()), path)
        with read_result(path) as read:
            assert group(read, "draws").sizes["draw"] == 100

    @pytest.mark.parametrize(
        ("failure", "told"),
        [
            (OSError(28, "No space left on device"), SimdcError),
            (KeyboardInterrupt(), KeyboardInterrupt),
        ],
    )
    def test_an_interrupted_run_leaves_the_old_file_and_nothing_else(
        self, tree, path, monkeypatch, failure, told
    ):
        before = path.read_bytes()
        whole = simdc.netcdf._write_group

        def fail_at_summary(dataset, place):
            if place.name == "/summary":
                raise failure
            whole(dataset, place)

        monkeypatch.setattr(simdc.netcdf, "_write_group", fail_at_summary)
        with pytest.raises(told):
            write_result(tree, path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_folder_is_no_target(self, tree, tmp_path):
        with pytest.raises(InputError, match="is a folder; give the name of a file"):
            write_result(tree, tmp_path)

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "taken").write_text("")
        with pytest.raises(InputError, match="cannot be written"):
            check_target(tmp_path / "taken" / "run.nc")


class TestForeignFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"gone\.nc: there is no such file"):
            read_result(tmp_path / "gone.nc")

    def test_folder(self, tmp_path):
        with pytest.raises(InputError, match="is a folder, not a result file"):
            read_result(tmp_path)

    @pytest.mark.parametrize(
        "content", [b"", b"title = 'a scenario'\n", b"\x89HDF\r\n\x1a\n" + b"\0" * 64]
    )
    def test_not_netcdf(self, tmp_path, content):
        (tmp_path / "other.nc").write_bytes(content)
        with pytest.raises(InputError, match="is not a netCDF file, or is damaged"):
            read_result(tmp_path / "other.nc")

    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
    def test_cut_short(self, path, kept):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(InputError, match="damaged"):
            read_result(path)

    def test_netcdf_of_someone_else(self, tmp_path):
        xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
        with pytest.raises(InputError, match="but not a result of simdc"):
            read_result(tmp_path / "other.nc")

    def test_of_a_later_version(self, tree, tmp_path):
        tree.attrs["format_version"] = 99
        write_result(tree, tmp_path / "later.nc")
        with pytest.raises(InputError, match="written by a later version"):
            read_result(tmp_path / "later.nc")

    def test_without_a_group(self, tree, tmp_path):
        del tree["summary"]
        write_result(tree, tmp_path / "part.nc")
        with pytest.raises(InputError, match="its group 'summary' is missing"):
            read_result(tmp_path / "part.nc")


def test_draws_are_never_held_twice(tmp_path):
    run = simulation(three_tracks(200_000))
    held = len(run.tracks) * len(run.tracks[0].draws) * run.draws * 8
    tracemalloc.start()
    write_result(build_result(run, loaded_scenario()), tmp_path / "large.nc")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One variable of all tracks at a time, a seventh of what is held, and room for sorting.
    assert peak < held / 2
