"""fp16, bf16, torch_autocast, amp and data_types: in which arithmetic the step runs."""

from dataclasses import dataclass
from typing import Literal

from raylm.core.errors import ConfigError
from raylm.core.schema import LossScaleConfig
from raylm.train.deepspeed.section import Section

Dtype = Literal["auto", "fp32", "bf16", "fp16"]

_SPELLINGS: dict[str, Dtype] = {
    **dict.fromkeys(("fp32", "float32", "float", "torch.float32"), "fp32"),
    **dict.fromkeys(("fp16", "float16", "half", "torch.float16"), "fp16"),
    **dict.fromkeys(("bf16", "bfloat16", "torch.bfloat16"), "bf16"),
}
_SIXTEEN_BIT = tuple(name for name, dtype in _SPELLINGS.items() if dtype != "fp32")


@dataclass(frozen=True, slots=True)
class Arithmetic:
    precision: Dtype
    autocast: bool
    loss_scale: LossScaleConfig
    gradient_dtype: Dtype

    @property
    def parameters(self) -> Dtype:
        return "fp32" if self.autocast else self.precision

    @property
    def gradients(self) -> Dtype:
        return self.parameters if self.gradient_dtype == "auto" else self.gradient_dtype


def bytes_of(dtype: Dtype) -> int:
    return 2 if dtype in ("fp16", "bf16") else 4


def read_arithmetic(root: Section) -> Arithmetic:
    """Raises ConfigError if both fp16 and bf16 are enabled."""
    fp16, data_types = root.section("fp16"), root.section("data_types")
    enabled = _without_apex(root.section("amp"), _enabled(fp16, _bf16(root)))
    autocast = _autocast_dtype(root.section("torch_autocast"), enabled)
    found = Arithmetic(
        precision=autocast or enabled,
        autocast=autocast is not None,
        loss_scale=_read_loss_scale(fp16),
        gradient_dtype=_dtype(data_types, "grad_accum_dtype"),
    )
    _warn_of_other_dtypes(root, data_types, found)
    return found


def _autocast_dtype(section: Section, enabled: Dtype) -> Dtype | None:
    """The dtype torch.autocast multiplies in; None: it is off."""
    asked = section.choice("dtype", _SIXTEEN_BIT, None)
    chooses_modules = section.is_given("lower_precision_safe_modules")
    if not section.flag("enabled"):
        return None
    if enabled in ("fp16", "bf16"):
        section.warn("enabled", f"parameters stay in fp32, though {enabled}.enabled is true")
    if chooses_modules:
        section.warn("lower_precision_safe_modules", "torch.autocast chooses per operation")
    if asked is not None:
        return _SPELLINGS[asked]
    return "auto" if enabled == "fp32" else enabled


def _without_apex(section: Section, enabled: Dtype) -> Dtype:
    section.accept_rest()
    if not section.flag("enabled"):
        return enabled
    precision: Dtype = "auto" if enabled == "fp32" else enabled
    section.warn("enabled", f"Apex is not used; precision is {precision!r}")
    return precision


def _read_loss_scale(fp16: Section) -> LossScaleConfig:
    fp16.flag("auto_cast")  # the engine always casts floating-point inputs
    for key, text in {
        "consecutive_hysteresis": "not applied: a good step does not refill the hysteresis",
        "fp16_master_weights_and_grads": "the update keeps an fp32 copy",
    }.items():
        if fp16.flag(key):
            fp16.warn(key, text)
    return LossScaleConfig(
        static=fp16.number("loss_scale", 0.0, zero=True) or None,
        initial_power=fp16.integer("initial_scale_power", 16, most=32),
        window=fp16.integer("loss_scale_window", 1000, least=1),
        hysteresis=fp16.integer("hysteresis", 2, least=1),
        minimum=fp16.number("min_loss_scale", 1.0),
    )


def _bf16(root: Section) -> Section:
    """The section under its present name, or its old one."""
    bf16 = root.section("bfloat16" if root.value("bf16") is None else "bf16")
    root.known.add("bfloat16")
    bf16.flag("immediate_grad_update")
    if not bf16.flag("check_grad_overflow", absent=True):
        bf16.warn("check_grad_overflow", "a step whose gradient is not finite is always skipped")
    for key in ("bf16_master_weights_and_grads", "bf16_optimizer_states"):
        if bf16.flag(key):
            bf16.warn(key, "the update keeps an fp32 copy and fp32 states")
    return bf16


def _enabled(fp16: Section, bf16: Section) -> Dtype:
    if fp16.flag("enabled") and bf16.flag("enabled"):
        raise ConfigError("fp16.enabled and bf16.enabled are both true; enable one of them")
    if fp16.flag("enabled"):
        return "fp16"
    if bf16.flag("enabled"):
        return "bf16"
    # Our auto never picks fp16, so with bf16 refused there is nothing left to pick.
    refused = bf16.value("enabled") is False
    undecided = fp16.is_auto("enabled") or bf16.is_auto("enabled")
    return "auto" if undecided and not refused else "fp32"


def _dtype(section: Section, key: str) -> Dtype:
    found = section.choice(key, tuple(_SPELLINGS), None)
    return "auto" if found is None else _SPELLINGS[found]


def _warn_of_other_dtypes(root: Section, data_types: Section, found: Arithmetic) -> None:
    if _dtype(data_types, "param_dtype") not in ("auto", found.parameters):
        data_types.warn("param_dtype", f"not applied: precision is {found.precision!r}")
    for key in ("buffer_dtype", "keep_in_fp32_modules"):
        if data_types.is_given(key):
            data_types.warn(key, "not applied: buffers keep the dtype of the model")
    if _dtype(root, "communication_data_type") not in ("auto", found.gradients):
        root.warn("communication_data_type", "gradients travel in the dtype they are summed in")
