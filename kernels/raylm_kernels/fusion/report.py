"""What was fused, and what it saves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from raylm_kernels.fusion.launches import Cost
from raylm_kernels.fusion.rewrite import Rewrite


@dataclass
class Report:
    """`left_out`: module -> why its forward could not be captured; its submodules were tried one
    by one. `worst`: the largest difference that was found, as a part of the largest magnitude of
    its tensor; None unchecked."""

    name: str
    rewrites: list[Rewrite] = field(default_factory=list)
    before: Cost = field(default_factory=Cost)
    after: Cost = field(default_factory=Cost)
    left_out: dict[str, str] = field(default_factory=dict)
    worst: float | None = None

    def counts(self) -> dict[str, int]:
        """Of each op that was put in."""
        found: dict[str, int] = {}
        for one in self.rewrites:
            found[one.into] = found.get(one.into, 0) + 1
        return found

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if not self.rewrites:
            yield f"{self.name}: no pattern found, left as it is"
        else:
            yield f"{self.name}: {len(self.rewrites)} rewrites"
            yield from _table(
                [("pattern", "op", "in")]
                + [
                    (one.pattern, one.into, one.path or "the module itself")
                    for one in self.rewrites
                ]
            )
            before, after = self.before, self.after
            yield from _table(
                [
                    ("a forward pass", "before", "after", ""),
                    _row("launches", before.launches, after.launches, ""),
                    _row("bytes read and written", before.moved_bytes, after.moved_bytes, ","),
                ]
            )
            if self.worst is not None:
                yield f"checked: results differ by {self.worst:.1e} of their largest magnitude"
        for path, why in self.left_out.items():
            yield f"not captured whole: {path or 'the module itself'} ({why})"


def _row(name: str, before: int, after: int, format: str) -> tuple[str, ...]:
    saved = 1 - after / before if before else 0.0
    return name, f"{before:{format}}", f"{after:{format}}", f"-{saved:.0%}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  " + "  ".join(cells).rstrip()
