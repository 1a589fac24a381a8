"""Whether the gateway lives, whether it can work, and what it has done."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from raylm_apps.gateway.services import Gateway

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/health/ready")
async def ready(gateway: Gateway) -> JSONResponse:
    """`degraded`: chats work, but answers in flight cannot be resumed, or no model answers."""
    postgres, redis, cards = await asyncio.gather(
        gateway.database.is_up(), gateway.streams.is_up(), gateway.catalog.cards()
    )
    checks = {"postgres": postgres, "redis": redis, "models": bool(cards)}
    status = "ready" if all(checks.values()) else "degraded" if postgres else "unavailable"
    words = {name: "up" if up else "down" for name, up in checks.items()}
    return JSONResponse({"status": status, "checks": words}, 200 if postgres else 503)


@router.get("/metrics", include_in_schema=False)
async def metrics(gateway: Gateway) -> Response:
    return Response(gateway.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
