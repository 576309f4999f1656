"""Portfolio files: what they may say, in TOML and CSV, and a sentence for everything else."""

from __future__ import annotations

import pytest

from simdc.cli.main import _status
from simdc.errors import InputError
from simdc.portfolio.members import EVERYONE, load_portfolio
from simdc.scenario import load_scenario

SCENARIO = """
[run]
draws = {draws}
[entity]
id = "E1"
type = "standard"
performance_year = {year}
option = "global"
[[population.segment]]
name = "aged"
category = "A&D"
beneficiaries = 300
expected_cost_pbpm = 1000
severity = {{ distribution = "lognormal", sigma = 1.2 }}
[benchmark]
pbpm = 1500
[[track]]
name = "global"
program = "reach"
option = "global"
{more}
"""
SECOND = """
[[track]]
name = "professional"
program = "reach"
option = "professional"
"""
DISCOUNT = "track.global.rules.discount"


@pytest.fixture
def folder(tmp_path):
    for name, more in {"one": "", "two": SECOND}.items():
        text = SCENARIO.format(draws=400, year=2023, more=more)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def load(folder):
    def load(text, name="portfolio.toml", **options):
        (folder / name).write_text(text, encoding="utf-8")
        return load_portfolio(folder / name, **options)

    return load


def entity(name, scenario="one.toml", **more):
    settings = {"name": name, "scenario": scenario, **more}
    lines = (f'{key} = "{value}"' for key, value in settings.items())
    return "\n".join(["[[entity]]", *lines]) + "\n"


def said(portfolio):
    """What a portfolio asks for, apart from where it was written."""
    members = [
        (each.name, each.group, each.track, dict(each.loaded.overrides), each.loaded.scenario)
        for each in portfolio.members
    ]
    return members, portfolio.draws, portfolio.seed, portfolio.groups


# --- what is understood -------------------------------------------------------------------------


def test_an_entity_is_its_scenario_with_the_elected_track(load):
    text = entity("north", "two.toml", track="professional", group="parent") + entity("south")
    portfolio = load(f'title = "Both"\n[run]\nseed = 9\n{text}')
    north, south = portfolio.members
    assert (portfolio.title, portfolio.draws, portfolio.seed) == ("Both", 400, 9)
    assert portfolio.performance_year == 2023
    assert portfolio.groups == {"parent": ("north",)}
    assert (north.track, south.track, south.group) == ("professional", "global", None)
    assert [track.name for track in north.scenario.track] == ["professional"]
    assert len(north.loaded.scenario.track) == 2


def test_the_entity_effect_is_that_of_the_whole_scenario(load, folder):
    """Electing a track does not change the entity: its default effect is the one of a run."""
    written = (folder / "two.toml").read_text().replace('option = "global"\n[[pop', "[[pop")
    (folder / "two.toml").write_text(written)
    (north,) = load(entity("north", "two.toml", track="professional")).members
    assert north.loaded.scenario.entity.option is None
    assert north.scenario.entity.option == "global"


def test_what_entities_share_is_said_once(load):
    text = 'scenario = "two.toml"\ntrack = "global"\n'
    own = entity("b", "one.toml", track="global")
    a, b, c = load(text + '[[entity]]\nname = "a"\n' + own + '[[entity]]\nname = "c"\n').members
    assert [each.loaded.path.name for each in (a, b, c)] == ["two.toml", "one.toml", "two.toml"]
    assert {each.track for each in (a, b, c)} == {"global"}


def test_settings_of_its_own(load):
    table = '{ distribution = "normal", sd = 0.1 }'
    settings = f'set = {{ "{DISCOUNT}" = 0.05, "drivers.entity_effect" = {table} }}\n'
    changed, plain = load(entity("a") + settings + entity("b")).members
    assert changed.scenario.track[0].rules == {"discount": 0.05}
    assert changed.scenario.drivers.entity_effect.sd == 0.1
    assert plain.loaded.overrides == {}


def test_csv_and_toml_say_the_same(load):
    toml = load(
        entity("a", "two.toml", track="global", group="g")
        + f'set = {{ "{DISCOUNT}" = 0.05, "benchmark.source" = "a, b" }}\n'
        + entity("b")
        + 'set = { "population.segment.aged.beneficiaries" = 200 }\n'
    )
    csv = load(
        f"name, scenario, track, group, {DISCOUNT}, population.segment.aged.beneficiaries, "
        'benchmark.source\n\na, two.toml, global, g, 0.05, , """a, b"""\n\nb,one.toml,,,,200,\n',
        "entities.csv",
    )
    both = load('table = "entities.csv"\n')

    assert said(toml) == said(csv) == said(both)


def test_a_table_comes_after_the_entities_of_the_file(load, folder):
    (folder / "rest.csv").write_text("name,track\nb,\nc,global\n", encoding="utf-8")
    portfolio = load('scenario = "one.toml"\ntable = "rest.csv"\n[[entity]]\nname = "a"\n')
    assert [each.name for each in portfolio.members] == ["a", "b", "c"]
    before = portfolio.sha256
    (folder / "rest.csv").write_text("name,track\nc,\nb,global\n", encoding="utf-8")
    assert load_portfolio(portfolio.path).sha256 != before


