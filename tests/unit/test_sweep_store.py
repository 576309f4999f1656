"""The store of a sweep: whatever stops the writer, what is read is what was written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sweep_writer
import xarray as xr
from sweep_writer import COORDS, IDENTITY, SHAPE, TRACKS, UNIT, create, figures, fill, of_unit

import simdc.sweep.disk
import simdc.sweep.lock
import simdc.sweep.store
from simdc.errors import InputError, SimdcError
from simdc.sweep.digest import point_digests
from simdc.sweep.disk import check_new
from simdc.sweep.identity import differences, fingerprint, sweep_identity
from simdc.sweep.layout import units_of
from simdc.sweep.read import read_sweep
from simdc.sweep.store import SweepStore
from simdc.sweep.stored import content_hash

WRITER = Path(sweep_writer.__file__)
UNITS = 6  # of SHAPE cut by UNIT: two by three
POINTS = 28


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep.zarr"


@pytest.fixture
def half(path):
    """A store in which the first three units are finished."""
    with create(path) as store:
        for unit in store.units[:3]:
            store.write(unit, of_unit(unit))
    return path


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A finished store that nothing ever stopped; not to be changed."""
    path = tmp_path_factory.mktemp("whole") / "sweep.zarr"
    with create(path) as store:
        fill(store)
    return path


@pytest.fixture
def whole(uninterrupted, path):
    """A finished store, to damage."""
    shutil.copytree(uninterrupted, path)
    return path


@pytest.fixture(scope="module")
def expected_hash(uninterrupted):
    return content_hash(uninterrupted)


def gone_on_with(path: Path) -> SweepStore:
    """The store once everything that is not there is worked out."""
    with SweepStore.resume(path, IDENTITY) as store:
        fill(store)
    return store


def chunk(path: Path, variable: str = "summary/cash_due", unit: int = 0) -> Path:
    place = units_of(SHAPE, UNIT)[unit].place
    (found,) = (path / variable).glob(f"c.{'.'.join(map(str, place))}.*")
    return found


# --- what is stored -----------------------------------------------------------------------------


class TestUnits:
    @pytest.mark.parametrize(
        ("shape", "unit"), [((4, 7), (2, 3)), ((5,), (5,)), ((3, 2, 2), (1, 2, 1)), ((2,), (9,))]
    )
    def test_cover_every_point_once(self, shape, unit):
        units = units_of(shape, unit)
        covered = np.concatenate([each.points for each in units])
        assert sorted(covered) == list(range(np.prod(shape)))
        assert [each.index for each in units] == list(range(len(units)))

    def test_name_their_points_in_c_order(self):
        numbered = np.arange(28).reshape(4, 7)
        for unit in units_of((4, 7), (2, 3)):
            np.testing.assert_array_equal(numbered[unit.slices].ravel(), unit.points)
            assert unit.points.size == np.prod(unit.shape)

    def test_last_one_may_be_smaller(self):
        assert [unit.shape for unit in units_of((5,), (2,))] == [(2,), (2,), (1,)]


