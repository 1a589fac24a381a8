import pytest

from raylm.core.errors import ConfigError
from raylm.core.registry import Registry


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    schedules: Registry[int] = Registry("schedule")
    schedules.register("cosine", 1)
    schedules.register("linear", 2)
    assert schedules["cosine"] == 1
    assert list(schedules) == ["cosine", "linear"]
    with pytest.raises(ConfigError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
        schedules["cosin"]
    with pytest.raises(ConfigError, match="known: cosine, linear"):
        schedules["zzz"]


def test_a_name_is_registered_once() -> None:
    registry: Registry[int] = Registry("schedule")
    registry.register("cosine", 1)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("cosine", 2)
