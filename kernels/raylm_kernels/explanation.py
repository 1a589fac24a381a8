"""Why an op is served by the implementation that serves it, for a person to read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`seconds`: as they were measured, where they were."""

    name: str
    is_chosen: bool
    obstacle: str
    seconds: float | None
    is_forced: bool

    @property
    def verdict(self) -> str:
        if self.obstacle:
            return self.obstacle
        how = "chosen" if self.is_chosen else "available"
        time = "" if self.seconds is None else f", {self.seconds * 1e6:.0f} us"
        return f"{how}{' (forced)' if self.is_forced else ''}{time}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Printed, a line for each implementation."""

    op: str
    shape_class: str
    rows: tuple[Row, ...]

    @property
    def chosen(self) -> str | None:
        """The name of the implementation that serves."""
        return next((row.name for row in self.rows if row.is_chosen), None)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [
            f"  {'*' if r.is_chosen else ' '} {r.name:{width}}  {r.verdict}" for r in self.rows
        ]
        return "\n".join([f"{self.op}({self.shape_class})", *lines])
