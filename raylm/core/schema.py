"""The configuration trees: what `raylm train`, `raylm serve` and `raylm up` accept."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from raylm.core.config import Config
from raylm.core.topology import Topology

Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class ModelDims(Config):
    """The shape of a decoder trained from scratch (Llama family)."""

    hidden_size: Positive
    num_layers: Positive
    num_heads: Positive
    num_kv_heads: Positive | None = Field(None, description="default: num_heads")
    head_dim: Positive | None = Field(None, description="default: hidden_size / num_heads")
    intermediate_size: Positive | None = Field(None, description="default: 8/3 hidden, mult. of 64")
    rope_theta: float = Field(10_000.0, gt=0)
    norm_eps: float = Field(1e-5, gt=0)
    qk_norm: bool = False
    tie_embeddings: bool = True

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.head_dim is None and self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}; "
                "set head_dim or change one of them"
            )
        if self.num_kv_heads is not None and self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        return self


class BpeConfig(Config):
    """A byte-level BPE tokenizer trained on the run's own text before the first step."""

    train: Literal["bpe"] = "bpe"
    vocab_size: int = Field(4096, ge=300, le=1_000_000)


class DataConfig(Config):
    path: str | tuple[str, ...] = Field(
        "stdlib",
        description="files, folders or globs of .txt, .md, .py, .jsonl, .parquet (also .gz); "
        "'stdlib' is the Python standard library's sources",
    )
    text_field: str = Field("text", description="the field of a JSONL or Parquet row")
    sequence_length: int = Field(512, ge=8)
    tokenizer: str | BpeConfig = Field(
        BpeConfig(), description="a model name, a folder with tokenizer.json, or what to train"
    )
    holdout: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        0.02, description="the part of the documents kept for evaluation"
    )


