"""The runner over a group of actors, for models larger than one GPU.

Every worker holds its part of each matrix of its stage (`tensor_parallel` of them share a stage)
of `pipeline_parallel` stages. Each gets every batch from the engine itself and computes it with
its peers; those of the last stage answer with the logits of their part of the vocabulary, or with
the largest of them.

Shapes: R rows of logits, v a worker's part of the vocabulary, P such parts.
"""

import atexit
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import ray
import torch
from torch import Tensor

from raylm.checkpoint.source import open_model_or_run
from raylm.collectives.alone import AloneTransport
from raylm.collectives.choose import open_transport
from raylm.collectives.transport import Transport
from raylm.core.schema import ServeConfig
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import use_threads
from raylm.infer.runners.stage import StageRunner
from raylm.infer.sampling.likeliest import Likeliest
from raylm.models.spec import ModelSpec
from raylm.parallel.pipeline import DecoderStage, StageShard
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import ray_session
from raylm.runtime.worker import Worker
from raylm.serve.batch_message import decode, encode
from raylm.serve.step_group import StepGroup
from raylm.serve.step_links import Address, Link

COLLECTIVE_TIMEOUT_S = 120.0  # at least; the engine gives a step up before its workers do
_DONE = bytes(1)  # where no logits are wanted


class StageWorker(Worker):
    _peers: Transport = AloneTransport()  # of its stage

    def __init__(self, config: ServeConfig, num_blocks: int) -> None:
        self._config, self._num_blocks = config, num_blocks

    def setup(self) -> None:
        config, topology = self._config, self._config.topology
        self._peers = open_transport(self.device, timeout_s=self._timeout_s, parts=topology.stages)
        source = open_model_or_run(config.model)
        shard = StageShard.of(source.spec, topology, self.rank)
        self._first_token = shard.tensor.vocabulary.start
        stage = DecoderStage.from_source(
            source,
            shard,
            self._peers,
            dtype=_dtype(self.device.type),
            device=self.device,
        )
        if config.threads is not None:
            use_threads(config.threads)
        self._runner = StageRunner(
            stage,
            topology,
            self.rank,
            num_blocks=self._num_blocks,
            block_size=config.block_size,
        )

    def run(self, address: Address) -> None:
        """Batches as they come, until the engine has gone."""
        with Link(address, self.rank, self._timeout_s) as link:
            while (message := link.receive()) is not None:
                batch, wants_logits = decode(message)
                logits_Rv = self._runner.forward(batch)
                if logits_Rv is not None:
                    answer = logits_Rv if wants_logits else self._largest(logits_Rv)
                    link.send(_memory(answer.cpu()) if len(answer) else memoryview(_DONE))

    def _largest(self, logits_Rv: Tensor) -> Tensor:
        """R x (logit, token), in fp64, which holds both exactly."""
        logits_R, places_R = logits_Rv.max(dim=-1)
        return torch.stack((logits_R.double(), (places_R + self._first_token).double()), dim=1)

    def leave(self) -> None:
        peers, self._peers = self._peers, AloneTransport()
        peers.close()
        super().leave()


class WorkersRunner:
    """A `Runner`, and a `RunnerFactory`: `num_blocks_for` says how many blocks of the cache there
    are when a token takes so many bytes of a worker.

    Workers take a GPU each where Ray has enough, and compute in bf16; else a CPU, in fp32. Raises
    ConfigError before any is started for a model that cannot be split so, and WorkerError where
    the cluster has no room for them or they cannot load the model.
    """

    lead = 0
    has_hidden = False

    def __init__(
        self, config: ServeConfig, spec: ModelSpec, num_blocks_for: Callable[[int], int]
    ) -> None:
        topology = config.topology
        shards = [StageShard.of(spec, topology, rank) for rank in range(topology.world_size)]
        self._vocabularies = {
            rank: shard.tensor.vocabulary for rank, shard in enumerate(shards) if shard.is_last
        }
        self.block_size = config.block_size
        with ExitStack() as stack:
            stack.enter_context(ray_session(cpus=topology.world_size))
            kind, resources = _resources(topology.world_size)
            largest = max(shard.token_bytes(_dtype(kind)) for shard in shards)
            self.num_blocks = num_blocks_for(largest)
            group = WorkerGroup(
                StageWorker,
                topology.world_size,
                args=(_from_anywhere(config), self.num_blocks),
                resources=resources,
                timeout_s=max(COLLECTIVE_TIMEOUT_S, 2 * config.step_timeout_s),
                heartbeat_s=config.heartbeat_s,
            )
            self._steps = StepGroup(group, "run", config.step_timeout_s)
            stack.callback(self._steps.close)
            self._cleanup = stack.pop_all()
        atexit.register(self.close)  # before Ray's own end

    def forward(self, batch: Batch) -> Tensor:
        """Raises EngineError once a worker has died, failed or not answered in time."""
        rows = len(batch.logit_rows_R)
        parts = {rank: torch.empty(rows, len(v)) for rank, v in self._vocabularies.items()}
        self._run(batch, parts, wants_logits=True)
        return torch.cat(list(parts.values()), dim=1)

    def likeliest(self, batch: Batch) -> Likeliest:
        """The same, without sending the logits."""
        rows = len(batch.logit_rows_R)
        parts = {r: torch.empty(rows, 2, dtype=torch.float64) for r in self._vocabularies}
        self._run(batch, parts, wants_logits=False)
        found_PR2 = torch.stack(list(parts.values()))
        best_R = found_PR2[..., 0].argmax(dim=0)
        logits_R, ids_R = found_PR2[best_R, torch.arange(rows)].unbind(dim=1)
        return Likeliest(logits_R.float(), ids_R.long())

    def hidden(self, batch: Batch) -> Tensor:
        raise NotImplementedError("has_hidden is False")

    def _run(self, batch: Batch, parts: Mapping[int, Tensor], *, wants_logits: bool) -> None:
        """Fill each rank's part."""
        use_threads(1)  # the sampler's: the cores are the workers'
        rows = len(batch.logit_rows_R)
        answers = {
            r: _memory(p) if rows else memoryview(bytearray(_DONE)) for r, p in parts.items()
        }
        self._steps.step(encode(batch, wants_logits=wants_logits), answers)

    def check(self) -> None:
        """Raises EngineError once a worker is lost, also while nothing runs."""
        self._steps.check()

    def close(self) -> None:
        """End the workers and give their resources back."""
        atexit.unregister(self.close)
        self._cleanup.close()


def _resources(workers: int) -> tuple[str, dict[str, float]]:
    """The kind of device, and what each worker takes."""
    gpus = ray.cluster_resources().get("GPU", 0)  # type: ignore[no-untyped-call]
    return ("cuda", {"GPU": 1}) if gpus >= workers else ("cpu", {"CPU": 1})


def _dtype(kind: str) -> torch.dtype:
    return torch.float32 if kind == "cpu" else torch.bfloat16


def _from_anywhere(config: ServeConfig) -> ServeConfig:
    """A relative path is meant from this process's folder, which is not the workers'."""
    path = Path(config.model).expanduser()
    return config.model_copy(update={"model": str(path.absolute())}) if path.exists() else config


def _memory(part: Tensor) -> memoryview:
    return part.contiguous().numpy().data.cast("B")
