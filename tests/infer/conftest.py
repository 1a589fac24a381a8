"""A runner whose answers prove that the right tokens lay in the right blocks, and a tiny model."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from raylm.data.chat_template import ChatTemplate
from raylm.data.tokenizer import Tokenizer
from raylm.infer.engine import Engine
from raylm.infer.runners.batch import Batch, known_tokens
from raylm.infer.sampling.likeliest import Likeliest
from raylm.infer.scheduling.scheduler import Limits
from raylm.infer.speculation.drafter import Drafter
from raylm.infer.speculation.speculator import Speculator, StepCost
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm.models.weights import Weights

EMPTY = -1
MakeEngine = Callable[..., Engine]


@dataclass
class EchoRunner:
    """The next token is a hash of every token before it, read back through the block table."""

    vocab_size: int
    num_blocks: int = 64
    block_size: int = 4
    lead: int = 0
    fail: Exception | None = None
    forwards: list[Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = [EMPTY] * (self.num_blocks * self.block_size)

    def next_token(self, context: list[int]) -> int:
        assert EMPTY not in context
        digest = hashlib.blake2b(repr(context).encode(), digest_size=4).digest()
        return int.from_bytes(digest) % self.vocab_size

    def forward(self, batch: Batch) -> torch.Tensor:
        self.forwards.append(batch)
        if self.fail is not None:
            raise self.fail
        tokens = known_tokens(batch.tokens_N, batch.drawn_ids_D).tolist()
        positions = batch.positions_N.tolist()
        starts, tables = batch.sequence_starts_S1.tolist(), batch.block_tables_SB.tolist()
        wanted = set(batch.logit_rows_R.tolist())
        answers = []
        for start, end, table in zip(starts, starts[1:], tables, strict=False):
            slots = [
                table[position // self.block_size] * self.block_size + position % self.block_size
                for position in range(positions[end - 1] + 1)
            ]
            for row in range(start, end):
                self.cache[slots[positions[row]]] = tokens[row]
            for row in range(start, end):
                if row in wanted:
                    seen = slots[: positions[row] + 1]
                    answers.append(self.next_token([self.cache[slot] for slot in seen]))
        logits = torch.zeros(len(answers), self.vocab_size)
        logits[torch.arange(len(answers)), answers] = 10.0
        return logits

    def likeliest(self, batch: Batch) -> Likeliest:
        return Likeliest.of(self.forward(batch))

    def continuation(self, prompt: list[int], count: int) -> list[int]:
        context = list(prompt)
        for _ in range(count):
            context.append(self.next_token(context))
        return context[len(prompt) :]


class _Free(StepCost):
    """Guesses cost nothing, whatever this machine takes for a step."""

    def observe(self, tokens: int, seconds: float) -> None:
        pass

    def line(self) -> tuple[float, float]:
        return 1.0, 0.0


@pytest.fixture(scope="session")
def make_speculator() -> Callable[[Drafter], Speculator]:
    """Of at most three guesses, made as long as they hold."""

    def make(drafter: Drafter) -> Speculator:
        speculator = Speculator(drafter, most=3)
        speculator.policy.cost = _Free()
        return speculator

    return make


class MemoryWeights(Weights):
    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__({name: tuple(tensor.shape) for name, tensor in state.items()})
        self._state = state

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._state[name]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train_bpe(["the quick brown fox jumps over the lazy dog, καλημέρα 🦊"], 320)


@pytest.fixture(scope="session")
def make_runner(tokenizer: Tokenizer) -> Callable[..., EchoRunner]:
    return lambda **sizes: EchoRunner(tokenizer.vocab_size, **sizes)


@pytest.fixture(scope="session")
def make_engine(tokenizer: Tokenizer) -> MakeEngine:
    def make(
        runner: EchoRunner,
        *,
        max_model_len: int = 64,
        max_running: int = 4,
        max_batch_tokens: int = 16,
        **options: object,
    ) -> Engine:
        return Engine(
            runner,
            tokenizer,
            vocab_size=tokenizer.vocab_size,
            max_model_len=max_model_len,
            limits=Limits(max_running, max_batch_tokens),
            **options,
        )

    return make


@pytest.fixture(scope="session")
def tiny_source(tokenizer: Tokenizer) -> ModelSource:
    """Random weights, large enough that different contexts get different answers."""
    spec = ModelSpec(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=16,
        max_positions=1024,
    )
    generator = torch.Generator().manual_seed(7)
    state = {}
    for name, tensor in Decoder(spec).state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        state[name] = 0.2 * noise if tensor.ndim == 2 else 1 + 0.1 * noise
    template = ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    return ModelSource("tiny", spec, MemoryWeights(state), tokenizer, template)
