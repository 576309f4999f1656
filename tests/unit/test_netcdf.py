"""Results as netCDF: what xarray reads back, and what xarray itself would have written."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from simdc.netcdf import write_netcdf


def tree(**draws):
    """Three groups with every kind of thing that a result holds."""
    inner = xr.Dataset(
        {
            "amount": (("track", "draw"), np.arange(6.0).reshape(2, 3), {"units": "USD"}),
            "rule": (("row",), np.array(["a", "", "été"], dtype=object)),
            "share": ((), 0.25),
            **draws,
        },
        {"track": ["Global", "Professional"], "draw": np.array([5, 6, 7])},
    )
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": "A resumé", "year": 2022, "empty": ""}),
            "/draws": inner,
            "/draws/deeper": xr.Dataset({"other": ("place", np.array([np.nan, np.inf]))}),
            "/none": xr.Dataset({"nobody": ("row", np.array([], dtype=object))}),
        }
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "result.nc"


def test_is_read_as_what_xarray_writes(path, tmp_path):
    write_netcdf(tree(), path)
    tree().to_netcdf(tmp_path / "by_xarray.nc", engine="h5netcdf")
    with (
        xr.open_datatree(path, engine="h5netcdf") as ours,
        xr.open_datatree(tmp_path / "by_xarray.nc", engine="h5netcdf") as theirs,
    ):
        assert ours.identical(theirs)
        assert ours["draws/amount"].dtype == np.float64
        assert list(ours["draws"].variables) == list(theirs["draws"].variables)


def test_numbers_keep_their_bits(path):
    values = np.array([[0.1, -0.0, 5e-324], [np.nan, np.inf, 1.7976931348623157e308]])
    write_netcdf(tree(amount=(("track", "draw"), values)), path)
    with xr.open_datatree(path, engine="h5netcdf") as read:
        assert read["draws/amount"].values.tobytes() == values.tobytes()


def test_follows_the_conventions_of_netcdf(path):
    """Dimensions are HDF5 dimension scales, those without a variable under their agreed name."""
    write_netcdf(tree(), path)
    with h5py.File(path) as file:
        assert [axis[0].name for axis in file["draws/amount"].dims] == [
            "/draws/track",
            "/draws/draw",
        ]
        agreed = b"This is a netCDF dimension but not a netCDF variable.         3"
        assert file["draws/row"].attrs["NAME"] == agreed
        assert list(file) == ["draws", "none"]


def test_an_older_file_is_replaced(path):
    write_netcdf(tree(), path)
    write_netcdf(xr.DataTree.from_dict({"/new": xr.Dataset({"a": ("x", [1.0])})}), path)
    with xr.open_datatree(path, engine="h5netcdf") as read:
        assert list(read.children) == ["new"]


def test_says_that_it_cannot_write(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_netcdf(tree(), tmp_path / "nowhere" / "result.nc")
