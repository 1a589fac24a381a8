import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.accounts.session import LIFETIME_S, Session, Signer

SIGNER = Signer(b"key")


def test_a_token_is_read_back() -> None:
    session = Session.for_new_guest()
    assert SIGNER.read(SIGNER.sign(session)) == session


def test_another_key_signs_nothing() -> None:
    assert SIGNER.read(Signer(b"other").sign(Session.for_new_guest())) is None


def test_a_token_expires() -> None:
    now = int(time.time())
    assert SIGNER.read(SIGNER.sign(Session("user", now - LIFETIME_S + 60))) is not None
    assert SIGNER.read(SIGNER.sign(Session("user", now - LIFETIME_S - 1))) is None


@pytest.mark.parametrize("position", [0, 5, -1])
def test_a_changed_token_is_none(position: int) -> None:
    token = list(SIGNER.sign(Session.for_new_guest()))
    token[position] = "A" if token[position] != "A" else "B"
    assert SIGNER.read("".join(token)) is None


@given(st.text())
def test_any_text_is_refused_quietly(text: str) -> None:
    assert SIGNER.read(text) is None
