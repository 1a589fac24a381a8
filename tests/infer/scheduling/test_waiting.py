from itertools import count

from raylm.infer.scheduling.fairness import Service
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.waiting import PATIENCE, WaitingQueue
from tests.infer.dry_run import make_requests

arrivals = count()


def request(name: str, user: str = "", priority: int = 0) -> Request:
    (made,) = make_requests([1], 1, name=name, user=user, priority=priority)
    made.arrival = next(arrivals)
    return made


def queue(*requests: Request, service: Service | None = None) -> WaitingQueue:
    waiting = WaitingQueue(service or Service())
    for one in requests:
        waiting.push(one)
    return waiting


def order(waiting: WaitingQueue) -> list[str]:
    return [one.id for one in waiting.candidates()]


def test_the_first_of_each_user_is_offered_by_priority_service_and_arrival() -> None:
    service = Service()
    service.charge("ada", 10)
    service.charge("bob", 5)
    waiting = queue(
        request("a1", "ada"),
        request("a2", "ada"),
        request("b1", "bob"),
        request("c1", "cyd"),
        request("d1", "dan"),
        request("a3", "ada", priority=1),
        service=service,
    )
    assert order(waiting) == ["a3", "c1", "d1", "b1", "a1"]
    assert (len(waiting), waiting.lengths()) == (6, {0: 5, 1: 1})
    assert waiting.users() == {"ada", "bob", "cyd", "dan"}


def test_who_comes_back_stands_where_it_stood() -> None:
    first, second = request("first"), request("second")
    waiting = queue(second)
    waiting.push(first)
    assert order(waiting) == ["first"]
    waiting.let_in(first)
    assert order(waiting) == ["second"]


def test_removing_leaves_no_empty_queues() -> None:
    requests = [request("a", "ada"), request("b", "bob"), request("c", "ada", priority=3)]
    waiting = queue(*requests)
    for one in requests:
        waiting.remove(one)
    assert (len(waiting), list(waiting), order(waiting), waiting.lengths()) == (0, [], [], {})
    assert not waiting


def test_a_priority_passed_over_often_enough_has_its_turn_and_starts_anew() -> None:
    low = [request(f"low{i}") for i in range(2)]
    waiting = queue(*low)
    for _ in range(PATIENCE):
        high = request("high", priority=9)
        waiting.push(high)
        assert order(waiting)[0] == "high"
        waiting.let_in(high)
        assert not high.on_turn
    waiting.push(request("high", priority=9))
    assert order(waiting) == ["low0", "high"]
    waiting.let_in(low[0])
    assert low[0].on_turn
    assert order(waiting) == ["high", "low1"]


def test_of_two_that_are_due_the_one_that_waited_longer_is_first() -> None:
    waiting = queue(request("lowest", priority=-1))
    waiting.push(request("low"))
    for number in range(PATIENCE + 1):
        if number == 1:
            waiting.remove(next(iter(r for r in waiting if r.id == "low")))
            waiting.push(request("low"))
        high = request("high", priority=9)
        waiting.push(high)
        waiting.let_in(high)
    assert order(waiting) == ["lowest", "low"]
