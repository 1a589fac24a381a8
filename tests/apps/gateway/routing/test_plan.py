"""Who is asked after what: the whole way through a route."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.routing.plan import PASSING, Plan
from raylm_apps.gateway.routing.route import Deployment, Pool, Route


def deployment(name: str) -> Deployment:
    return Deployment(ModelCard(name, name, "mock"), MockProvider())


def pool(
    name: str, members: str, attempts: int | None = None, **fallbacks: tuple[str, ...]
) -> Pool:
    deployments = tuple(map(deployment, members))
    return Pool(name, deployments, attempts=attempts or len(deployments), **fallbacks)


ROUTE = Route(
    pool(
        "asked",
        "ab",
        fallbacks=("spare", "c"),
        context_fallbacks=("long",),
        policy_fallbacks=("free",),
    ),
    {
        "spare": pool("spare", "de", fallbacks=("f", "asked")),
        "c": pool("c", "c"),
        "f": pool("f", "f"),
        "long": pool("long", "l", fallbacks=("f",)),
        "free": pool("free", "p"),
    },
)


def way(route: Route, *failures: Failure, without: str = "") -> str:
    """Who is asked, one after the other, until all these have happened."""
    plan = Plan(route, lambda _, deployments: deployments[0])
    asked = ""
    for failure in (*failures, Failure.SERVER):
        deployment = plan.next(lambda _, deployment: deployment.model not in without)
        if deployment is None:
            break
        asked += deployment.model
        plan.failed(deployment, failure)
    return asked


PASSED_ON = sorted(frozenset(Failure) - {Failure.REQUEST, Failure.TOO_LONG, Failure.POLICY})


@pytest.mark.parametrize("failure", PASSED_ON)
def test_members_then_fallbacks_then_theirs(failure: Failure) -> None:
    assert way(ROUTE, *[failure] * 10) == "abdecf"


def test_a_question_that_is_wrong_is_nobodys() -> None:
    assert way(ROUTE, Failure.REQUEST) == "a"
    assert way(ROUTE, Failure.BUSY, Failure.REQUEST) == "ab"


def test_what_is_too_long_or_against_a_policy_goes_to_those_who_take_it() -> None:
    assert way(ROUTE, Failure.TOO_LONG, *[Failure.SERVER] * 5) == "alf"
    assert way(ROUTE, Failure.POLICY, Failure.BUSY) == "ap"
    assert way(ROUTE, Failure.BUSY, Failure.BUSY, Failure.TOO_LONG) == "abdl"
    assert way(Route(pool("asked", "ab")), Failure.TOO_LONG) == "a"


def test_who_is_left_alone_is_passed_over() -> None:
    assert way(ROUTE, *[Failure.BUSY] * 9, without="ad") == "becf"
    assert way(ROUTE, without="abcdefl") == ""


def test_more_attempts_than_members_ask_again_whoever_may_have_got_over_it() -> None:
    patient = Route(pool("asked", "ab", attempts=5))
    assert way(patient, *[Failure.BUSY] * 9) == "ababa"
    assert way(patient, Failure.KEY, *[Failure.BUSY] * 9) == "abbb"
    assert way(patient, Failure.MISSING, Failure.KEY) == "ab"
    assert way(Route(pool("asked", "ab", attempts=1)), Failure.BUSY) == "a"


names = st.sampled_from(["asked", "one", "two", "three"])
pools = st.builds(
    pool,
    st.just("x"),
    st.text("abcd", max_size=4).map(lambda text: "".join(dict.fromkeys(text))),
    st.none() | st.integers(1, 6),
    fallbacks=st.lists(names, max_size=3).map(tuple),
    context_fallbacks=st.lists(names, max_size=3).map(tuple),
    policy_fallbacks=st.lists(names, max_size=3).map(tuple),
)


@given(pools, st.dictionaries(names, pools), st.lists(st.sampled_from(sorted(Failure))))
def test_every_way_ends(asked: Pool, others: dict[str, Pool], failures: list[Failure]) -> None:
    """However the fallbacks name each other; and no key that was refused is tried again."""
    plan = Plan(Route(asked, others), lambda _, deployments: deployments[-1])
    most = asked.attempts + sum(other.attempts for other in others.values())
    hopeless: Counter[str] = Counter()
    for turn in range(most + 1):
        deployment = plan.next(lambda *_: True)
        if deployment is None:
            return
        assert not hopeless[deployment.model]
        failure = failures[turn % len(failures)] if failures else Failure.BUSY
        hopeless[deployment.model] += failure not in PASSING
        plan.failed(deployment, failure)
    raise AssertionError(f"more than {most} attempts")
