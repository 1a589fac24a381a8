from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.data.tokenizer import Tokenizer
from raylm.infer.sampling.detokenizer import Detokenizer, StopStrings


def pieces(tokenizer: Tokenizer, ids: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    detokenizer = Detokenizer(tokenizer, stop)
    texts = []
    for token in ids:
        texts.append(detokenizer.push(token))
        if detokenizer.stopped:
            return texts
    return [*texts, detokenizer.flush()]


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_pieces_join_to_the_text_and_never_show_half_a_character(
    tokenizer: Tokenizer, text: str
) -> None:
    found = pieces(tokenizer, tokenizer.encode(text))
    assert "".join(found) == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in found)


@given(ids=st.lists(st.integers(0, 300), max_size=40))
def test_any_tokens_join_to_what_the_tokenizer_makes_of_them(
    tokenizer: Tokenizer, ids: list[int]
) -> None:
    ids = [min(token, tokenizer.vocab_size - 1) for token in ids]
    assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids)


def test_a_character_comes_whole_with_its_last_byte(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("🐢")
    assert len(ids) == 3
    assert pieces(tokenizer, ids) == ["", "", "🐢", ""]


def test_half_a_character_at_the_end_is_shown_as_such(tokenizer: Tokenizer) -> None:
    assert "".join(pieces(tokenizer, tokenizer.encode("a🐢")[:-1])) == "a\ufffd"


def test_special_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.eos_id is not None
    ids = [*tokenizer.encode("fox"), tokenizer.eos_id, *tokenizer.encode("dog")]
    assert "".join(pieces(tokenizer, ids)) == "foxdog"


class Metaspace:
    """Tokens as sentencepiece has them: a space before a word, but not at the start of a text."""

    def decode(self, ids: list[int], *, skip_special_tokens: bool = True) -> str:
        return "".join(f" {chr(token)}" for token in ids)[1:]


def test_a_tokenizer_that_trims_the_start_keeps_its_spaces() -> None:
    detokenizer = Detokenizer(Metaspace())
    assert [detokenizer.push(ord(c)) for c in "abc"] == ["a", " b", " c"]


@given(
    text=st.text("ab<|>", max_size=30),
    stop=st.lists(st.text("ab<|>", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(0, 30), max_size=8),
)
def test_a_stop_string_cuts_wherever_its_pieces_fall(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    stops = StopStrings(stop)
    given_text = ""
    for start, end in pairwise([0, *sorted(cuts), len(text)]):
        given_text += stops.push(text[start:end])
        assert not any(s in given_text for s in stop)
    given_text += stops.flush()
    ends = [place + len(s) for s in stop if (place := text.find(s)) >= 0]
    assert stops.found == bool(ends)
    if not ends:
        assert given_text == text
    else:
        assert text.startswith(given_text)
        assert any(text[len(given_text) :].startswith(s) for s in stop)


def test_the_beginning_of_a_stop_string_is_held_back_until_it_is_none() -> None:
    stops = StopStrings(["<|end|>"])
    assert stops.push("so <|en") == "so "
    assert stops.push("d") == ""
    assert stops.push("less") == "<|endless"
    assert stops.push(" <|end|> more") == " "
    assert stops.found
    assert stops.flush() == ""


@pytest.mark.parametrize(
    ("stop", "text"), [(("xyz", "fox"), "the quick brown "), (("zzz",), "the quick brown fox")]
)
def test_stop_strings_span_tokens(tokenizer: Tokenizer, stop: tuple[str, ...], text: str) -> None:
    ids = tokenizer.encode("the quick brown fox")
    assert "".join(pieces(tokenizer, ids, stop)) == text
