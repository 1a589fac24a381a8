"""A row of the table: what was measured in every round, beside its bar."""

import gzip
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raylm_apps.gateway.routes.pages import STATIC

SCRIPT = re.compile(r'(?:src|href)="/([^"]+\.js)"')
INITIAL_JS_BAR_KB = 200


@dataclass(frozen=True)
class Figure:
    name: str
    values: Sequence[float]
    bar: float
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def text(self) -> str:
        return f"{self.median:.0f} {self.unit}"

    @property
    def range(self) -> str:
        return f"{min(self.values):.0f} to {max(self.values):.0f}"

    @property
    def bar_text(self) -> str:
        return f"{self.bar:.0f} {self.unit}"

    @property
    def verdict(self) -> str:
        return "met" if self.median <= self.bar else "missed"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "values": [round(value, 2) for value in self.values],
            "bar": self.bar,
            "met": self.verdict == "met",
        }


def initial_scripts() -> dict[str, int]:
    """The gzipped bytes of what a browser loads before the page shows anything."""
    names = SCRIPT.findall((STATIC / "index.html").read_text())
    return {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}


def initial_js() -> Figure:
    size_kb = sum(initial_scripts().values()) / 1000
    return Figure("initial JS, gzip", [size_kb], INITIAL_JS_BAR_KB, "kB")
