import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.store.wording import Term, clauses_of


@pytest.mark.parametrize(
    ("query", "clauses"),
    [
        ("", []),
        ('  "" ', []),
        ("hydro", [[Term("hydro", beginning="hydro")]]),
        ("hydro ", [[Term("hydro")]]),
        ("a hydro", [[Term("a"), Term("hydro", beginning="hydro")]]),
        ('"a b"', [[Term("a b")]]),
        ('"a b', [[Term("a b", beginning="b")]]),
        ("a -b", [[Term("a"), Term("b", is_negated=True)]]),
        ('-"a b" c ', [[Term("a b", is_negated=True), Term("c")]]),
        ("a or b ", [[Term("a")], [Term("b")]]),
        ("a OR b ", [[Term("a")], [Term("b")]]),
        ('a "or" b ', [[Term("a"), Term("or"), Term("b")]]),
        ("or a or ", [[Term("a")]]),
        ("a or", [[Term("a"), Term("or", beginning="or")]]),
        ("well-done", [[Term("well-done", beginning="done")]]),
        ("snake_ca", [[Term("snake_ca", beginning="ca")]]),
        ("c++", [[Term("c++")]]),
        ("%", [[Term("%")]]),
        ("salt - water ", [[Term("salt"), Term("water")]]),
        ("北京", [[Term("北京")]]),
        ("北京ab", [[Term("北京ab", beginning="ab")]]),
        ("ab北", [[Term("ab北")]]),
    ],
)
def test_clauses(query: str, clauses: list[list[Term]]) -> None:
    assert clauses_of(query) == clauses


@given(st.text())
def test_what_is_before_a_beginning_and_the_beginning_are_the_term(query: str) -> None:
    terms = [term for clause in clauses_of(query) for term in clause]
    assert all(term.before + term.beginning == term.text for term in terms)
    assert all(term.text in query for term in terms)
    assert not any(term.beginning for term in terms[:-1])