class TestContent:
    def test_is_what_was_written(self, uninterrupted):
        tree = read_sweep(uninterrupted)
        for place, values in figures().items():
            np.testing.assert_array_equal(tree[place].values, values)

    def test_is_read_by_xarray_alone(self, uninterrupted):
        with xr.open_datatree(uninterrupted, engine="zarr") as tree:
            cash = tree["summary"]["cash_due"]
            assert cash.dims == ("run.share", "track.Global PCC.option", "track", "figure")
            assert cash.attrs == sweep_writer.USD
            found = cash.sel(
                {"run.share": 0.75, "track.Global PCC.option": "c", "figure": "ci_low"}
            ).sel(track=TRACKS[1])
            assert float(found) == figures()["summary/cash_due"][1, 2, 1, 1]
            assert list(tree["draws"]["draw"].values) == list(range(100, 120))
            assert list(tree["summary"]["program"].values) == ["gpdc", "reach"]
            assert "program" in tree["summary"].coords
            assert list(tree["inputs"]["rule_name"].values) == ["discount", "withhold"]

    def test_unfinished_points_are_missing(self, half):
        with xr.open_datatree(half, engine="zarr") as plain:
            missing = plain["draws"]["cash_due"].isnull().all(("track", "draw")).values
        assert (~missing[:2]).all()
        assert missing[2:].all()
        tree = read_sweep(half)
        extent = ("points", "points_unfinished", "units", "units_unfinished")
        assert [tree.attrs[name] for name in extent] == [28, 14, 6, 3]

    def test_a_unit_that_was_begun_is_not_read(self, half, monkeypatch):
        with SweepStore.resume(half, IDENTITY) as store:
            monkeypatch.setattr(simdc.sweep.store, "point_digests", _raise(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                store.write(store.units[3], of_unit(store.units[3]))
        with xr.open_datatree(half, engine="zarr") as plain:
            assert plain["summary"]["cash_due"][2:, :3].notnull().any()
        assert read_sweep(half)["summary"]["cash_due"][2:].isnull().all()

    def test_samples_lie_along_points(self, path):
        labels = {
            "run.share": ("point", [0.1, 0.2, 0.3]),
            "track.Global PCC.on": ("point", [True, False, True]),
        }
        with create(path, unit=(2,), dims=["point"], shape=[3], coords=labels):
            tree = read_sweep(path)
        assert tree["summary"]["cash_due"].sizes["point"] == 3
        for label, (_, values) in labels.items():
            coordinate = tree["summary"]["cash_due"].coords[label]
            assert coordinate.dims == ("point",)
            assert list(coordinate.values) == values

    def test_long_dimensions_are_cut(self, path, monkeypatch):
        monkeypatch.setitem(simdc.sweep.layout.INNER_CHUNKS, "draw", 8)
        with create(path) as store:
            fill(store)
        first = sorted(file.name for file in (path / "draws" / "cash_due").glob("c.0.0.*"))
        assert first == ["c.0.0.0.0", "c.0.0.0.1", "c.0.0.0.2"]  # 20 draws
        (path / "draws" / "cash_due" / "c.0.0.0.2").unlink()
        with SweepStore.resume(path, IDENTITY) as store:
            assert store.finished().damaged == (0,)

    def test_a_number_that_is_no_float_has_no_place(self, path):
        wrong = {"summary": xr.Dataset({"count": ("track", [1, 2])})}
        with pytest.raises(ValueError, match="'count' is not a float"):
            create(path, template=wrong)
        assert list(path.parent.iterdir()) == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda values: values.pop("draws/cash_due"),
            lambda values: values.update({"summary/other": np.zeros(6)}),
            lambda values: values.update({"summary/cash_due": np.zeros((2, 3, 2))}),
        ],
    )
    def test_a_unit_is_written_whole_or_refused(self, path, change):
        with create(path) as store:
            values = of_unit(store.units[0])
            change(values)
            with pytest.raises(ValueError, match=r"missing, or not in the template|has shape"):
                store.write(store.units[0], values)
            assert store.finished().whole == ()

    def test_label_with_a_slash_is_refused(self, path):
        label = "track.a/b.option"
        coords = {"run.share": COORDS["run.share"], label: (label, list("abcdefg"))}
        with pytest.raises(InputError, match="because of its '/'"):
            create(path, dims=tuple(coords), coords=coords)
        assert list(path.parent.iterdir()) == []


