import pytest

from raylm.core.sampling import FinishReason
from raylm.infer.sampling.outputs import Delta, RequestOutput, TokenLogprob


def delta(text: str, token: int, index: int = 0, finish: FinishReason | None = None) -> Delta:
    entry = TokenLogprob(token, -1.0, {}) if index else None
    return Delta(text, (token,), entry and (entry,), finish, 2, 0, index)


def test_deltas_of_several_choices_are_told_apart() -> None:
    output = RequestOutput.of(
        "r",
        [1, 2],
        [
            delta("a", 5),
            delta("x", 7, index=1),
            delta("b", 6, finish=FinishReason.STOP),
            delta("y", 8, index=1, finish=FinishReason.LENGTH),
        ],
    )
    first, second = output.completions
    assert (output.text, output.token_ids, output.finish_reason) == ("ab", [5, 6], "stop")
    assert output.logprobs is None
    assert (first.index, second.index) == (0, 1)
    assert (second.text, second.token_ids, second.finish_reason) == ("xy", [7, 8], "length")
    assert second.logprobs is not None
    assert [entry.token_id for entry in second.logprobs] == [7, 8]


def test_an_unfinished_choice_is_no_output() -> None:
    with pytest.raises(ValueError, match="choice 0 has not finished"):
        RequestOutput.of("r", [1], [delta("a", 5)])
