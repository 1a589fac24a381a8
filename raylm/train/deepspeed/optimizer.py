"""The optimizer section. Defaults are those of DeepSpeed's and torch's classes, not ours."""

from dataclasses import dataclass
from typing import Any

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.deepspeed.section import Section

_OURS = OptimizerConfig()
_TORCH_ADAMW_DECAY = 0.01
_MUON_ADAM_LR = 3e-4

_SPEED_ONLY = ("foreach", "fused", "set_grad_none", "fp32_optimizer_states")
_COMPRESSION = (
    "freeze_step",
    "cuda_aware",
    "comm_backend_name",
    "var_freeze_step",
    "var_update_scaler",
    "local_step_scaler",
    "local_step_clipper",
    "coeff_beta",
    "factor_max",
    "factor_min",
    "factor_threshold",
)


@dataclass(frozen=True, slots=True)
class Family:
    """Our `name`, and the defaults of the hyperparameters it has; None: it has none such."""

    name: str
    lr: float = 1e-3
    betas: tuple[float, float] | None = None
    eps: float | None = None
    momentum: float | None = None
    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    is_compressed: bool = False


_BETAS = (0.9, 0.999)
FAMILIES = {
    "Adam": Family("adamw", betas=_BETAS, eps=1e-8, flags=("amsgrad",)),
    "AdamW": Family("adamw", betas=_BETAS, eps=1e-8, flags=("amsgrad",)),
    "Lion": Family("lion", betas=_BETAS),
    "Lamb": Family("lamb", betas=_BETAS, eps=1e-8),
    "Adagrad": Family(
        "adagrad", lr=1e-2, eps=1e-10, numbers=("lr_decay", "initial_accumulator_value")
    ),
    "Muon": Family("muon", lr=0.02, betas=(0.9, 0.95), eps=1e-10, momentum=0.95),
    "SGD": Family("sgd", momentum=0.0, numbers=("dampening",), flags=("nesterov",)),
    "OneBitAdam": Family("adamw", betas=_BETAS, eps=1e-8, is_compressed=True),
    "OneBitLamb": Family("lamb", betas=_BETAS, eps=1e-8, is_compressed=True),
    "ZeroOneAdam": Family("adamw", betas=_BETAS, eps=1e-8, is_compressed=True),
    "Adadelta": Family("Adadelta", lr=1.0, eps=1e-6, numbers=("rho",)),
    "Adamax": Family("Adamax", lr=2e-3, betas=_BETAS, eps=1e-8),
    "NAdam": Family("NAdam", lr=2e-3, betas=_BETAS, eps=1e-8, numbers=("momentum_decay",)),
    "RAdam": Family("RAdam", betas=_BETAS, eps=1e-8),
    "RMSprop": Family(
        "RMSprop", lr=1e-2, eps=1e-8, momentum=0.0, numbers=("alpha",), flags=("centered",)
    ),
}


def read_optimizer(root: Section) -> OptimizerConfig:
    """Ours where the file has no optimizer. Raises ConfigError for a type it does not know."""
    section = root.section("optimizer")
    section.flag("legacy_fusion")
    kind = section.choice("type", tuple(FAMILIES), None)
    if kind is None:
        if section.value("params"):
            raise ConfigError("key 'optimizer.params' needs 'optimizer.type', e.g. AdamW")
        return _OURS
    family = FAMILIES[kind]
    params = section.section("params")
    params.known.update(_SPEED_ONLY)
    if family.is_compressed:
        section.warn("type", f"{kind} runs as the uncompressed {family.name}")
        params.known.update(_COMPRESSION)
    name, decay = _name_and_decay(kind, family, params)
    found = OptimizerConfig(
        name=name,
        lr=params.number("lr", family.lr, _OURS.lr),
        weight_decay=params.number("weight_decay", decay, _OURS.weight_decay, zero=True),
        decays="all",
        options=_options(family, params),
        **_moments(family, params),
    )
    _warn_of_params(params)
    return _with_muons_rates(found, params) if kind == "Muon" else found


def at_rate(optimizer: OptimizerConfig, lr: float) -> OptimizerConfig:
    """`optimizer` after a scheduler that sets the rate of every parameter to `lr`."""
    if lr == optimizer.lr:
        return optimizer
    options = {key: value for key, value in optimizer.options.items() if key != "adamw_lr"}
    return optimizer.model_copy(update={"lr": lr, "options": options})


def _name_and_decay(kind: str, family: Family, params: Section) -> tuple[str, float]:
    """DeepSpeed's Adam decouples the decay unless told otherwise, which makes it AdamW."""
    if family.name != "adamw" or family.is_compressed:
        return family.name, 0.0
    is_decoupled = params.flag("adam_w_mode", absent=True) or kind == "AdamW"
    is_torch = params.flag("torch_adam")
    if not is_decoupled:
        return "adam", 0.0
    return "adamw", _TORCH_ADAMW_DECAY if is_torch else 0.0


def _with_muons_rates(found: OptimizerConfig, params: Section) -> OptimizerConfig:
    """Matrices and the rest have a rate each; the update has the size of Jordan et al. 2024."""
    lr = params.number("muon_lr", found.lr, _OURS.lr)
    rest = params.number("adam_lr", _MUON_ADAM_LR if params.value("lr") is None else found.lr)
    params.choice("ns_method", ("gram", "standard"), None)
    options = {"adjust_lr_fn": "original", "adamw_lr": rest}
    return found.model_copy(update={"lr": lr, "options": options})


def _moments(family: Family, params: Section) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if family.betas is not None:
        found["betas"] = params.pair("betas", family.betas, _OURS.betas)
    if family.eps is not None:
        found["eps"] = params.number("eps", family.eps, _OURS.eps)
    if family.momentum is not None:
        found["momentum"] = params.number("momentum", family.momentum, zero=True, below=1)
    return found


def _options(family: Family, params: Section) -> dict[str, Any]:
    numbers = {key: params.number(key, None, zero=True) for key in family.numbers}
    given = {key: value for key, value in numbers.items() if value is not None}
    return given | {key: True for key in family.flags if params.flag(key)}


def _warn_of_params(params: Section) -> None:
    if not params.flag("bias_correction", absent=True):
        params.warn("bias_correction", "the moments are corrected all the same")
    if params.flag("amsgrad"):
        params.warn("amsgrad", "not applied")
    if params.is_given("max_grad_norm"):
        params.warn("max_grad_norm", "ignored, as in DeepSpeed; set gradient_clipping")