class TestContentHash:
    def test_does_not_depend_on_units_order_or_attributes(self, path, expected_hash):
        with create(path, unit=(3, 2), attrs={"host": "another", "created": "later"}) as store:
            for unit in reversed(store.units):
                store.write(unit, of_unit(unit))
        assert content_hash(path) == expected_hash

    def test_changes_with_one_bit(self, path, expected_hash):
        with create(path) as store:
            fill(store)
            values = of_unit(store.units[4])
            values["summary/gross_savings"] = np.nextafter(values["summary/gross_savings"], 0)
            store.write(store.units[4], values)
        assert content_hash(path) != expected_hash

    def test_changes_with_a_label(self, path, expected_hash):
        coords = {**COORDS, "run.share": ("run.share", [0.5, 0.75, 1.0, 2.0])}
        with create(path, coords=coords) as store:
            fill(store)
        assert content_hash(path) != expected_hash

    def test_needs_a_finished_sweep(self, half):
        with pytest.raises(SimdcError, match="3 of 6 units are not finished") as told:
            content_hash(half)
        assert "--resume" in str(told.value)

    def test_digests_of_points_do_not_depend_on_what_is_beside_them(self):
        values = np.random.default_rng(3).normal(size=(4, 5))
        together = point_digests([values, values[:, 0]], (4,))
        alone = point_digests([values[2:3], values[2:3, 0]], (1,))
        np.testing.assert_array_equal(together[2:3], alone)
        assert len({digest.tobytes() for digest in together}) == 4

    def test_every_missing_figure_is_the_same(self):
        missing = np.array([[np.nan, 1.0], [-np.nan, 1.0]])
        first, second = point_digests([missing], (2,))
        np.testing.assert_array_equal(first, second)
        zeros, negative = point_digests([np.array([[0.0], [-0.0]])], (2,))
        assert (zeros != negative).any()


# --- making -------------------------------------------------------------------------------------


def _raise(error):
    def raising(*args, **kwargs):
        raise error

    return raising


class TestMaking:
    def test_makes_the_folders_above(self, tmp_path, expected_hash):
        path = tmp_path / "Läufe von heute" / "écart type" / "a sweep 東.zarr"
        with create(path) as store:
            fill(store)
        assert content_hash(path) == expected_hash
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_a_sweep_is_not_replaced(self, half):
        with pytest.raises(InputError, match="is a sweep already; go on with it by --resume"):
            create(half)
        with SweepStore.resume(half, IDENTITY) as store:
            assert store.finished().whole == (0, 1, 2)

    def test_a_foreign_folder_is_not_touched(self, path):
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")
        with pytest.raises(InputError, match="is a folder, but not a sweep"):
            create(path)
        with pytest.raises(InputError, match="is a folder, but not a sweep"):
            SweepStore.resume(path, IDENTITY)
        assert [each.name for each in path.iterdir()] == ["thesis.tex"]
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_a_file_is_in_the_way(self, path):
        path.write_text("something")
        with pytest.raises(InputError, match="is a file, and a sweep is a folder"):
            create(path)
        with pytest.raises(InputError, match="is a file, and a sweep is a folder"):
            SweepStore.resume(path, IDENTITY)
        with pytest.raises(InputError, match=r"sweep\.zarr is a file, not a folder"):
            create(path / "below" / "sweep.zarr")
        assert path.read_text() == "something"

    def test_checking_writes_nothing(self, tmp_path):
        check_new(tmp_path / "new" / "sweep.zarr")
        assert list(tmp_path.iterdir()) == []

    def test_a_protected_folder_is_told_beforehand(self, path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda *args: False)
        with pytest.raises(InputError, match="is write-protected"):
            check_new(path)

    def test_a_name_that_no_file_system_takes(self, path):
        for refused in (check_new, create, read_sweep):
            with pytest.raises(InputError, match=r"cannot be (written|read): File name too long"):
                refused(path.with_name("x" * 300))

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (errno.EROFS, InputError),
            (errno.EACCES, InputError),
            (errno.ENAMETOOLONG, InputError),
            (errno.ENOSPC, SimdcError),
            (errno.EDQUOT, SimdcError),
            (errno.EIO, SimdcError),
        ],
    )
    def test_failures_of_the_disk_leave_nothing(self, path, monkeypatch, number, told):
        failure = OSError(number, os.strerror(number))
        monkeypatch.setattr(simdc.sweep.store, "build", _raise(failure))
        with pytest.raises(SimdcError, match=f"cannot be written: {failure.strerror}") as raised:
            create(path)
        assert type(raised.value) is told
        assert list(path.parent.iterdir()) == []

    def test_what_a_killed_maker_left_is_removed(self, path):
        left = path.with_name(f".{path.name}.4711.part")
        left.mkdir()
        (left / "zarr.json").write_text("{")
        another = path.with_name(".other.zarr.4711.part")
        another.mkdir()
        create(path).close()
        assert not left.exists()
        assert another.exists()

    def test_what_another_maker_is_writing_stays(self, path):
        busy = path.with_name(f".{path.name}.4711.part")
        busy.mkdir()
        with simdc.sweep.lock.WriterLock(busy):
            create(path).close()
            assert busy.exists()


