"""How much memory this process may still take."""

from pathlib import Path

_UNLIMITED = 1 << 60


def available_bytes(meminfo: Path = Path("/proc/meminfo"), cgroup: Path | None = None) -> int:
    """The lesser of what the machine has left and what the container may still use."""
    return min(_of_machine(meminfo), _of_container(cgroup or Path("/sys/fs/cgroup")))


def _of_machine(meminfo: Path) -> int:
    if not meminfo.exists():
        return _UNLIMITED
    lines = (line.partition(":") for line in meminfo.read_text().splitlines())
    kilobytes = {name: text.split()[0] for name, _, text in lines}
    return int(kilobytes["MemAvailable"]) << 10


def _of_container(cgroup: Path) -> int:
    """Version 2 of control groups. The page cache counts as used, but gives way."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except OSError:
        return _UNLIMITED
    if limit == "max":
        return _UNLIMITED
    return int(limit) - used + int(stat.get("inactive_file", 0))
