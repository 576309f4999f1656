"""Files that a scenario names: which they are, and that a change of one is seen."""

from __future__ import annotations

import tomllib

from simdc.scenario.files import files_named, hashes

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of the three letters, as FIPS 180-2 prints it."""


def test_files_are_found_wherever_they_stand():
    document = tomllib.loads(
        """
        title = "a file"
        [population]
        file = "people.csv"
        [[population.segment]]
        severity = { distribution = "empirical", file = "costs.parquet" }
        [benchmark.rate_book]
        months_file = "months.csv"
        rates_file = "../rates.csv"
        [drivers.completion]
        file = "completion.csv"
        """
    )
    assert set(files_named(document)) == {
        "people.csv", "costs.parquet", "months.csv", "../rates.csv", "completion.csv",
    }  # fmt: skip


def test_a_scenario_may_name_none():
    assert list(files_named({"population": {"segment": [{"name": "file"}]}, "file": 3})) == []


def test_hashes(tmp_path):
    (tmp_path / "abc.csv").write_text("abc")
    (tmp_path / "folder").mkdir()
    assert hashes(["abc.csv", "abc.csv", "gone.csv", "folder"], tmp_path) == {"abc.csv": ABC}