# --- going on -----------------------------------------------------------------------------------


class TestIdentity:
    def given(self, **changes):
        usual = {
            "scenario_sha256": "ab" * 32,
            "files": {"people.csv": "cd" * 32},
            "overrides": {},
            "points": {"run.share": ("run.share", np.array([0.5, 1.0]))},
            "draws": 1_000,
            "seed": 2**64 - 1,
            "draw_scheme": "1",
            "levels": (0.9, 0.99),
            "variables": {"summary": ["cash_due", "gross_savings"]},
        }
        return sweep_identity(**{**usual, **changes})

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"scenario_sha256": "ef" * 32}, "the scenario"),
            ({"files": {"people.csv": "ef" * 32}}, "the file 'people.csv'"),
            ({"files": {}}, "the file 'people.csv'"),
            ({"overrides": {"run.draws": 5}}, "the settings changed on the command line"),
            ({"points": {"run.share": ("run.share", [0.5, 2.0])}}, "the swept points"),
            ({"points": {"run.share": ("point", [0.5, 1.0])}}, "the swept points"),
            ({"draws": 2_000}, "the number of draws (1000, now 2000)"),
            ({"seed": 1}, "the seed (18446744073709551615, now 1)"),
            (
                {"levels": (0.95, 0.99)},
                "the levels of the guarantee (0.9, 0.99, now 0.95, 0.99)",
            ),
            ({"draw_scheme": "2"}, "the way random numbers are addressed (1, now 2)"),
            ({"variables": {"summary": ["cash_due"]}}, "the result variables"),
        ],
    )
    def test_every_part_is_named(self, change, named):
        before, after = self.given(), self.given(**change)
        assert differences(before, after) == [named]
        assert fingerprint(before) != fingerprint(after)

    @pytest.mark.parametrize(
        ("part", "named"), [("simdc", "the version of simdc"), ("format", "the format")]
    )
    def test_version_is_part_of_it(self, part, named):
        (found,) = differences({**self.given(), part: "0.0"}, self.given())
        assert found.startswith(f"{named} (0.0, now ")

    def test_the_same_sweep_is_the_same(self):
        points = {"run.share": ("run.share", [0.5, 1.0])}
        variables = {"summary": iter(("gross_savings", "cash_due"))}
        again = self.given(points=points, variables=variables)
        assert differences(self.given(), again) == []
        assert fingerprint(self.given()) == fingerprint(dict(reversed(again.items())))

    def test_another_sweep_is_refused_and_stays_as_it_is(self, half):
        other = {**IDENTITY, "seed": "8", "scenario": "ef" * 32}
        with pytest.raises(InputError) as told:
            SweepStore.resume(half, other)
        assert "differs in the scenario, the seed (7, now 8); resume it with" in str(told.value)
        with SweepStore.resume(half, IDENTITY) as store:
            assert store.finished().whole == (0, 1, 2)

    def test_a_later_format_is_refused(self, half, monkeypatch):
        monkeypatch.setattr(simdc.sweep.stored, "FORMAT_VERSION", 0)
        for opened in (lambda: SweepStore.resume(half, IDENTITY), lambda: read_sweep(half)):
            with pytest.raises(InputError, match="was written by another version of simdc"):
                opened()


