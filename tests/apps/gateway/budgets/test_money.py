from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from raylm.core.wire.events import Usage
from raylm_apps.gateway.budgets.money import cost_micros
from raylm_apps.gateway.providers.base import Prices

counts = st.integers(0, 10_000_000)
cents = st.integers(0, 100_000).map(lambda cents: cents / 100)
prices = st.builds(Prices, cents, cents, st.none() | cents, st.none() | cents)


def test_dollars_for_a_million_tokens_are_micro_dollars_for_one() -> None:
    prices = Prices(3.0, 15.0, cached=0.3, cache_write=3.75)
    assert cost_micros(Usage(1_000_000, 0), prices) == 3_000_000
    assert cost_micros(Usage(1_000, 100, 400, 200), prices) == 1200 + 120 + 750 + 1500
    assert cost_micros(Usage(1, 0), Prices(0.15, 0.6)) == 1  # rounded up
    assert cost_micros(Usage(20, 0), Prices(0.15, 0.6)) == 3  # which 20 * 0.15 is not in floats
    assert cost_micros(Usage(5, 5), None) == 0


@given(prices, counts, counts, counts, counts)
def test_exact_and_rounded_up_once(
    prices: Prices, plain: int, cached: int, written: int, output: int
) -> None:
    def price(one: float | None) -> Fraction:
        return Fraction(str(prices.input if one is None else one))

    exact = plain * price(prices.input) + cached * price(prices.cached)
    exact += written * price(prices.cache_write) + output * price(prices.output)
    cost = cost_micros(Usage(plain + cached + written, output, cached, written), prices)
    assert exact <= cost < exact + 1


@given(prices, counts, counts, counts)
def test_more_never_costs_less(prices: Prices, input: int, output: int, more: int) -> None:
    cost = cost_micros(Usage(input, output), prices)
    assert cost_micros(Usage(input + more, output), prices) >= cost
    assert cost_micros(Usage(input, output + more), prices) >= cost


@given(prices, counts, counts)
def test_a_provider_that_tells_nonsense_costs_nothing_negative(
    prices: Prices, input: int, cached: int
) -> None:
    assert cost_micros(Usage(input, 0, cached_tokens=cached), prices) >= 0
