"""Configuration: one typed, frozen tree read from YAML, overridden by `key=value`, checked whole.

A mistake is answered with one line that names the key, the value and the nearest valid name.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean


class Config(BaseModel):
    """Base of every section. Unknown keys are errors; values never change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, populate_by_name=True
    )

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Self:
        """Read a YAML file (or a mapping), apply `a.b=value` overrides, validate.

        Raises ConfigError with one line per mistake.
        """
        if isinstance(source, Mapping):
            where, tree = "config", _copy(source)
        else:
            where, tree = str(source), read_yaml(Path(source))
        for override in overrides:
            _apply(tree, override)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            lines = [_explain(cls, detail) for detail in error.errors() if not _other_kind(detail)]
            raise ConfigError(f"{where}: " + "; ".join(dict.fromkeys(lines))) from None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in tree.items()}


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {_one_line(error)}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: a config is a mapping of keys, this is a {type(tree).__name__}")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r} must look like key=value, e.g. optimizer.lr=3e-4")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        child = tree.setdefault(parent, {})
        if not isinstance(child, dict):
            child = tree[parent] = {}
        tree = child
    tree[leaf] = _scalar(text)


def _scalar(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):  # YAML 1.1 reads 3e-4 as a string
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _other_kind(detail: ErrorDetails) -> bool:
    """A union reports each member it tried; a mapping was never meant as the plain string."""
    return detail["type"] == "string_type" and isinstance(detail["input"], Mapping)


def _explain(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = _without_union_tags(model, detail["loc"])
    key = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden":
        *parents, leaf = path
        known = _keys_at(model, parents)
        return f"unknown key {key!r} (value {detail['input']!r}){did_you_mean(str(leaf), known)}"
    if detail["type"] == "missing":
        return f"key {key!r} is required"
    message = detail["msg"].removeprefix("Value error, ")
    return f"key {key!r} (value {detail['input']!r}): {message}" if key else message


def _without_union_tags(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[int | str]:
    """pydantic puts the union member it tried into the path; keep real keys, and the last part."""
    kept: list[int | str] = []
    for place, part in enumerate(loc):
        is_last = place == len(loc) - 1
        if (
            isinstance(part, int)
            or _values_at(model, [*kept, part])
            or (is_last and not _is_tag(part))
        ):
            kept.append(part)
    return kept


def _is_tag(part: str) -> bool:
    return "[" in part or part in ("str", "BpeConfig", "ModelDims")


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> set[str]:
    """The names the section at `path` accepts."""
    models = [m for annotation in _values_at(model, path) for m in _models_in(annotation)]
    return {f.alias or n for m in models for n, f in m.model_fields.items()}


def _values_at(model: type[BaseModel], path: Iterable[int | str]) -> list[Any]:
    """What may stand at `path`: types, none where the path leads nowhere."""
    types: list[Any] = [model]
    for part in path:
        types = [inner for outer in types for inner in _values_in(outer, part)]
    return types


def _values_in(annotation: Any, part: int | str) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return [field.annotation for name, field in fields if part in (name, field.alias)]
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return [arguments[1]]
    if get_origin(annotation) in (list, tuple):
        return list(arguments) if isinstance(part, int) else []
    return [inner for argument in arguments for inner in _values_in(argument, part)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in get_args(annotation) for m in _models_in(arg)]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