class TestResume:
    def test_only_what_is_missing_is_left(self, half, expected_hash):
        with SweepStore.resume(half, IDENTITY) as store:
            found = store.finished()
            assert (found.whole, found.damaged) == ((0, 1, 2), ())
            assert store.restored == ()
            fill(store)
            assert store.finished().whole == tuple(range(UNITS))
            assert store.content_hash() == expected_hash

    def test_a_finished_sweep_has_nothing_left(self, whole, expected_hash):
        with SweepStore.resume(whole, IDENTITY) as store:
            assert store.finished().whole == tuple(range(UNITS))
        assert content_hash(whole) == expected_hash

    def test_missing(self, path):
        with pytest.raises(InputError, match="nothing is stored there"):
            SweepStore.resume(path, IDENTITY)

    def test_a_full_disk_is_no_mistake_of_the_user(self, half, monkeypatch):
        full = OSError(errno.ENOSPC, "No space left on device")
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", _raise(full))
            with pytest.raises(SimdcError, match="No space left on device") as told:
                SweepStore.resume(half, IDENTITY)
        assert not isinstance(told.value, InputError)
        SweepStore.resume(half, IDENTITY).close()

    def test_files_that_were_begun_are_removed(self, half):
        begun = half / "summary" / "cash_due" / "c.1.0.0.123.partial"
        begun.write_bytes(b"half of it")
        SweepStore.resume(half, IDENTITY).close()
        assert not begun.exists()

    def test_a_record_in_some_groups_is_no_record(self, whole):
        chunk(whole, "progress/summary", unit=3).unlink()
        with SweepStore.resume(whole, IDENTITY) as store:
            found = store.finished()
        assert (found.whole, found.damaged) == ((0, 1, 2, 4, 5), ())


def _flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


