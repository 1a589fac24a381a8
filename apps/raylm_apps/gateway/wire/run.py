"""Runs on the wire; what a run has written of itself goes through as it is."""

from datetime import datetime
from typing import Any

from pydantic import Field

from raylm_apps.gateway.runs.status import Status
from raylm_apps.gateway.wire.base import Wire


class RunView(Wire):
    id: str
    name: str
    algorithm: str | None = Field(description="of an alignment; null: pre-training")
    status: Status
    step: int
    steps: int | None = Field(description="that it is to have")
    loss: float | None
    reward: float | None
    heldout_loss: float | None
    tokens_per_second: float | None
    world_size: int | None
    started_at: datetime
    updated_at: datetime
    error: str | None = Field(description="why its directory cannot be read")


class RunsView(Wire):
    runs: list[RunView]


class CheckpointView(Wire):
    name: str
    step: int
    saved_at: datetime
    size_bytes: int
    is_latest: bool
    model: str = Field(description="the id of the model that it is loaded as")


class RunContents(Wire):
    run: RunView
    config: dict[str, Any]
    events: list[dict[str, Any]] = Field(description="the newest thousand, the oldest first")
    event_count: int
    events_end: str = Field(description="where a stream of further events begins")
    checkpoints: list[CheckpointView] = Field(description="the newest first")
    has_samples: bool


class ColumnView(Wire):
    """A value for each point; null: not measured then, or not finite."""

    mean: list[float | None]
    least: list[float | None]
    most: list[float | None]


class CurvesView(Wire):
    """`steps` and `times` (Unix seconds) are of the last row of each point."""

    steps: list[int]
    times: list[float | None]
    counts: list[int] = Field(description="how many rows each point stands for")
    columns: dict[str, ColumnView]
    row_count: int
    metrics_end: str = Field(description="where a stream of further rows begins")


class SamplesView(Wire):
    samples: list[dict[str, Any]] = Field(description="the newest first: step, prompt, answer, ...")


class LoadedModel(Wire):
    id: str = Field(description="to chat with")
