"""OpenAI's routes, each as a question to any provider and an answer from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from raylm.core.errors import RequestError
from raylm.core.wire.events import Event
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai import CompletionRequest
from raylm.core.wire.openai.chat_request import ChatRequest, FilePart, ImagePart, TextPart
from raylm.core.wire.openai.completion_encoder import CompletionEncoder, whole_completion
from raylm.core.wire.openai.request_decoder import prompt_of
from raylm.core.wire.openai.stream_encoder import ChatStreamEncoder, whole_answer
from raylm.core.wire.prompt import Prompt, Sampling, Turn
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.routing.chat_call import GO_ON


class ChatTranslation:
    path = "/chat/completions"

    def __init__(self, request: ChatRequest, body: Mapping[str, Any]) -> None:
        self._request = request
        self._messages = body["messages"]
        self.stream = request.stream
        self.include_usage = request.stream_options.include_usage

    @property
    def size(self) -> Size:
        request = self._request
        parts = [part for message in request.messages for part in message.content]
        chars = sum(len(part.text) for part in parts if isinstance(part, TextPart))
        chars += sum(len(str(tool.function.parameters)) for tool in request.tools)
        images = sum(isinstance(part, ImagePart | FilePart) for part in parts)
        most = request.most_tokens
        return Size(chars, images, most and most * request.n)

    def prompt(self) -> Prompt:
        return prompt_of(self._request)

    def continued(self, text: str) -> dict[str, Any]:
        begun = [{"role": "assistant", "content": text}, {"role": "user", "content": GO_ON}]
        return {"messages": [*self._messages, *begun]}

    def encoder(self) -> ChatStreamEncoder:
        return ChatStreamEncoder(self._request.model, include_usage=self.include_usage)

    def whole(self, events: Sequence[Event]) -> dict[str, Any]:
        return whole_answer(self._request.model, events)


class CompletionTranslation:
    """Models that chat are asked with the text as a question."""

    path = "/completions"

    def __init__(self, request: CompletionRequest) -> None:
        self._request = request
        self.stream = request.stream
        self.include_usage = request.stream_options.include_usage

    @property
    def size(self) -> Size:
        """A token of a prompt of tokens is as much as one that must be guessed."""
        prompts = self._request.prompts()
        chars = sum(
            len(prompt) if isinstance(prompt, str) else CHARS_PER_TOKEN * len(prompt)
            for prompt in prompts
        )
        return Size(chars, max_tokens=self._request.max_tokens)

    def prompt(self) -> Prompt:
        request, prompts = self._request, self._request.prompts()
        if len(prompts) != 1 or not isinstance(prompts[0], str):
            raise RequestError("this model takes one prompt at a time, as text", param="prompt")
        params = request.to_sampling_params()
        if request.logprobs is not None or request.n != 1:
            param = "n" if request.n != 1 else "logprobs"
            raise RequestError(f"{param} is not possible with this model", param=param)
        sampling = Sampling(
            max_tokens=params.max_tokens,
            temperature=params.temperature,
            top_p=params.top_p,
            top_k=params.top_k or None,
            stop=params.stop or None,
            seed=params.seed,
            frequency_penalty=params.frequency_penalty,
            presence_penalty=params.presence_penalty,
        )
        return Prompt([Turn("user", prompts[0])], sampling=sampling, user=request.user)

    def continued(self, text: str) -> dict[str, Any]:
        (prompt,) = self._request.prompts()
        if not isinstance(prompt, str):
            raise ProviderError.of(Failure.BROKEN_OFF, "its prompt was of tokens")
        return {"prompt": prompt + text}

    def encoder(self) -> CompletionEncoder:
        return CompletionEncoder(self._request.model, include_usage=self.include_usage)

    def whole(self, events: Sequence[Event]) -> dict[str, Any]:
        return whole_completion(self._request.model, events)
