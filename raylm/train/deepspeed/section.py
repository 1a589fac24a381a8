"""One object of a ds_config: reads that say what they expected, and a memory of which keys."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from math import inf
from typing import Any, TypeVar

from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean

T = TypeVar("T")
D = TypeVar("D")
_AS_ABSENT: Any = object()


class Section:
    """The `values` under `path`; a key becomes known by being read.

    JSON's null counts as absent, as in DeepSpeed. "auto" gives `auto`, which is what absence
    gives unless said otherwise. Every read raises ConfigError naming key, value and expectation.
    """

    def __init__(
        self, values: Mapping[str, Any], path: str = "", warnings: list[str] | None = None
    ) -> None:
        self.known: set[str] = set()
        self.warnings = [] if warnings is None else warnings
        self._values = values
        self._path = path
        self._children: dict[str, Section] = {}

    def value(self, key: str) -> Any:
        self.known.add(key)
        return self._values.get(key)

    def is_given(self, key: str) -> bool:
        return self.value(key) is not None and not self.is_auto(key)

    def is_auto(self, key: str) -> bool:
        return bool(self.value(key) == "auto")

    def flag(self, key: str, absent: bool = False) -> bool:
        return self._read(key, _boolean, "true or false", absent)

    def integer(
        self, key: str, absent: D, auto: D = _AS_ABSENT, *, least: int = 0, most: float = inf
    ) -> int | D:
        """Also takes 5e8, which is how bucket sizes are written."""

        def parse(value: Any) -> int | None:
            number = _whole(value)
            return number if number is not None and least <= number <= most else None

        bound = f">= {least}" if most == inf else f"from {least} to {most}"
        return self._read(key, parse, f"an integer {bound}", absent, auto)

    def number(
        self,
        key: str,
        absent: D,
        auto: D = _AS_ABSENT,
        *,
        zero: bool = False,
        below: float | None = inf,
    ) -> float | D:
        """A number above 0, or from 0 where `zero`; below infinity unless `below` is None."""

        def parse(value: Any) -> float | None:
            number = _real(value)
            if number is None or not (number > 0 or (zero and number == 0)):
                return None
            return number if below is None or number < below else None

        bound = f"{'>=' if zero else '>'} 0" + (
            f" and < {below}" if below not in (None, inf) else ""
        )
        return self._read(key, parse, f"a number {bound}", absent, auto)

    def pair(
        self, key: str, absent: tuple[float, float], auto: tuple[float, float]
    ) -> tuple[float, float]:
        return self._read(key, _two_fractions, "two numbers >= 0 and < 1", absent, auto)

    def choice(self, key: str, names: Sequence[str], absent: D, auto: D = _AS_ABSENT) -> str | D:
        """One of `names`, spelled as there whatever its case in the file."""
        by_lower = {name.lower(): name for name in names}
        expected = f"one of {', '.join(names)}"
        return self._read(key, lambda v: by_lower.get(str(v).lower()), expected, absent, auto)

    def section(self, key: str) -> "Section":
        """The object under `key`; an absent one is empty."""
        if key not in self._children:
            values = self._read(key, _mapping, "an object", {})
            self._children[key] = Section(values, self.path(key), self.warnings)
        return self._children[key]

    def accept_rest(self) -> None:
        """Know every key, because a warning about the whole has been given."""
        self.known.update(self._values)

    def path(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def warn(self, key: str, text: str) -> None:
        self.warnings.append(f"{self.path(key)}: {text}")

    def warn_of_unknown(self) -> None:
        """Name every key that nobody read, here and below, with its nearest known neighbour."""
        homes = dict(self._known_paths())
        for section in self._sections():
            for key in section._values:
                if key not in section.known:
                    section.warn(key, f"not a known key, ignored{section._hint(str(key), homes)}")

    def _hint(self, key: str, homes: Mapping[str, str]) -> str:
        near = get_close_matches(key, self.known, n=1)
        if not near and key in homes:
            return f"; did you mean {homes[key]!r}?"
        return did_you_mean(key, near)

    def _sections(self) -> Iterator["Section"]:
        yield self
        for child in self._children.values():
            yield from child._sections()

    def _known_paths(self) -> Iterator[tuple[str, str]]:
        for section in self._sections():
            yield from ((key, section.path(key)) for key in sorted(section.known))

    def _read(
        self,
        key: str,
        parse: Callable[[Any], T | None],
        expected: str,
        absent: D,
        auto: D = _AS_ABSENT,
    ) -> T | D:
        value = self.value(key)
        if value is None:
            return absent
        if self.is_auto(key):
            return absent if auto is _AS_ABSENT else auto
        parsed = parse(value)
        if parsed is None:
            raise ConfigError(f"key {self.path(key)!r} (value {value!r}): expected {expected}")
        return parsed


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _whole(value: Any) -> int | None:
    number = _real(value)
    return int(value) if number is not None and number.is_integer() else None


def _two_fractions(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    first, second = map(_real, value)
    if first is None or second is None or not (0 <= first < 1 and 0 <= second < 1):
        return None
    return first, second


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None