DAMAGE = {
    "flipped": lambda file: _flip(file, 11),
    "flipped in the checksum": lambda file: _flip(file, -1),
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "cut to a rest": lambda file: os.truncate(file, 3),
    "empty": lambda file: os.truncate(file, 0),
    "too long": lambda file: file.write_bytes(file.read_bytes() * 2),
    "deleted": lambda file: file.unlink(),
}


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGE)
    @pytest.mark.parametrize("variable", ["summary/cash_due", "draws/cash_due"])
    def test_a_damaged_chunk_is_worked_out_again(self, whole, variable, damage, expected_hash):
        file = chunk(whole, variable, unit=4)
        DAMAGE[damage](file)
        with pytest.raises(SimdcError, match="1 of 6 units"):
            content_hash(whole)
        with SweepStore.resume(whole, IDENTITY) as store:
            found = store.finished()
            assert found.whole == (0, 1, 2, 3, 5)
            assert found.damaged == (4,)
            # From now on nobody takes it for finished, even if this process is killed.
            assert read_sweep(whole).attrs["units_unfinished"] == 1
            fill(store)
        assert content_hash(whole) == expected_hash

    def test_swapped_chunks_are_found(self, whole, expected_hash):
        first, second = (chunk(whole, "summary/gross_savings", unit) for unit in (0, 1))
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
        with pytest.raises(InputError, match="12 of 28 points are not what was written"):
            read_sweep(whole)
        with SweepStore.resume(whole, IDENTITY) as store:
            assert store.finished().damaged == (0, 1)
        gone_on_with(whole)
        assert content_hash(whole) == expected_hash

    def test_variables_are_told_apart(self, whole):
        (whole / "summary" / "cash_due" / "c.0.0.0.0").write_bytes(
            (whole / "summary" / "gross_savings" / "c.0.0.0.0").read_bytes()
        )
        with SweepStore.resume(whole, IDENTITY) as store:
            assert store.finished().damaged == (0,)

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_a_damaged_record_is_worked_out_again(self, whole, damage, expected_hash):
        DAMAGE[damage](chunk(whole, "progress/guarantee", unit=2))
        with SweepStore.resume(whole, IDENTITY) as store:
            assert 2 not in store.finished().whole
        gone_on_with(whole)
        assert content_hash(whole) == expected_hash

    @pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
    def test_readers_are_told(self, whole, damage):
        DAMAGE[damage](chunk(whole))
        with pytest.raises(InputError, match="is damaged; --resume works out again what can be"):
            read_sweep(whole)
        with (
            xr.open_datatree(whole, engine="zarr") as plain,
            pytest.raises(ValueError, match="checksum do not match"),
        ):
            plain["summary"]["cash_due"].load()

    @pytest.mark.parametrize(
        "file",
        [
            "zarr.json",
            "summary/zarr.json",
            "summary/cash_due/zarr.json",
            "summary/track/c.0",
            "guarantee/run.share/c.0",
            "draws/draw/zarr.json",
            "inputs/rule_name/c.0",
        ],
    )
    @pytest.mark.parametrize("damage", ["flipped", "cut", "deleted"])
    def test_labels_and_metadata_are_put_back(self, whole, file, damage, expected_hash):
        DAMAGE[damage](whole / file)
        with SweepStore.resume(whole, IDENTITY) as store:
            assert store.restored == (file,)
            assert store.finished().whole == tuple(range(UNITS))
        assert content_hash(whole) == expected_hash
        SweepStore.resume(whole, IDENTITY).close()
        assert read_sweep(whole).attrs["units_unfinished"] == 0

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"attributes": 3}'])
    def test_metadata_that_cannot_be_put_back_are_told(self, whole, content):
        (whole / "zarr.json").write_bytes(content)
        with pytest.raises(InputError, match="is damaged; --resume"):
            read_sweep(whole)
        _flip(whole / ".simdc" / "origin.zip", 40)
        with pytest.raises(InputError, match="is damaged"):
            SweepStore.resume(whole, IDENTITY)

    def test_metadata_of_something_else_are_told(self, path):
        xr.Dataset({"a": ("x", [1.0])}).to_zarr(path, zarr_format=3, consolidated=False)
        for opened in (lambda: SweepStore.resume(path, IDENTITY), lambda: read_sweep(path)):
            with pytest.raises(InputError, match="is a Zarr store, but not a sweep of simdc"):
                opened()

    @pytest.mark.parametrize("key", ["unit_shape", "consolidated_metadata"])
    def test_metadata_without_a_part_are_told(self, whole, key):
        document = json.loads((whole / "zarr.json").read_text())
        if key in document["attributes"]:
            del document["attributes"][key]
        else:
            document[key]["metadata"]["summary/cash_due"] = {"node_type": "array"}
        (whole / "zarr.json").write_text(json.dumps(document))
        with pytest.raises(InputError, match="is damaged"):
            read_sweep(whole)
        with pytest.raises(InputError, match="is damaged"):
            content_hash(whole)

    def test_a_damaged_way_back_does_no_harm(self, whole, expected_hash):
        archive = whole / ".simdc" / "origin.zip"
        generator = random.Random(5)
        sound = archive.read_bytes()
        for _ in range(40):
            archive.write_bytes(sound)
            _flip(archive, generator.randrange(len(sound)))
            with contextlib.suppress(InputError):
                SweepStore.resume(whole, IDENTITY).close()
        assert content_hash(whole) == expected_hash

    def test_the_way_back_leads_nowhere_else(self, whole):
        with zipfile.ZipFile(whole / ".simdc" / "origin.zip", "a") as archive:
            archive.writestr("../escaped", "out")
        SweepStore.resume(whole, IDENTITY).close()
        assert not (whole.parent / "escaped").exists()


