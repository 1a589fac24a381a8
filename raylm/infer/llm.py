"""`raylm.LLM`: prompts in, answers out, in this process and thread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from raylm.core.errors import RequestError
from raylm.core.sampling import SamplingParams
from raylm.infer.load import RunnerFactory, load
from raylm.infer.sampling.outputs import Delta, RequestOutput
from raylm.infer.scheduling.request import Request
from raylm.models.source import ModelSource

Prompt = str | Sequence[int]
Conversation = Sequence[Mapping[str, Any]]  # messages, each with a role and content
Params = SamplingParams | Sequence[SamplingParams] | None


class LLM:
    """All prompts of a call are batched together. Not thread-safe."""

    def __init__(
        self,
        model: str | Path | ModelSource = "smollm2",
        quantization: str | None = None,
        threads: int | None = None,
        max_model_len: int | None = None,
        device: str = "cpu",
        runner_factory: RunnerFactory | None = None,
        **options: Any,
    ) -> None:
        """`options` are further keys of ServeConfig, such as `kv_cache_bytes`. Split over workers,
        it takes a `runner_factory`, and ends them when it is closed."""
        options |= {
            "quantization": quantization,
            "threads": threads,
            "max_model_len": max_model_len,
        }
        loaded = load(model, options, device, runner_factory)
        self._workers = loaded.workers
        self._engine = loaded.engine
        self.model_name = loaded.model_name
        self.tokenizer = loaded.source.tokenizer
        self.chat_template = loaded.source.chat_template
        self.max_model_len = loaded.engine.max_model_len

    def close(self) -> None:
        """End the workers, where there are any."""
        if self._workers is not None:
            self._workers.close()

    def generate(
        self, prompts: Prompt | Sequence[Prompt], params: Params = None
    ) -> list[RequestOutput]:
        """One output per prompt, in order. A prompt is text or token ids; `params` may be one for
        all or one for each. Raises RequestError before anything runs."""
        prompt_ids = [self._encode(prompt) for prompt in _each_prompt(prompts)]
        deltas = self._run(
            [
                self._engine.requests_for(uuid4().hex, ids, wanted)
                for ids, wanted in zip(
                    prompt_ids, _each_params(params, len(prompt_ids)), strict=True
                )
            ]
        )
        return [
            RequestOutput.of(request_id, ids, deltas[request_id])
            for request_id, ids in zip(deltas, prompt_ids, strict=True)
        ]

    def embed(self, prompts: Prompt | Sequence[Prompt]) -> list[tuple[float, ...]]:
        """A vector of length 1 for each: the mean of the last layer's normed hidden states."""
        calls = [
            [self._engine.pooled_request(uuid4().hex, self._encode(prompt))]
            for prompt in _each_prompt(prompts)
        ]
        vectors = [delta.embedding for (delta,) in self._run(calls).values()]
        return [vector for vector in vectors if vector is not None]

    def chat(
        self,
        messages: Conversation | Sequence[Conversation],
        params: Params = None,
    ) -> list[RequestOutput]:
        """Answers to one conversation, or to each of several."""
        if self.chat_template is None:
            raise RequestError(
                f"{self.model_name} is a base model without a chat template; use generate"
            )
        render, encode = self.chat_template.render, self.tokenizer.encode
        return self.generate([encode(render(c)) for c in _each_conversation(messages)], params)

    def _run(self, calls: Sequence[Sequence[Request]]) -> dict[str, list[Delta]]:
        deltas: dict[str, list[Delta]] = {requests[0].id: [] for requests in calls}
        try:
            for requests in calls:
                self._engine.submit(requests)
            while self._engine.has_work:
                for request_id, delta in self._engine.step():
                    deltas[request_id].append(delta)
        finally:  # an interrupted call leaves nothing behind
            for request_id in deltas:
                self._engine.abort(request_id)
        return deltas

    def _encode(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            return self.tokenizer.encode(prompt, add_special_tokens=True)
        return list(prompt)


def _each_prompt(prompts: Prompt | Sequence[Prompt]) -> list[Prompt]:
    """A text or a list of numbers is one prompt, anything else a list of them."""
    if isinstance(prompts, str) or (prompts and isinstance(prompts[0], int)):
        return [cast(Prompt, prompts)]
    return list(cast(Sequence[Prompt], prompts))


def _each_conversation(messages: Conversation | Sequence[Conversation]) -> list[Conversation]:
    if messages and isinstance(messages[0], Mapping):
        return [cast(Conversation, messages)]
    return list(cast(Sequence[Conversation], messages))


def _each_params(params: Params, count: int) -> list[SamplingParams]:
    if params is None or isinstance(params, SamplingParams):
        return [params or SamplingParams()] * count
    if len(params) != count:
        raise RequestError(f"{len(params)} sampling params for {count} prompts; give one for each")
    return list(params)
