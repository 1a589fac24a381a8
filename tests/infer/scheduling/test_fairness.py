from raylm.infer.scheduling.fairness import Service


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


def test_endless_new_users_cannot_keep_one_who_waits_from_its_turn() -> None:
    service = Service()
    waiting = ["patient", "new"]
    for user in waiting:
        service.lift(user, [])
    service.charge("patient", 1000)
    for number in range(500):
        service.lift(f"new-{number}", waiting)
        waiting.append(f"new-{number}")
        least = min(waiting, key=service.tokens)
        if least == "patient":
            break
        service.let_in(least, 10)
        waiting.remove(least)
    assert least == "patient"
    assert number <= 200  # two of them at a time, ten tokens each


def test_users_of_long_ago_are_forgotten() -> None:
    service = Service()
    service.charge("greedy", 10**6)
    for number in range(5000):
        service.lift(str(number), [])
        service.let_in(str(number), 10)
    assert service.tokens("greedy") == 10**6
    assert len(service._tokens) < 1100
    assert service.tokens("0") == service.tokens("4999") == 50_000
