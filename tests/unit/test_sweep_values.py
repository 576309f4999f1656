"""Values on the command line: TOML, plain words, and several numbers at once."""

from __future__ import annotations

import contextlib
import math
import tomllib
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.sweep.values import MOST, as_toml, parse_value, parse_values, split


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1", (1,)),
        ("0.02, 0.03", (0.02, 0.03)),
        ("1e-3,-4", (1e-3, -4)),
        ("150_000", (150_000,)),
        ("true,false", (True, False)),
        ("inf", (math.inf,)),
        ("global,professional", ("global", "professional")),
        ("aged and disabled,A&D", ("aged and disabled", "A&D")),
        ('"a,b",\'c"d\'', ("a,b", 'c"d')),
        ('"0.5"', ("0.5",)),
        ("[1, 2],[3]", ([1, 2], [3])),
        ('{ a = 1, b = "x,y" },neutral', ({"a": 1, "b": "x,y"}, "neutral")),
        ("1,true", (1, True)),
        ("0.01:0.05:0.01", (0.01, 0.02, 0.03, 0.04, 0.05)),
        ("0.05:0.01:-0.02", (0.05, 0.03, 0.01)),
        ("1:10:4", (1, 5, 9)),
        ("1:10:4,100", (1, 5, 9, 100)),
        ("100_000:300_000:100_000", (100_000, 200_000, 300_000)),
        ("-1:1:0.5", (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ("2:2:1", (2,)),
        ("lin(0,1,5)", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("lin(0.1, 0.4, 4)", (0.1, 0.2, 0.3, 0.4)),
        ("log(1e5,1e7,3)", (1e5, 1e6, 1e7)),
        ("log(1,1000,4)", (1.0, 10.0, 100.0, 1000.0)),
    ],
)
def test_values_are_read(text: str, values: tuple[object, ...]) -> None:
    found = parse_values(text)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(("text", "kind"), [("1:3:1", int), ("1.0:3:1", float), ("1:3:1e0", float)])
def test_a_range_of_whole_numbers_is_one_of_integers(text: str, kind: type) -> None:
    assert [type(value) for value in parse_values(text)] == [kind] * 3


def test_a_range_is_exact_in_decimals() -> None:
    found = parse_values("0:1:0.001")
    assert found == tuple(float(f"{thousandths / 1000:.3f}") for thousandths in range(1001))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'a value is missing (given "").'),
        ("1,,2", 'a value is missing (given "1,,2").'),
        ("1,", "a value is missing"),
        ("nan", "nan is no value of a setting (given nan)."),
        ("-nan", "nan is no value of a setting"),
        ("[1, [nan]]", "nan is no value of a setting (given [1, [nan]])."),
        ("{ a = nan }", "nan is no value of a setting (given { a = nan })."),
        ("NaN", 'inf, true and false are written in lower case (given "NaN").'),
        ("True", "inf, true and false are written in lower case"),
        ("1,2,1.0", "gives a value twice (given 1.0)."),
        ("[1],[1.0]", "gives a value twice (given [1.0])."),
        ("{a=1,b=2},{b=2,a=1}", "gives a value twice"),
        ("0.1,0.1:0.3:0.1", "gives a value twice (given 0.1)."),
        ("lin(1,1,3)", "gives a value twice"),
        ("$5", "must be a number, true, false, a word, or as in TOML"),
        ("5%", "must be a number, true, false, a word, or as in TOML"),
        (".5", "must be a number, true, false, a word, or as in TOML"),
        ("1\nb = 2", "must be a number, true, false, a word, or as in TOML"),
        ('"open', "must be a number, true, false, a word, or as in TOML"),
        ("[1", "must be a number, true, false, a word, or as in TOML"),
        ("1]", "must be a number, true, false, a word, or as in TOML"),
        ("1:2", "must be start:stop:step, such as 0.01:0.05:0.01"),
        ("1:2:3:4", "must be start:stop:step, such as 0.01:0.05:0.01"),
        ("1:2:0", "must have a step that leads from its start to its stop"),
        ("1:2:-1", "must have a step that leads from its start to its stop"),
        ("1:x:1", 'must be made of finite numbers, of which "x" is none (given "1:x:1").'),
        ("1:nan:1", 'of which "nan" is none'),
        ("1:1e999:1", 'of which "1e999" is none'),
        ("1:1e99999999999999999999:1", "is none"),
        (f"1:2:0.{'1' * 40}", "is none"),
        ("0:1e9:1e-9", "gives more than 1,000,000 values"),
        ("1:1000001:1", "gives more than 1,000,000 values"),
        ("1:600000:1,1:600000:1", "gives more than 1,000,000 values"),
        ("lin(0,1)", "must be lin(first,last,count) with a whole count of 2 to 1,000,000"),
        ("lin(0,1,1)", "with a whole count of 2"),
        ("lin(0,1,2.5)", "with a whole count of 2"),
        ("lin(0,1,1e9)", "with a whole count of 2"),
        ("lin(0,,1)", "a value is missing"),
        ("log(0,1,3)", "must have its first and last above 0"),
        ("log(1e-999,1,3)", "must have its first and last above 0"),
        ("uniform(0,1)", "is a range to draw from and needs --sample, such as --sample sobol:256"),
        ("choice(1,2)", "needs --sample"),
        ("logg(1,2,3)", "did you mean 'log'?"),
        ("unifrom(1,2)", "did you mean 'uniform'?"),
        ("[" * 18 + "]" * 18, "within one another without end"),
        ("[" * 100_000, "must be a number"),
        ("{" + ".".join("a" * 5000) + " = 1}", "within one another without end"),
        ("9" * 5000, "must be a number"),
    ],
)
def test_what_is_no_value_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_values(text)
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_a_million_values_are_the_most() -> None:
    assert len(parse_values(f"1:{MOST}:1")) == MOST


def test_text_is_split_outside_quotes_and_brackets() -> None:
    assert split('a,"b,c",[d,{e,f}],g(h,i)') == ["a", '"b,c"', "[d,{e,f}]", "g(h,i)"]


values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("ab-. \u00e9", min_size=1, max_size=5), inner, max_size=3),
    ),
    max_leaves=5,
)


@given(values)
def test_a_written_value_is_read_back(value: Any) -> None:
    assert tomllib.loads(f"value = {as_toml(value)}")["value"] == value
    assert parse_value(as_toml(value)) == value


@given(st.lists(values, min_size=1, max_size=4))
def test_a_list_of_written_values_is_read_back_or_repeats_one(given_values: list[Any]) -> None:
    text = ",".join(map(as_toml, given_values))
    if any(a == b for a, b in combinations(given_values, 2)):
        with contextlib.suppress(InputError):  # 1 and true are equal to Python, not to us
            assert list(parse_values(text)) == given_values
    else:
        assert list(parse_values(text)) == given_values


@given(st.one_of(st.text(), st.text("0123456789.,:e-+_()[]{}\"'#= \n\\lingo", max_size=40)))
def test_any_text_is_values_or_refused(text: str) -> None:
    try:
        found = parse_values(text)
    except InputError:
        return
    assert 0 < len(found) <= MOST