def test_a_byte_order_mark_and_windows_lines_do_no_harm(folder):
    (folder / "p.csv").write_bytes(b"\xef\xbb\xbfname,scenario\r\na,one.toml\r\n")
    assert load_portfolio(folder / "p.csv").members[0].name == "a"


def test_options_come_before_the_file(load):
    portfolio = load("[run]\ndraws = 50\nseed = 3\n" + entity("a"), draws=70, seed=4)
    assert (portfolio.draws, portfolio.seed) == (70, 4)


def test_draws_are_those_of_the_scenarios_where_they_agree(load, folder):
    other = SCENARIO.format(draws=500, year=2023, more="")
    (folder / "other.toml").write_text(other, encoding="utf-8")
    text = entity("a") + entity("b", "other.toml")
    with pytest.raises(InputError, match=r"400 \(a\) and 500 \(b\)"):
        load(text)
    assert load(text, draws=60).draws == 60
    assert load("[run]\ndraws = 80\n" + text).draws == 80


def test_a_shared_scenario_is_read_once(load, monkeypatch):
    read = []

    def counting(path):
        read.append(path)
        return load_scenario(path)

    monkeypatch.setattr("simdc.portfolio.members.load_scenario", counting)
    load("".join(entity(f"e{number}") for number in range(20)))
    assert len(read) == 1


# --- what is refused ----------------------------------------------------------------------------

MISTAKES = {
    # of the file
    "entitty = 3": ["entitty: unknown key", "did you mean 'entity'?"],
    "titel = 'x'": ["titel: unknown key", "did you mean 'title'?"],
    "scenaro = 'x'": ["did you mean 'scenario'?"],
    "trak = 'x'": ["did you mean 'track'?"],
    "tabel = 'x'": ["did you mean 'table'?"],
    "rum = 3": ["did you mean 'run'?"],
    "[run]\ndrawz = 3": ["run.drawz: unknown key", "did you mean 'draws'?"],
    "[run]\nsead = 3": ["run.sead: unknown key", "did you mean 'seed'?"],
    "[run]\ndraws = 0": ["run.draws", "given 0"],
    "[run]\nseed = -1": ["run.seed", "given -1"],
    "": ["has no entities"],
    "entity = 5": ["entity: must be a list"],
    "table = 5": ["table: must be text"],
    'table = ""': ["table: must be the name of a file"],
    'table = "none.csv"': ["none.csv: there is no such file"],
    "[[entity": ["not valid TOML"],
    SCENARIO.format(draws=400, year=2023, more=""): ["is a scenario; a portfolio names some"],
    # of an entity
    entity("north") + "scenaro = 'x'": ["entity 'north': scenaro", "mean 'scenario'?"],
    entity("north") + "trak = 'x'": ["entity 'north': trak", "did you mean 'track'?"],
    entity("north") + "grup = 'x'": ["entity 'north': grup", "did you mean 'group'?"],
    entity("north") + "sett = {}": ["entity 'north': sett", "did you mean 'set'?"],
    '[[entity]]\nnam = "north"': ["entity[0].nam: unknown key", "did you mean 'name'?"],
    '[[entity]]\nscenario = "one.toml"': ["entity[0].name: is missing"],
    entity("nor/th"): ["entity 'nor/th': name: must be a name of 1 to 60 letters"],
    '[[entity]]\nname = "north"': ["entity 'north': needs a 'scenario'"],
    entity("north", "ohne.toml"): ["entity 'north': ", "there is no such file", "one.toml"],
    entity("north", "."): ["entity 'north': ", "is a folder"],
    entity("north", "n" * 5000): ["entity 'north': "],
    entity("north", "\\u0000"): ["entity 'north': scenario: must be the name of a file"],
    entity("north", "two.toml"): ["'north': needs a 'track'", "global, professional"],
    entity("north", track="globl"): ["'north': track: must be", "did you mean 'global'?"],
    entity("north", group=EVERYONE): ["entity 'north': the group 'all entities' is always"],
    entity("north") + entity("north"): ["entity 'north': is the name of several"],
    entity("north") + "set = 5": ["entity 'north': set: must be a table"],
    # of its settings
    entity("north") + 'set = { "track.globl.option" = "global" }': [
        "entity 'north': track.globl.option: there is no 'globl'",
        "did you mean 'track.global.option'?",
    ],
    entity("north") + 'set = { "track.global.rules.discuont" = 0.1 }': [
        "entity 'north': ",
        "track.global.rules.discuont",
        "did you mean 'discount'?",
    ],
    entity("north") + f'set = {{ "{DISCOUNT}" = 5 }}': [
        "entity 'north': ",
        f"{DISCOUNT}: must be a rate",
        "given 5",
    ],
    entity("north") + f"set = {{ {DISCOUNT} = 0.1 }}": ["'north': set.track: write the path in"],
    entity("north") + f'set = {{ "{DISCOUNT}" = nan }}': ["entity 'north': ", "nan is no value"],
    entity("north") + 'set = { "run.seed" = 5 }': ["'north': run.seed: is the same for all"],
    entity("north") + 'set = { "run.draws" = 5 }': ["'north': run.draws: is the same for all"],
    entity("north") + 'set = { "track.global.name" = "x" }': ["'north': track.global.name"],
    entity("north") + 'set = { "a..b" = 1 }': ["entity 'north': a..b: must be the path"],
    entity("north") + f'set = {{ "{DISCOUNT}" = 0.1, "track.*.rules.discount" = 0.1 }}': [
        "entity 'north': ",
        "sets what",
    ],
}


