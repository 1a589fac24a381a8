"""Whether the gateway lives, whether it can work, and what it has done."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from raylm_apps.gateway.services import Gateway

router = APIRouter(tags=["health"])


Check = Literal["up", "down"]


class LiveView(BaseModel):
    status: Literal["alive"] = "alive"


class ChecksView(BaseModel):
    postgres: Check
    redis: Check
    models: Check


class ReadyView(BaseModel):
    status: Literal["ready", "degraded", "unavailable"]
    checks: ChecksView


@router.get("/health/live")
async def live() -> LiveView:
    return LiveView()


@router.get("/health/ready", responses={503: {"model": ReadyView, "description": "unavailable"}})
async def ready(gateway: Gateway, response: Response) -> ReadyView:
    """`degraded`: chats work, but answers in flight cannot be resumed, or no model answers."""
    postgres, redis, cards = await asyncio.gather(
        gateway.database.is_up(), gateway.streams.is_up(), gateway.catalog.cards()
    )
    is_up = {"postgres": postgres, "redis": redis, "models": bool(cards)}
    response.status_code = 200 if postgres else 503
    return ReadyView(
        status="ready" if all(is_up.values()) else "degraded" if postgres else "unavailable",
        checks=ChecksView(**{name: "up" if up else "down" for name, up in is_up.items()}),
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(gateway: Gateway) -> Response:
    return Response(gateway.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
