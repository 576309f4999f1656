"""Every mistake in broken_scenarios.toml gives its sentences, from Python and on the screen."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from simdc.cli.main import main
from simdc.errors import InputError
from simdc.scenario import load_scenario

HERE = Path(__file__).parent
WHOLE = (HERE / "whole_scenario.toml").read_text(encoding="utf-8")
CASES: list[dict[str, Any]] = tomllib.loads(
    (HERE / "broken_scenarios.toml").read_text(encoding="utf-8")
)["case"]

each_mistake = pytest.mark.parametrize("case", CASES, ids=[case["mistake"] for case in CASES])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, so that sentences name files as a user sees them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(case: dict[str, Any]) -> None:
    assert case["instead_of"] in WHOLE
    text = WHOLE.replace(case["instead_of"], case["written"], 1)
    Path("scenario.toml").write_text(text, encoding="utf-8")


def test_without_a_mistake_the_scenario_is_valid(folder: Path) -> None:
    Path("scenario.toml").write_text(WHOLE, encoding="utf-8")
    assert load_scenario("scenario.toml").scenario.entity.id == "D9999"


@each_mistake
def test_mistake_is_told(case: dict[str, Any], folder: Path) -> None:
    write(case)
    with pytest.raises(InputError) as refused:
        load_scenario("scenario.toml")
    assert str(refused.value).splitlines() == case["told"]


@each_mistake
@pytest.mark.parametrize("command", ["run", "validate"])
def test_mistake_on_the_command_line_exits_with_2_and_writes_nothing(
    case: dict[str, Any], command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(case)
    with pytest.raises(SystemExit) as stopped:
        main([command, "scenario.toml"])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "".join(f"simdc: {sentence}\n" for sentence in case["told"])
    assert [path.name for path in folder.iterdir()] == ["scenario.toml"]