class TestReading:
    def test_missing(self, path):
        with pytest.raises(InputError, match="nothing is stored there"):
            read_sweep(path)

    def test_file(self, path):
        path.write_text("")
        with pytest.raises(InputError, match="is a file, and a sweep is a folder"):
            read_sweep(path)

    def test_folder(self, path):
        path.mkdir()
        with pytest.raises(InputError, match="is a folder, but not a sweep"):
            read_sweep(path)

    def test_what_may_not_be_read(self, whole, monkeypatch):
        monkeypatch.setattr(xr, "open_datatree", _raise(PermissionError(13, "Permission denied")))
        with pytest.raises(InputError, match="cannot be read: Permission denied"):
            read_sweep(whole)

    def test_while_it_is_written(self, path):
        with create(path) as store:
            for done, unit in enumerate(store.units):
                assert read_sweep(path).attrs["units_unfinished"] == UNITS - done
                store.write(unit, of_unit(unit))
        tree = read_sweep(path)
        assert tree.attrs["units_unfinished"] == tree.attrs["points_unfinished"] == 0


# --- the disk -----------------------------------------------------------------------------------


class TestDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
    def test_a_failure_in_the_middle_keeps_what_is_finished(
        self, half, monkeypatch, number, expected_hash
    ):
        failure = OSError(number, os.strerror(number))
        with SweepStore.resume(half, IDENTITY) as store:
            with monkeypatch.context() as patched:
                patched.setattr(simdc.sweep.store, "force", _raise(failure))
                with pytest.raises(SimdcError, match="what is finished is safe, go on") as told:
                    store.write(store.units[3], of_unit(store.units[3]))
            assert not isinstance(told.value, InputError)
            assert failure.strerror in str(told.value)
            assert store.finished().whole == (0, 1, 2)
        gone_on_with(half)
        assert content_hash(half) == expected_hash

    def test_a_full_disk(self, path):
        """A limit on the size of files, between those of the metadata and of the draws."""
        told = _run_limited(path, 128 * 1024)
        assert told.returncode == 0, told.stderr
        *_, sentence = told.stdout.splitlines()
        assert "cannot be written: File too large; what is finished is safe, go on" in sentence
        with SweepStore.resume(path, IDENTITY) as store:
            assert store.finished().whole == ()
            values = of_large(store)
            store.write(store.units[0], values)
            assert store.finished().whole == (0,)
        assert not list(path.rglob("*.partial"))

    def test_a_disk_that_was_full_from_the_start(self, path):
        told = _run_limited(path, 200)
        assert told.returncode == 0, told.stderr
        assert "cannot be written: File too large." in told.stdout
        assert list(path.parent.iterdir()) == []

    def test_data_are_forced_to_disk_before_their_record(self, path, monkeypatch):
        steps = []
        forced = simdc.sweep.store.force

        def noting(paths):
            paths = list(paths)
            records = path / "progress"
            recorded = any(file.name.startswith("c.") for file in records.rglob("*"))
            steps.append((any(records in each.parents for each in paths), recorded))
            forced(paths)

        with create(path) as store:
            monkeypatch.setattr(simdc.sweep.store, "force", noting)
            store.write(store.units[0], of_unit(store.units[0]))
        # Files and folders of the data before any record is there; then those of the records.
        assert steps == [(False, False), (False, False), (True, True), (True, True)]


def of_large(store: SweepStore) -> dict[str, np.ndarray]:
    return {"draws/cash_due": np.ones((*store.units[0].shape, 2, 5_000))}


def create_large(path: Path) -> SweepStore:
    """A store whose chunks are larger than its metadata, and are cut by a limit between them."""
    draws = xr.Dataset({"cash_due": (("track", "draw"), np.zeros((2, 5_000)))})
    return create(path, template={"draws": draws})


def _run_limited(path: Path, size: int) -> subprocess.CompletedProcess[str]:
    program = f"""
import resource, sys
from pathlib import Path
from simdc.errors import SimdcError
sys.path.insert(0, {str(WRITER.parent)!r})
from test_sweep_store import create_large, of_large
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
try:
    with create_large(Path({str(path)!r})) as store:
        store.write(store.units[0], of_large(store))
except SimdcError as error:
    print(error)
"""
    return subprocess.run(
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, timeout=120
    )


