"""The modes a training step is measured in. Both environments import this, so no torch here."""

from dataclasses import dataclass
from typing import Literal

Family = Literal["single", "ddp", "fsdp2", "deepspeed", "raylm"]


@dataclass(frozen=True)
class Mode:
    name: str
    family: Family
    stage: int = 0
    strict: bool = False  # DeepSpeed stage 3 that keeps no gathered parameter
    communicates: bool = True
    sockets: bool = False  # RayLM without shared memory, as between hosts

    def processes(self, world: int) -> int:
        return 1 if self.name == "single" else world


MODES = {
    mode.name: mode
    for mode in (
        Mode("single", "single", communicates=False),
        Mode("pair", "single", communicates=False),
        Mode("ddp", "ddp"),
        Mode("fsdp2", "fsdp2"),
        Mode("deepspeed1", "deepspeed", 1),
        Mode("deepspeed2", "deepspeed", 2),
        Mode("deepspeed3", "deepspeed", 3),
        Mode("deepspeed3strict", "deepspeed", 3, strict=True),
        Mode("raylm0", "raylm", 0),
        Mode("raylm1", "raylm", 1),
        Mode("raylm2", "raylm", 2),
        Mode("raylm3", "raylm", 3),
        Mode("raylm2sockets", "raylm", 2, sockets=True),
        Mode("raylm3sockets", "raylm", 3, sockets=True),
    )
}
