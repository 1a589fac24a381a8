"""The sections of RAYLM_PROVIDERS, one each for a provider, a model and a group."""

import os
import re
from typing import Annotated, Any, Self, get_args

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from raylm.core.config import Config
from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean
from raylm.core.wire.prompt import Sampling
from raylm_apps.gateway.accounts.email_address import normalised
from raylm_apps.gateway.accounts.session import UserType
from raylm_apps.gateway.providers.base import Prices
from raylm_apps.gateway.providers.registry import KINDS, Connection
from raylm_apps.gateway.routing.circuit import MOST_FAILS
from raylm_apps.gateway.routing.strategy import Strategy

USER_TYPES = get_args(UserType)
Seconds = Annotated[float, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0)]
ProviderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,40}$")]
GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.:-]{0,80}$")]
ModelId = Annotated[str, StringConstraints(pattern=r"^[^/\s]+/\S+$")]
VARIABLE = re.compile(r"\$\{(\w+)\}")


def _allowed(names: object) -> object:
    """Types of users, and addresses as accounts have them."""
    if not isinstance(names, list):
        return names
    for name in names:
        if not isinstance(name, str) or not (name in USER_TYPES or "@" in name):
            raise ValueError(
                f"{name!r} is no e-mail address and no type of user"
                f"{did_you_mean(str(name), USER_TYPES)}"
            )
    return [normalised(name) if "@" in name else name for name in names]


Allowed = Annotated[frozenset[str], BeforeValidator(_allowed)]


class SamplingConfig(Config):
    """What is asked for where a request leaves it open."""

    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None

    def sampling(self) -> Sampling:
        return Sampling(**dict(self))


class ProviderConfig(Config):
    kind: str
    api_key: str | None = Field(None, description="${NAME} of the environment, never the key")
    base_url: str | None = Field(None, pattern=r"^https?://")
    sampling: SamplingConfig = SamplingConfig()
    models: tuple[str, ...] | None = Field(
        None, description="all it has, by its own names; default: what its server lists"
    )

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"no such kind of provider{did_you_mean(kind, KINDS)}")
        return kind

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.base_url is None and KINDS[self.kind].base_url is None:
            raise ValueError(f"a provider of kind {self.kind!r} needs a base_url")
        return self

    def connection(self, name: str) -> Connection:
        """Raises ConfigError where the variable of its key is not set."""
        key = None if self.api_key is None else _variable(name, self.api_key)
        return Connection(name, self.kind, self.base_url, key, self.sampling.sampling())


class PricesConfig(Config):
    """In dollars for a million tokens."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None


class ModelConfig(Config):
    """What is known better than the provider's list says; a model it does not list is added."""

    name: str | None = None
    remote_id: str | None = Field(None, description="the provider's own name of it")
    reasoning: bool | None = None
    tools: bool | None = None
    vision: bool | None = None
    context_tokens: int | None = Field(None, ge=1)
    prices: PricesConfig | None = None
    allow: Allowed | None = Field(None, description="types of users, e-mails; default: everybody")

    def changes(self) -> dict[str, Any]:
        """Of a model's card."""
        given = {
            name: getattr(self, name)
            for name in ("name", "remote_id", "reasoning", "tools", "vision", "context_tokens")
        }
        if self.prices is not None:
            given["prices"] = Prices(**dict(self.prices))
        return {name: value for name, value in given.items() if value is not None}


class MemberConfig(Config):
    model: ModelId
    weight: float = Field(1.0, gt=0)
    priority: int = Field(0, description="those of the lowest are asked first")


def _member(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class GroupConfig(Config):
    """A name that clients ask for, and the models that stand for it."""

    strategy: Strategy = "ordered"
    members: tuple[Annotated[MemberConfig, BeforeValidator(_member)], ...] = Field(min_length=1)
    name: str | None = Field(None, description="for people; default: the group's own")
    fallbacks: tuple[str, ...] = ()
    context_fallbacks: tuple[str, ...] = Field((), description="for prompts too long")
    policy_fallbacks: tuple[str, ...] = Field((), description="for refusals of the content")
    attempts: int | None = Field(None, ge=1, description="default: each member once")
    first_token_s: Seconds | None = 60.0
    inter_token_s: Seconds | None = 60.0
    hedge_after_s: Seconds | None = Field(
        None, description="a second member is asked where the first has not begun by then"
    )
    allowed_fails: int = Field(
        3, ge=0, lt=MOST_FAILS, description="in a minute; one more opens the circuit"
    )
    cooldown_s: Seconds = 60.0
    allow: Allowed | None = None

    @property
    def others(self) -> tuple[str, ...]:
        return (*self.fallbacks, *self.context_fallbacks, *self.policy_fallbacks)


def _variable(provider: str, reference: str) -> str:
    name = reference[2:-1]
    value = os.environ.get(name)
    if not value:
        raise ConfigError(
            f"providers.{provider}.api_key: {reference} is not set; "
            f"set {name} in the environment, or take the provider out"
        )
    return value
