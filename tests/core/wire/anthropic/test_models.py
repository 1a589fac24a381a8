import pytest
from anthropic.types import ModelInfo as TheirInfo

from raylm.core.wire.anthropic.models import ModelInfo, ModelPage

MODELS = [ModelInfo(id=name, display_name=name.upper()) for name in "abcde"]


@pytest.mark.parametrize(
    ("limit", "after", "before", "ids", "has_more"),
    [
        (9, "", "", "abcde", False),
        (2, "", "", "ab", True),
        (2, "b", "", "cd", True),
        (2, "c", "", "de", False),
        (2, "", "e", "cd", True),
        (9, "", "c", "ab", False),
        (9, "e", "", "", False),
        (9, "a", "d", "bc", False),
        (2, "gone", "", "ab", True),
    ],
)
def test_pages(limit: int, after: str, before: str, ids: str, has_more: bool) -> None:
    page = ModelPage.of(MODELS, limit, after_id=after, before_id=before)
    assert "".join(model.id for model in page.data) == ids
    assert (page.first_id, page.last_id) == ((ids[0], ids[-1]) if ids else (None, None))
    assert page.has_more is has_more


def test_anthropic_s_own_type_takes_it() -> None:
    told = ModelInfo(id="a/b", display_name="B", max_input_tokens=9).model_dump()
    theirs = TheirInfo.model_validate(told)
    assert (theirs.id, theirs.max_input_tokens, theirs.created_at.year) == ("a/b", 9, 1970)
    assert theirs.model_extra == {}