class BatchConfig(Config):
    global_: Positive | None = Field(
        None, alias="global", description="sequences per optimizer step; default: micro x workers"
    )
    micro: Positive = Field(8, description="sequences per worker per forward")

    def accumulation(self, world_size: int) -> int:
        """Micro-batches each of `world_size` workers runs per optimizer step.

        Raises ValueError that shows the arithmetic.
        """
        per_pass = self.micro * world_size
        if self.global_ is None:
            return 1
        if self.global_ % per_pass:
            raise ValueError(
                f"batch.global {self.global_} is not a multiple of batch.micro "
                f"{self.micro} x workers {world_size} = {per_pass}"
            )
        return self.global_ // per_pass

    def passes(self, world_size: int) -> int:
        """Forward passes of a step where the global batch is shared out as evenly as it goes.

        Raises ValueError with the world sizes that would do.
        """
        total = self.global_ or self.micro * world_size
        if total < world_size:
            raise ValueError(
                f"batch.global {total} cannot be shared out to {world_size} workers, for some "
                f"would have nothing to do; possible are 1 to {total}"
            )
        most = -(-total // world_size)
        return -(-most // self.micro)


class OptimizerConfig(Config):
    name: str = Field(
        "adamw",
        description="adamw, adam, adagrad, sgd, lion, lamb, adafactor, muon, or a class of "
        "torch.optim",
    )
    lr: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    decays: Literal["matrices", "all"] = Field(
        "matrices", description="what weight_decay pulls on; matrices: not norms and biases"
    )
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    eps: float = Field(1e-8, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1, description="of sgd and muon (0: muon's own 0.95)")
    options: dict[str, Any] = Field({}, description="further arguments of the optimizer's class")


class ScheduleConfig(Config):
    name: Literal["cosine", "linear", "constant", "wsd", "one_cycle"] = "cosine"
    total_steps: Positive | None = Field(None, description="default: the run's steps")
    warmup_steps: int = Field(0, ge=0)
    final_fraction: Fraction = Field(0.1, description="last learning rate / peak")
    initial_fraction: Fraction = Field(0.0, description="learning rate before the warm-up / peak")
    decay_fraction: Fraction = Field(0.2, description="wsd: the part of the steps that decays")


class LossScaleConfig(Config):
    """fp16 alone: the loss is multiplied so that small gradients do not vanish."""

    static: float | None = Field(None, gt=0, description="a fixed scale; null: dynamic")
    initial_power: int = Field(16, ge=0, le=32, description="the first scale is 2 to this power")
    window: Positive = Field(1000, description="good steps before the scale doubles")
    hysteresis: Positive = Field(2, description="overflows before the scale halves")
    minimum: float = Field(1.0, gt=0)


class ZeroConfig(Config):
    """How much of the training state each worker keeps whole (Rajbhandari et al., 2020)."""

    stage: Literal[0, 1, 2, 3] = Field(
        0, description="sharded: 0 nothing, 1 optimizer, 2 and gradients, 3 and parameters"
    )
    bucket_bytes: Positive = Field(8 * 2**20, description="gradients reduced together")
    prefetch_bytes: int = Field(
        32 * 2**20, ge=0, description="stage 3: parameters gathered ahead of their use"
    )
    persistence_threshold: int = Field(
        0, ge=0, description="stage 3: units of at most so many elements stay whole"
    )
    units: tuple[str, ...] = Field(
        (), description="class names of modules gathered as one; default: the blocks of each list"
    )


class EvaluationConfig(Config):
    every: int = Field(50, ge=0, description="steps between evaluations; 0: only first and last")
    max_tokens: Positive = 65_536


class CheckpointConfig(Config):
    every: int = Field(100, ge=0, description="steps between checkpoints; 0: only the last")
    keep_last: Positive = 3
    keep_best: int = Field(0, ge=0, description="checkpoints of lowest held-out loss kept besides")


class Elastic(Config):
    """How a worker group goes on when workers die, join and leave."""

    enabled: bool = True
    min: Positive = Field(1, description="with fewer workers the run waits for replacements")
    max: Positive | None = Field(None, description="default: the workers it starts with")
    replicas: int = Field(
        1, ge=0, description="peers that keep a copy of each worker's state; 0: none"
    )
    heartbeat_s: float = Field(5.0, gt=0, description="silent for so long, a worker counts as hung")
    replace_stragglers: bool = Field(
        False, description="replace a worker that stays 3 times slower than its peers"
    )
    skip_poisoned_samples: bool = Field(
        False, description="go on without a batch that has killed every worker that touched it"
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"elastic.max {self.max} is less than elastic.min {self.min}")
        return self

    def require(self, workers: int) -> None:
        """Raises ValueError naming the limit that so many workers are beyond."""
        if workers < self.min:
            raise ValueError(f"{workers} workers are fewer than elastic.min {self.min}")
        if self.max is not None and workers > self.max:
            raise ValueError(f"{workers} workers are more than elastic.max {self.max}")


class EngineConfig(Config):
    """What `raylm.initialize` needs to train any module."""

    seed: int = Field(0, ge=0)
    batch: BatchConfig = BatchConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig(name="constant")
    gradient_clipping: float | None = Field(1.0, gt=0, description="global norm; null: none")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="of parameters and gradients; below fp32 the update keeps an fp32 copy"
    )
    autocast: bool = Field(
        False, description="keep parameters in fp32 and let torch.autocast choose per operation"
    )
    loss_scale: LossScaleConfig = LossScaleConfig()
    gradient_dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="in which gradients are summed; auto: as parameters are"
    )
    zero: ZeroConfig = ZeroConfig()
    max_skipped_in_a_row: Positive = Field(
        50, description="steps skipped for a loss or gradient that is not finite before giving up"
    )
    timeout_s: float = Field(120.0, gt=0, description="the longest wait for another worker")