@pytest.mark.parametrize("text", MISTAKES)
def test_every_mistake_gets_a_sentence(text, load):
    with pytest.raises(InputError) as refused:
        load(text)
    for part in MISTAKES[text]:
        assert part in str(refused.value)


CSV_MISTAKES = {
    "": ["p.csv:1: the first line must name the columns"],
    "nmae,scenario\na,b\n": ["p.csv:1: column 'nmae'", "did you mean 'name'?"],
    "name,scenrio\na,b\n": ["p.csv:1: column 'scenrio'", "did you mean 'scenario'?"],
    "name,scenario,trck\na,b,c\n": ["column 'trck'", "did you mean 'track'?"],
    "name,scenario,gruop\na,b,c\n": ["column 'gruop'", "did you mean 'group'?"],
    "name,scenario,\na,b,c\n": ["column ''"],
    "name,name\na,b\n": ["column 'name': stands there twice"],
    "name,scenario\n": ["has no entities"],
    "name,scenario\na\n": ["p.csv:2: the number of cells, 1, is not that of the first line, 2"],
    "name,scenario\na,b,c\n": ["p.csv:2: the number of cells, 3"],
    "name,scenario\n,one.toml\n": ["p.csv:2: name: is missing"],
    "name,scenario\na,\n": ["entity 'a': needs a 'scenario'"],
    'name,scenario\n"a,one.toml\n': ["not valid CSV"],
    f"name,scenario,{DISCOUNT}\n\na,one.toml,5 percent\n": [
        f"p.csv:3: entity 'a': {DISCOUNT}: must be a number",
        "5 percent",
    ],
    f"name,scenario,{DISCOUNT}\na,one.toml,5\n": ["entity 'a': ", f"{DISCOUNT}: must be a rate"],
    "name,scenario,track.globl.option\na,one.toml,global\n": ["'a': track.globl", "track.global"],
    "name,scenario,run.seed\na,one.toml,4\n": ["entity 'a': run.seed: is the same for all"],
}


@pytest.mark.parametrize("text", CSV_MISTAKES)
def test_every_mistake_in_a_table_gets_a_sentence(text, load):
    with pytest.raises(InputError) as refused:
        load(text, "p.csv")
    for part in CSV_MISTAKES[text]:
        assert part in str(refused.value)


def test_mistakes_of_several_entities_are_told_together(load):
    text = "".join(entity(f"e{number}", track="globl") for number in range(8)) + entity("fine")
    with pytest.raises(InputError) as refused:
        load(text)
    told = str(refused.value)
    assert all(f"entity 'e{number}'" in told for number in range(5))
    assert "e5" not in told
    assert "3 more of the entities cannot be run either" in told


def test_a_mistake_in_a_scenario_names_entity_file_and_line(load, folder):
    broken = SCENARIO.format(draws=400, year=2023, more="").replace("pbpm = 1500", "pbpm = -1")
    (folder / "broken.toml").write_text(broken, encoding="utf-8")
    line = broken.splitlines().index("pbpm = -1") + 1
    with pytest.raises(InputError) as refused:
        load(entity("north", "broken.toml"))
    place = f"entity 'north': {folder / 'broken.toml'}: line {line}: benchmark.pbpm: "
    assert place in str(refused.value)


def test_performance_years_are_not_mixed(load):
    text = entity("a") + 'set = { "entity.performance_year" = 2024 }\n' + entity("b") + entity("c")
    with pytest.raises(InputError, match=r"2023 \(b, c\) and 2024 \(a\)"):
        load(text)


def test_several_performance_years_are_refused(load, folder):
    with (folder / "one.toml").open("a") as scenario:
        scenario.write("[years]\nthrough = 2024\n")
    with pytest.raises(InputError, match=r"entity 'north': .*one.toml: .*\[years\]"):
        load(entity("north"))


@pytest.mark.parametrize("name", ["none.toml", "none.csv"])
def test_a_portfolio_that_is_not_there(folder, name):
    with pytest.raises(InputError, match="there is no such file"):
        load_portfolio(folder / name)
    with pytest.raises(InputError, match="is a folder"):
        load_portfolio(folder)
    (folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        load_portfolio(folder / name)


@pytest.mark.parametrize("text", [entity("north", track="globl"), "entitty = 3"])
def test_bad_input_ends_with_2_and_writes_nothing(folder, monkeypatch, capsys, text):
    monkeypatch.chdir(folder)
    (folder / "p.toml").write_text(text, encoding="utf-8")
    before = sorted(folder.iterdir())
    assert _status(["portfolio", "p.toml"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
