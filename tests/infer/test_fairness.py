from raylm.infer.fairness import Service


def test_idling_saves_nothing_up() -> None:
    service = Service()
    service.lift("busy", [])
    service.let_in("busy", 100)
    service.lift("new", ["busy"])
    service.charge("busy", 50)
    service.lift("later", ["busy"])
    assert [service.tokens(user) for user in ("busy", "new", "later")] == [150, 100, 150]


def test_what_was_had_is_not_forgiven() -> None:
    service = Service()
    service.lift("greedy", [])
    service.let_in("greedy", 5)
    service.charge("greedy", 95)
    service.lift("modest", ["greedy"])
    service.lift("greedy", ["modest"])
    assert service.tokens("greedy") == 100


def test_newcomers_start_where_the_last_one_let_in_stood() -> None:
    """So that one who waits is the least at last, though ever new users come."""
    service = Service()
    service.lift("patient", [])
    service.charge("patient", 1000)
    for number in range(1000):
        user = f"new-{number}"
        service.lift(user, ["patient"])
        if service.tokens("patient") <= service.tokens(user):
            break
        service.let_in(user, 10)
    assert number <= 1


def test_users_of_long_ago_are_forgotten() -> None:
    service = Service()
    for number in range(5000):
        service.lift(str(number), [])
        service.let_in(str(number), 10)
    assert len(service._tokens) < 1100
    assert service.tokens("0") == service.tokens("4999") == 50_000
