import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.accounts.email_address import normalised


@pytest.mark.parametrize(
    ("given_", "address"),
    [
        ("Ada@Example.com", "ada@example.com"),
        (" ada@example.com ", "ada@example.com"),
        ("ada@BÜCHER.example.com", "ada@bücher.example.com"),
        ("ada@xn--bcher-kva.example.com", "ada@bücher.example.com"),
        ("ada@host.test", "ada@host.test"),
    ],
)
def test_one_spelling(given_: str, address: str) -> None:
    assert normalised(given_) == address
    assert normalised(address) == address


@pytest.mark.parametrize("wrong", ["", "ada", "@example.com", "a b@example.com", "a@b@c.com"])
def test_what_is_none(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normalised(wrong)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert "@" in normalised(text)
