from raylm.core.wire.openai.chat_request import ChatRequest
from raylm.core.wire.openai.request_decoder import prompt_of
from raylm.core.wire.prompt import Image


def test_a_result_keeps_what_it_shows() -> None:
    """OpenAI's own servers take text alone there; clients of others send more."""
    url = {"url": "data:image/png;base64,ZG90"}
    content = [{"type": "text", "text": "Done"}, {"type": "image_url", "image_url": url}]
    message = {"role": "tool", "tool_call_id": "c", "content": content}
    (turn,) = prompt_of(ChatRequest.model_validate({"model": "m", "messages": [message]})).turns
    assert (turn.role, turn.text, turn.tool_call_id) == ("tool", "Done", "c")
    assert list(turn.images) == [Image("image/png", b"dot")]
