from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.routing.circuit import (
    LONGEST_S,
    PROBE_S,
    WINDOW_S,
    Circuit,
    State,
    Tolerance,
)

TOLERANCE = Tolerance(allowed_fails=2, cooldown_s=10)


def failing(times: int, now: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(times):
        circuit = circuit.failed(now, TOLERANCE)
    return circuit


def test_one_failure_more_than_is_allowed_opens_it_for_the_cooldown() -> None:
    assert failing(2).state(0) is State.CLOSED
    circuit = failing(3)
    assert [circuit.state(now) for now in (0, 9.9, 10)] == [
        State.OPEN,
        State.OPEN,
        State.HALF_OPEN,
    ]
    assert not circuit.may_ask(9.9)


def test_failures_older_than_the_window_are_forgotten() -> None:
    late = failing(2).failed(WINDOW_S, TOLERANCE)
    assert (late.state(WINDOW_S), late.fails) == (State.CLOSED, (WINDOW_S,))


def test_one_probe_at_a_time_and_one_that_is_lost_is_not_waited_for_for_ever() -> None:
    circuit = failing(3)
    assert circuit.may_ask(10)
    probing = circuit.probed(10)
    assert not probing.may_ask(10 + PROBE_S - 0.1)
    assert probing.may_ask(10 + PROBE_S)
    assert probing.released().may_ask(10)


def test_a_probe_closes_or_opens_it_again() -> None:
    probing = failing(3).probed(10)
    assert probing.succeeded(11) == Circuit()
    again = probing.failed(11, TOLERANCE)
    assert (again.state(20.9), again.state(21)) == (State.OPEN, State.HALF_OPEN)


def test_who_was_asked_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    circuit = failing(3)
    assert circuit.succeeded(5) is circuit
    assert circuit.failed(5, TOLERANCE) is circuit


def test_retry_after_is_the_cooldown_at_the_first_failure() -> None:
    circuit = Circuit().failed(0, TOLERANCE, retry_after_s=42)
    assert (circuit.state(41.9), circuit.state(42)) == (State.OPEN, State.HALF_OPEN)
    assert Circuit().failed(0, TOLERANCE, retry_after_s=1e9).state(LONGEST_S) is State.HALF_OPEN
    assert Circuit().failed(0, TOLERANCE, retry_after_s=0).state(0) is State.CLOSED


steps = st.lists(
    st.tuples(
        st.sampled_from(["failed", "succeeded", "probed", "released", "told"]),
        st.floats(0, 100),
    ),
    max_size=40,
)


@given(steps)
def test_no_way_leads_to_an_open_circuit_that_stays(steps) -> None:
    """Whatever happens: after the longest time anybody may say, one is let through."""
    circuit, now = Circuit(), 0.0
    for kind, seconds in steps:
        now += seconds
        match kind:
            case "failed":
                circuit = circuit.failed(now, TOLERANCE)
            case "told":
                circuit = circuit.failed(now, TOLERANCE, retry_after_s=seconds)
            case "succeeded":
                circuit = circuit.succeeded(now)
            case "probed" if circuit.may_ask(now):
                circuit = circuit.probed(now)
            case "released":
                circuit = circuit.released()
        assert (circuit.state(now) is State.OPEN) <= (not circuit.may_ask(now))
    assert circuit.may_ask(now + LONGEST_S + PROBE_S)