# --- other processes ----------------------------------------------------------------------------


@contextlib.contextmanager
def writing(path: Path, pause: float):
    """A process that is writing the sweep, point by point."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(path), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _until(process: subprocess.Popen[str], wanted: str) -> None:
    for line in process.stdout:
        if line.startswith(wanted):
            return
    raise AssertionError(f"ended before '{wanted}'")


class TestLock:
    def test_a_second_writer_is_refused_until_the_first_is_killed(self, path, expected_hash):
        with writing(path, 60) as process:
            _until(process, "wrote 0")
            with pytest.raises(InputError) as told:
                SweepStore.resume(path, IDENTITY)
            assert f"process {process.pid} is writing to this sweep; wait" in str(told.value)
            assert read_sweep(path).attrs["units_unfinished"] == POINTS - 1
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert (path / ".simdc" / "lock").exists()  # left over, and not in the way
        gone_on_with(path)
        assert content_hash(path) == expected_hash

    def test_within_one_process_too(self, path):
        with create(path):
            with pytest.raises(InputError, match=f"process {os.getpid()} is writing"):
                SweepStore.resume(path, IDENTITY)
            (path / ".simdc" / "writer").unlink()
            with pytest.raises(InputError, match="another process is writing"):
                SweepStore.resume(path, IDENTITY)
        SweepStore.resume(path, IDENTITY).close()

    def test_is_given_back_after_a_refusal(self, half):
        for _ in range(2):
            with pytest.raises(InputError, match="differs in the seed"):
                SweepStore.resume(half, {**IDENTITY, "seed": "8"})

    @pytest.mark.parametrize(
        ("failure", "told"),
        [
            (NotImplementedError("no flock"), "cannot be locked on this file system"),
            (OSError(errno.ENOLCK, "No locks available"), "cannot be written: No locks"),
            (OSError(errno.EROFS, "Read-only file system"), "cannot be written: Read-only"),
        ],
    )
    def test_a_file_system_without_locks(self, half, monkeypatch, failure, told):
        monkeypatch.setattr(simdc.sweep.lock.FileLock, "acquire", _raise(failure))
        with pytest.raises(InputError, match=told):
            SweepStore.resume(half, IDENTITY)


@pytest.mark.slow
class TestKills:
    def test_killed_while_writing(self, path, expected_hash):
        """Ten kills at random moments of ten writers; the rest is worked out, to the bit."""
        moments = random.Random(20)
        recorded = []
        for _ in range(10):
            with writing(path, 0.02) as process:
                _until(process, "open")
                if moments.random() < 0.5:
                    _until(process, "wrote")
                time.sleep(moments.uniform(0, 0.04))  # a unit or two
                process.send_signal(signal.SIGKILL)
            recorded.append(POINTS - read_sweep(path).attrs["units_unfinished"])
        assert recorded == sorted(recorded)  # nothing that was finished is lost
        assert 0 < recorded[-1] < POINTS
        with SweepStore.resume(path, IDENTITY) as store:
            found = store.finished()
            assert (len(found.whole), found.damaged) == (recorded[-1], ())
            fill(store)
        assert content_hash(path) == expected_hash

    def test_killed_while_making(self, path, expected_hash):
        """A kill leaves no store, or a whole one."""
        moments = random.Random(21)
        for _ in range(10):
            shutil.rmtree(path, ignore_errors=True)
            with writing(path, 60) as process:
                _until(process, "ready")
                time.sleep(moments.uniform(0, 0.6))
                process.send_signal(signal.SIGKILL)
            if path.exists():
                SweepStore.resume(path, IDENTITY).close()
        shutil.rmtree(path, ignore_errors=True)
        with create(path) as store:
            fill(store)
        assert content_hash(path) == expected_hash
        assert list(path.parent.iterdir()) == [path]
