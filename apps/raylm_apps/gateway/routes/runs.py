"""Runs, read from their directories, for admins: what there is, what is new, and using it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi import Path as InPath
from pydantic import WithJsonSchema

from raylm_apps.gateway.auth import ClientAddress, RequireAdmin
from raylm_apps.gateway.engine.change import load
from raylm_apps.gateway.engine.shelf import served_id
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.runs.checkpoints import Checkpoint
from raylm_apps.gateway.runs.following import EVENT_ID, Reader, follow
from raylm_apps.gateway.runs.lines import PLACE, Place
from raylm_apps.gateway.runs.summary import Summary
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.sse import EventStream
from raylm_apps.gateway.wire.run import (
    CheckpointView,
    ColumnView,
    CurvesView,
    LoadedModel,
    RunContents,
    RunsView,
    RunView,
    SamplesView,
)

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
NEWS = {"description": "`{metrics, events}`, or `{isAnew}`", "content": {"text/event-stream": {}}}
router = APIRouter(prefix="/api/runs", tags=["runs"])
RunId = Annotated[str, InPath(min_length=1, max_length=255)]
End = Annotated[str, Query(pattern=PLACE, description="as `metricsEnd` or `eventsEnd` said")]
LastEventId = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": EVENT_ID, "examples": ["7-120_8-64"]}),
]


@router.get("")
async def read_all(gateway: Gateway, admin: RequireAdmin) -> RunsView:
    """The newest first; one whose directory is broken has an `error`."""
    return RunsView(runs=[_view(run) for run in await gateway.runs.all()])


@router.get("/{run_id}")
async def read(gateway: Gateway, admin: RequireAdmin, run_id: RunId) -> RunContents:
    run = await _find(gateway, run_id)
    found = await gateway.runs.read(run)
    return RunContents(
        run=_view(found.summary),
        config=found.config,
        events=found.events,
        event_count=found.event_count,
        events_end=str(found.place),
        checkpoints=[_checkpoint_view(run.name, one) for one in found.checkpoints],
        has_samples=found.has_samples,
    )


@router.get("/{run_id}/metrics")
async def read_metrics(
    gateway: Gateway,
    admin: RequireAdmin,
    run_id: RunId,
    after: Annotated[int, Query(ge=-1, le=10**12, description="a step")] = -1,
    points: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> CurvesView:
    """Every step where there are no more than `points`; else each point has the mean, the least
    and the most of its steps, so that no spike is lost."""
    curves = await gateway.runs.curves(await _find(gateway, run_id), after, points)
    buckets = curves.buckets
    return CurvesView(
        steps=buckets.steps,
        times=buckets.times,
        counts=buckets.counts,
        columns={name: ColumnView(**asdict(column)) for name, column in buckets.columns.items()},
        row_count=curves.row_count,
        metrics_end=str(curves.place),
    )


@router.get("/{run_id}/samples")
async def read_samples(
    gateway: Gateway,
    admin: RequireAdmin,
    run_id: RunId,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SamplesView:
    run = await _find(gateway, run_id)
    return SamplesView(samples=await gateway.runs.samples(run, limit))


@router.get("/{run_id}/stream", response_class=Response, responses={200: NEWS})
async def stream(
    gateway: Gateway,
    admin: RequireAdmin,
    address: ClientAddress,
    run_id: RunId,
    metrics: End = "0-0",
    events: End = "0-0",
    last_event_id: Annotated[LastEventId, Header()] = None,
) -> Response:
    """What is written from there on, as it is written. It ends after half a minute, for a browser
    to come again, and after `isAnew`: then everything is to be read again."""
    run = await _find(gateway, run_id)
    reader = Reader(Place.parse(metrics), Place.parse(events))
    if last_event_id is not None:
        try:
            reader = Reader.parse(last_event_id)
        except ValueError:
            raise ApiError("bad_request:stream", "Last-Event-ID is not an event's id") from None
    rooms = gateway.entitlements.readers_at_once(admin, address)
    with gateway.readers.seat(*rooms) as seat:
        news = follow(run, reader, gateway.settings.heartbeat_s)
        return seat.keep_until_sent(EventStream(news, headers=HEADERS))


@router.post("/{run_id}/checkpoints/{checkpoint}/load", status_code=201)
async def load_checkpoint(
    gateway: Gateway, admin: RequireAdmin, run_id: RunId, checkpoint: RunId
) -> LoadedModel:
    """By the local engine, beside what it serves; answers once one can chat with it."""
    run = await _find(gateway, run_id)
    saved = await gateway.runs.checkpoint(run, checkpoint)
    if saved is None:
        raise ApiError("not_found:checkpoint")
    return LoadedModel(id=await load(gateway, str(saved.path)))


async def _find(gateway: Services, run_id: str) -> Path:
    run = await gateway.runs.find(run_id)
    if run is None:
        raise ApiError("not_found:run")
    return run


def _view(run: Summary) -> RunView:
    last = run.last
    return RunView(
        id=run.id,
        name=run.name,
        algorithm=run.algorithm,
        status=run.status,
        step=run.step,
        steps=run.steps,
        loss=_number(last, "loss"),
        reward=_number(last, "reward"),
        heldout_loss=_number(last, "heldout_loss"),
        tokens_per_second=_number(last, "tokens_per_second"),
        world_size=run.world_size,
        started_at=datetime.fromtimestamp(run.started_at, UTC),
        updated_at=datetime.fromtimestamp(run.updated_at, UTC),
        error=run.error,
    )


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else None


def _checkpoint_view(run: str, checkpoint: Checkpoint) -> CheckpointView:
    return CheckpointView(
        name=checkpoint.name,
        step=checkpoint.step,
        saved_at=datetime.fromtimestamp(checkpoint.saved_at, UTC),
        size_bytes=checkpoint.size_bytes,
        is_latest=checkpoint.is_latest,
        model=served_id(run, checkpoint),
    )
