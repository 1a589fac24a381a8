import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import ConfigError
from raylm.train.deepspeed.section import Section

AUTO_OR_ABSENT = [({"x": "auto"}, "auto"), ({"x": None}, "absent"), ({}, "absent")]


@pytest.mark.parametrize(("values", "expected"), AUTO_OR_ABSENT)
def test_auto_and_absence_are_told_apart(values, expected):
    section = Section(values)
    assert section.integer("x", "absent", "auto") == expected
    assert section.number("x", "absent", "auto") == expected
    assert section.choice("x", ("a", "b"), "absent", "auto") == expected
    assert section.number("x", "same") == "same"
    assert section.is_given("x") is False


@pytest.mark.parametrize(("value", "expected"), [(5, 5), (5e8, 500_000_000), (0, 0)])
def test_an_integer_may_be_written_as_a_float(value, expected):
    found = Section({"x": value}).integer("x", None)
    assert found == expected
    assert isinstance(found, int)


@pytest.mark.parametrize("value", [-1, 1.5, True, "5", math.inf, math.nan, [], 10**400])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(ConfigError, match=r"key 'a.x' \(value .*\): expected an integer >= 0"):
        Section({"x": value}, "a").integer("x", None)


@pytest.mark.parametrize("value", [0, -1.0, True, "5", math.inf, math.nan, {}, 10**400])
def test_what_is_no_positive_number_is_refused(value):
    with pytest.raises(ConfigError, match=r"key 'x' \(value .*\): expected a number > 0"):
        Section({"x": value}).number("x", None)


def test_the_bounds_of_a_number():
    section = Section({"zero": 0, "one": 1, "infinite": math.inf})
    assert section.number("zero", None, zero=True) == 0
    assert section.number("infinite", None, below=None) == math.inf
    with pytest.raises(ConfigError, match="expected a number >= 0 and < 1"):
        section.number("one", None, zero=True, below=1)
    with pytest.raises(ConfigError, match="expected an integer from 0 to 3"):
        Section({"x": 4}).integer("x", 0, most=3)


@pytest.mark.parametrize("value", [1, 0, "true", []])
def test_a_flag_is_a_boolean(value):
    with pytest.raises(ConfigError, match="expected true or false"):
        Section({"x": value}).flag("x")


@pytest.mark.parametrize("value", [0.9, [0.9], [0.9, 1.0], [-0.1, 0.9], ["a", "b"], "ab"])
def test_a_pair_is_two_fractions(value):
    with pytest.raises(ConfigError, match="expected two numbers >= 0 and < 1"):
        Section({"x": value}).pair("x", (0.9, 0.99), (0.9, 0.95))


@pytest.mark.parametrize(("value", "expected"), [("ADAM", "Adam"), ("sgd", "SGD")])
def test_a_choice_ignores_case(value, expected):
    assert Section({"x": value}).choice("x", ("Adam", "SGD"), None) == expected


@pytest.mark.parametrize("value", ["adan", 3, True, ["Adam"]])
def test_another_choice_is_refused_with_the_list(value):
    with pytest.raises(ConfigError, match="expected one of Adam, SGD"):
        Section({"x": value}).choice("x", ("Adam", "SGD"), None)


@pytest.mark.parametrize("value", [True, 3, [], "text"])
def test_a_section_is_an_object(value):
    with pytest.raises(ConfigError, match=r"key 'a' \(value .*\): expected an object"):
        Section({"a": value}).section("a")


def unknown(values):
    root = Section(values)
    root.integer("batch", None)
    root.section("zero").flag("overlap")
    root.warn_of_unknown()
    return root.warnings


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"bach": 1}, "bach: not a known key, ignored; did you mean 'batch'?"),
        (
            {"zero": {"overlpa": 1}},
            "zero.overlpa: not a known key, ignored; did you mean 'overlap'?",
        ),
        ({"overlap": 1}, "overlap: not a known key, ignored; did you mean 'zero.overlap'?"),
        ({"zero": {"batch": 1}}, "zero.batch: not a known key, ignored; did you mean 'batch'?"),
        ({"qqq": {"batch": 1}}, "qqq: not a known key, ignored"),
        ({3: 1}, "3: not a known key, ignored"),
    ],
)
def test_an_unread_key_is_named_with_its_path_and_nearest_neighbour(values, warning):
    assert unknown(values) == [warning]


def test_keys_that_were_read_are_not_named():
    assert unknown({"batch": 1, "zero": {"overlap": True}}) == []


@given(st.dictionaries(st.text(min_size=1), st.integers(), max_size=5))
def test_every_unread_key_is_named_once(values):
    section = Section(values)
    section.warn_of_unknown()
    assert [w.split(": not a known key")[0] for w in section.warnings] == list(values)
