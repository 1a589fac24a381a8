import math

import pytest

from raylm.core.errors import RequestError
from raylm.core.sampling import SamplingParams


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", math.nan),
        ("temperature", -0.1),
        ("temperature", math.inf),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("min_p", -1.0),
        ("top_k", -1),
        ("max_tokens", 0),
        ("max_tokens", -5),
        ("n", 0),
        ("logprobs", 21),
        ("presence_penalty", 2.5),
        ("repetition_penalty", 0.0),
        ("stop", ("",)),
    ],
)
def test_a_value_out_of_range_names_its_field(name: str, value: object) -> None:
    with pytest.raises(RequestError, match=name) as caught:
        SamplingParams(**{name: value})
    assert caught.value.param == name


def test_one_stop_string_is_a_tuple_of_one() -> None:
    assert SamplingParams(stop="END").stop == ("END",)
    assert SamplingParams(stop=["a", "b"]).stop == ("a", "b")


def test_greedy_is_temperature_zero() -> None:
    assert SamplingParams(temperature=0).greedy
    assert not SamplingParams().greedy
