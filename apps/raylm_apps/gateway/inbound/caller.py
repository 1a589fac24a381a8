"""Which program asks at `/v1`."""

import uuid
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request

from raylm_apps.gateway.accounts.secret import KEY_MARK
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.allowance import Allowance
from raylm_apps.gateway.auth import client_address, read_session, require_session
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.call import Meter, Unmetered
from raylm_apps.gateway.security import api_key
from raylm_apps.gateway.services import services_of

ADDRESSES = uuid.UUID("5d0c7d62-53a5-4e0a-9d0f-6f4f1c7a2f10")


class Free(Allowance):
    """Where every program may ask, nothing is counted."""

    async def take_for(self, model: ModelCard, size: Size) -> None:
        return None

    async def take_turn(self) -> None:
        return None

    def meter(self) -> Meter:
        return Unmetered()


async def caller_of(request: Request) -> Allowance:
    """Raises unauthorized. Where anyone may ask, programs send keys that mean nothing."""
    gateway = await services_of(request)
    address = await client_address(request, gateway)
    if gateway.settings.v1_access == "anyone" and not _has_key_of_ours(request):
        return Free(gateway, _visitor(address), address)
    return Allowance(gateway, await require_session(await read_session(request, gateway)), address)


@lru_cache(4096)
def _visitor(address: str) -> Session:
    return Session(str(uuid.uuid5(ADDRESSES, address)), 0)


def _has_key_of_ours(request: Request) -> bool:
    return (api_key(request.headers) or "").startswith(KEY_MARK)


Caller = Annotated[Allowance, Depends(caller_of)]
