"""The batch triple: any one of its numbers follows from the other two and the world size."""

from math import prod

from raylm.core.errors import ConfigError
from raylm.core.schema import BatchConfig
from raylm.train.deepspeed.section import Section

TOTAL = "train_batch_size"
MICRO = "train_micro_batch_size_per_gpu"
ACCUMULATION = "gradient_accumulation_steps"


def read_batch(root: Section, world_size: int) -> BatchConfig:
    """Raises ConfigError that shows the arithmetic where the numbers do not multiply out."""
    total = root.integer(TOTAL, None, least=1)
    micro = root.integer(MICRO, None, least=1)
    accumulation = root.integer(ACCUMULATION, None, least=1)
    if total is None and micro is None:
        if not (root.is_auto(TOTAL) or root.is_auto(MICRO)):
            raise ConfigError(f"neither {TOTAL} nor {MICRO} is given; set one of them")
        micro = BatchConfig().micro
    if total is None or micro is None:
        accumulation = accumulation or 1

    factors = {MICRO: micro, ACCUMULATION: accumulation, "world size": world_size}
    known = {name: value for name, value in factors.items() if value is not None}
    product = prod(known.values())
    if total is None:
        total = product
    arithmetic = " x ".join(f"{name} {value}" for name, value in known.items()) + f" = {product}"
    if len(known) == len(factors) and total != product:
        raise ConfigError(
            f"{TOTAL} {total} != {arithmetic}; leave one of them out to have it derived"
        )
    if total % product:
        raise ConfigError(f"{TOTAL} {total} is not a multiple of {arithmetic}")
    return BatchConfig.model_validate({"global": total, "micro": micro or total // product})