class TrainConfig(EngineConfig):
    name: str = "train"
    steps: Positive
    workers: Positive = 1
    model: str | ModelDims
    data: DataConfig = DataConfig()
    batch: BatchConfig = BatchConfig.model_validate({"global": 32})
    schedule: ScheduleConfig = ScheduleConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    elastic: Elastic = Elastic()

    @model_validator(mode="after")
    def _batch_can_be_shared(self) -> Self:
        self.batch.passes(self.workers)
        return self

    @model_validator(mode="after")
    def _workers_are_within(self) -> Self:
        self.elastic.require(self.workers)
        return self

    @property
    def global_batch(self) -> int:
        """Sequences of a step, whatever the number of workers becomes."""
        return self.batch.global_ or self.batch.micro * self.workers

    def passes(self, world_size: int) -> int:
        """Forward passes of a step on so many workers. Raises ValueError for too many."""
        batch = self.batch.model_copy(update={"global_": self.global_batch})
        return batch.passes(world_size)


class ModelConfig(Config):
    """A model and the engine that runs it."""

    model: str = Field("smollm2", description="a name, a folder, a GGUF file or a run directory")
    name: str | None = Field(None, description="the model id clients use; default raylm/<model>")
    quantization: Literal["auto", "none", "int8", "int4"] = Field(
        "auto", description="auto: int8 where the CPU kernels are available, else none"
    )
    head_quantization: Literal["auto", "int8", "int4"] = Field(
        "auto",
        description="of the matrix that makes logits; auto: int8. With int8 or int4 weights",
    )
    threads: Positive | None = Field(
        None, description="default: the cores less one, at least 1; each worker's share of them"
    )
    tensor_parallel: Positive = Field(
        1, description="workers that share every layer, for a model larger than one GPU"
    )
    pipeline_parallel: Positive = Field(
        1, description="groups of such workers, each with a part of the layers"
    )
    heartbeat_s: float = Field(5.0, gt=0, description="silent for so long, a worker counts as hung")
    step_timeout_s: float = Field(
        60.0, gt=0, description="a step over workers that takes longer has failed"
    )
    max_model_len: Positive | None = Field(None, description="default: the model's own context")
    kv_cache_bytes: Positive = Field(512 * 2**20, description="of each worker, where there are any")
    kv_cache_dtype: Literal["auto", "int8"] = Field(
        "auto", description="int8: about half the bytes a token; with int8 or int4 weights"
    )
    block_size: Positive = 16
    max_running: Positive = Field(32, description="sequences decoded together")
    max_batch_tokens: Positive = Field(128, description="tokens of prompts and answers per step")
    max_waiting: Positive = Field(256, description="queued requests before 429")
    max_waiting_per_user: Positive | None = Field(
        None, description="queued requests of one user before 429; default: as max_waiting"
    )
    speculation: Literal["none", "ngram", "draft"] = Field(
        "none",
        description="guess tokens from the text so far, or by draft_model; no answer changes",
    )
    draft_model: str | None = Field(None, description="with speculation draft: a smaller model")
    draft_tokens: Positive = Field(4, description="guesses a step and request, at most")
    cuda_graphs: bool = Field(True, description="record decode steps on a GPU and replay them")
    prefix_cache: bool = Field(True, description="compute the beginning of alike prompts once")
    trace_path: Path | None = Field(
        None,
        description="record what the scheduler does, token ids included; {pid} is the process's",
    )

    @property
    def topology(self) -> Topology:
        return Topology(self.tensor_parallel, self.pipeline_parallel)


class ServeConfig(ModelConfig):
    """The first model served, and how many replicas serve it."""

    min_replicas: Positive = 1
    max_replicas: Positive | None = Field(None, description="default: min_replicas")
    target_queue: Positive = Field(
        32, description="running and queued requests a replica; with more, another is started"
    )
    upscale_delay_s: float = Field(10.0, ge=0, description="how long there must be more")
    downscale_delay_s: float = Field(300.0, ge=0, description="how long there must be fewer")
    drain_s: float = Field(
        600.0, ge=0, description="for running streams, where a replica or a model is let go"
    )
    admin_key: str | None = Field(
        None, repr=False, min_length=1, description="who has it may load and unload models"
    )

    @model_validator(mode="after")
    def _replicas_are_ordered(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas {self.max_replicas} is less than min_replicas {self.min_replicas}"
            )
        return self


class UpConfig(Config):
    """Everything `raylm up` starts."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65_535)
    data_dir: Path = Path("~/.raylm")
    serve: ServeConfig = ServeConfig()
