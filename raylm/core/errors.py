"""Every error RayLM raises on purpose.

    RayLMError                       1  failed at run time
    ├── UsageError                   2  the command line or its environment is wrong
    │   ├── ConfigError                 a key, value or file of the configuration
    │   ├── ModelNotFoundError          no model of that name or path
    │   ├── MissingDependencyError      an optional package or program is not installed
    │   └── InUseError                  a port, data folder or model id that another holds
    ├── WeightsError                    a model file that is corrupt or of an unknown kind
    ├── RequestError                 2  a generation request nobody could serve (HTTP 400)
    │   └── PromptTooLongError
    ├── OutOfMemoryError                a model that does not fit beside what is loaded (HTTP 507)
    ├── OverloadedError                 the request queue is full; try again later (HTTP 429)
    ├── EngineError                     the inference engine failed while serving
    ├── StoreError                      PostgreSQL or Redis did not start or answer
    ├── DataError                       training data that cannot be read
    ├── CheckpointError                 a checkpoint that is missing, truncated or foreign
    ├── CollectiveError                 ranks that disagree, or wait too long for each other
    │   └── PeerLostError               another rank of the group has died
    ├── StateLostError                  more workers died than there were replicas of their state
    ├── DivergenceError                 too many steps in a row whose loss is not finite
    ├── PoisonedStepError               a step that has killed every worker that did it
    ├── SupersededError                 a call by the controller of an epoch that has ended
    └── WorkerError                     a Ray worker died or failed

The number is the exit code of the command line. A message names the offending value and
the remedy; it is one line, because people read it in a terminal.
"""

from collections.abc import Sequence
from typing import ClassVar


class RayLMError(Exception):
    exit_code: ClassVar[int] = 1


class UsageError(RayLMError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class ModelNotFoundError(UsageError):
    pass


class MissingDependencyError(UsageError):
    pass


class InUseError(UsageError):
    pass


class WeightsError(RayLMError):
    pass


class RequestError(RayLMError):
    """`param` names the request field at fault, as OpenAI's error shape wants it."""

    exit_code = 2

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class PromptTooLongError(RequestError):
    def __init__(self, prompt_tokens: int, limit_tokens: int) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens but the model's context holds "
            f"{limit_tokens}, the answer included; shorten the prompt",
            param="messages",
        )
        self.prompt_tokens = prompt_tokens
        self.limit_tokens = limit_tokens


class InputTooLongError(PromptTooLongError):
    """Of a text that is to become a vector."""

    def __init__(self, input_tokens: int, limit_tokens: int) -> None:
        super().__init__(input_tokens, limit_tokens)
        self.args = (
            f"the input has {input_tokens} tokens but the model's context holds {limit_tokens}; "
            "shorten it, or send its parts",
        )
        self.param = "input"


class OutOfMemoryError(RayLMError):
    pass


class OverloadedError(RayLMError):
    """In `retry_after_s` seconds there should be room."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineError(RayLMError):
    pass


class StoreError(RayLMError):
    pass


class DataError(RayLMError):
    pass


class CheckpointError(RayLMError):
    pass


class CollectiveError(RayLMError):
    pass


class PeerLostError(CollectiveError):
    def __init__(self, message: str, *, rank: int | None = None) -> None:
        super().__init__(message)
        self.rank = rank


class _StepError(RayLMError):
    """`victims`: (rank, world size) of the worker that died in the step, by attempt."""

    def __init__(self, message: str, victims: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(message)
        self.victims = tuple(victims)


class StateLostError(_StepError):
    pass


class PoisonedStepError(_StepError):
    pass


class DivergenceError(RayLMError):
    pass


class SupersededError(RayLMError):
    pass


class WorkerError(RayLMError):
    """`rank`, `pid` and `reason` say which worker of a group, where one is to blame."""

    def __init__(
        self, message: str, *, rank: int | None = None, pid: int | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.rank = rank
        self.pid = pid
        self.reason = reason
