"""RAYLM_PROVIDERS: which providers, models and groups there are, and who may ask for what.

An example with every key: configs/serve/providers.yaml.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator

from raylm.core.config import Config, read_yaml
from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.sections import (
    VARIABLE,
    GroupConfig,
    GroupName,
    ModelConfig,
    ModelId,
    ProviderConfig,
    ProviderId,
)


class ProvidersConfig(Config):
    providers: dict[ProviderId, ProviderConfig] = Field(default_factory=dict)
    models: dict[ModelId, ModelConfig] = Field(default_factory=dict)
    groups: dict[GroupName, GroupConfig] = Field(default_factory=dict)

    @field_validator("*", mode="before")
    @classmethod
    def _nothing(cls, section: object) -> object:
        """A section all of whose lines are comments."""
        return {} if section is None else section

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ConfigError, one line."""
        _refuse_keys(path, read_yaml(path))
        return cls.load(path)

    def model_ids(self) -> set[str]:
        """Those that the file names."""
        named = {name for group in self.groups.values() for name in group.others if "/" in name}
        members = {member.model for group in self.groups.values() for member in group.members}
        return set(self.models) | members | named

    def check_names(self, providers: set[str]) -> None:
        """`providers`: all there are. Raises ConfigError for a name that leads nowhere."""
        for where, name in self._names():
            if "/" not in name:
                if name not in self.groups:
                    raise ConfigError(
                        f"{where}: no group {name!r}{did_you_mean(name, self.groups)}"
                    )
            elif (provider := name.partition("/")[0]) not in providers:
                hint = did_you_mean(provider, providers)
                raise ConfigError(f"{where}: {name!r} is of no provider there is{hint}")

    def _names(self) -> Iterator[tuple[str, str]]:
        for model_id in self.models:
            yield "models", model_id
        for name, group in self.groups.items():
            for member in group.members:
                yield f"groups.{name}.members", member.model
            for kind in ("fallbacks", "context_fallbacks", "policy_fallbacks"):
                for other in getattr(group, kind):
                    yield f"groups.{name}.{kind}", other


def bare_card(model_id: str) -> ModelCard:
    """Of a model that only the file names, until its provider lists it."""
    provider, _, remote_id = model_id.partition("/")
    return ModelCard(model_id, remote_id, provider, tools=True, remote_id=remote_id)


def _refuse_keys(path: Path, tree: dict[str, Any]) -> None:
    """Before anything else is wrong, for an error quotes its value and would show the key."""
    providers = tree.get("providers")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        key = provider.get("api_key") if isinstance(provider, dict) else None
        if key is not None and not (isinstance(key, str) and VARIABLE.fullmatch(key)):
            raise ConfigError(
                f"{path}: key 'providers.{name}.api_key' must name a variable of the "
                "environment, such as ${OPENAI_API_KEY}; what stands there is not shown"
            )
