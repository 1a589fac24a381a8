from raylm_apps.gateway.accounts.cache import SessionCache
from raylm_apps.gateway.accounts.session import Session

ADA, BABBAGE = Session("ada", 0, "regular"), Session("babbage", 0, "regular")


def test_what_was_checked_is_believed_for_a_while() -> None:
    now = 0.0
    cache = SessionCache(fresh_s=5, clock=lambda: now)
    cache.put(b"token", ADA)
    now = 4.9
    assert cache.get(b"token") == ADA
    assert cache.get(b"other") is None
    now = 5.0  # asking does not make it fresh again
    assert cache.get(b"token") is None


def test_a_user_is_forgotten_at_once() -> None:
    cache = SessionCache()
    for number in range(3):
        cache.put(b"ada%d" % number, ADA)
    cache.put(b"babbage", BABBAGE)
    cache.forget("ada")
    assert [cache.get(b"ada%d" % number) for number in range(3)] == [None] * 3
    assert cache.get(b"babbage") == BABBAGE


def test_it_is_bounded() -> None:
    cache = SessionCache(most=10)
    for number in range(100):
        cache.put(b"%d" % number, ADA)
    assert sum(cache.get(b"%d" % number) is not None for number in range(100)) == 10
    assert cache.get(b"99") == ADA
