import pytest
import torch

from raylm.parallel import amp
from raylm.parallel.amp import Precision, choose_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
NAMES = ("fp32", "bf16", "fp16")


@pytest.mark.parametrize(
    ("cpu_info", "name", "reason"),
    [
        ("flags\t\t: fpu avx512_bf16 avx2\n", "bf16", "this CPU has avx512_bf16"),
        ("flags\t\t: avx512_fp16 amx_bf16\n", "bf16", "this CPU has amx_bf16"),
        ("flags\t\t: fpu avx512_fp16\n", "fp16", "this CPU has avx512_fp16 but no bf16"),
        ("flags: amx_fp16\n", "fp16", "this CPU has amx_fp16 but no bf16"),
        ("Features\t: fp bf16 fphp asimdhp\n", "bf16", "this CPU has bf16"),
        ("Features\t: fp fphp asimdhp\n", "fp16", "this CPU has fphp and asimdhp but no bf16"),
        ("Features\t: fp fphp\n", "fp32", None),
        ("model name: amx_bf16 special\nflags: avx2\n", "fp32", None),
        ("", "fp32", None),
    ],
)
def test_auto_takes_what_the_cpu_multiplies(monkeypatch, cpu_info, name, reason):
    monkeypatch.setattr(amp, "_cpu_info", lambda: cpu_info)
    none = "amx_bf16, avx512_bf16, bf16, amx_fp16, avx512_fp16, fphp+asimdhp"
    chosen = choose_precision("auto", False, CPU)
    assert (chosen.name, chosen.reason) == (name, reason or f"this CPU has none of {none}")


@pytest.mark.parametrize(
    ("has_bf16", "capability", "name"),
    [
        (True, (8, 0), "bf16"),
        (False, (7, 5), "fp16"),
        (False, (7, 0), "fp16"),
        (False, (6, 1), "fp32"),
    ],
)
def test_auto_takes_what_the_gpu_multiplies(monkeypatch, has_bf16, capability, name):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    chosen = choose_precision("auto", True, GPU)
    assert (chosen.name, chosen.autocast) == (name, True)
    assert "this GPU" in chosen.reason


def test_auto_is_fp32_on_a_device_that_nobody_has_tried():
    chosen = choose_precision("auto", False, torch.device("mps"))
    assert (chosen.name, chosen.reason[-3:]) == ("fp32", "mps")


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_for_is_taken(name, autocast):
    assert choose_precision(name, autocast, CPU) == Precision(name, autocast, "as configured")


@pytest.mark.parametrize(
    ("name", "autocast", "parameter", "compute", "needs_master", "scales_loss"),
    [
        ("fp32", False, torch.float32, torch.float32, False, False),
        ("fp32", True, torch.float32, torch.float32, False, False),
        ("bf16", False, torch.bfloat16, torch.bfloat16, True, False),
        ("bf16", True, torch.float32, torch.bfloat16, False, False),
        ("fp16", False, torch.float16, torch.float16, True, True),
        ("fp16", True, torch.float32, torch.float16, False, True),
    ],
)
def test_what_follows_from_the_name(name, autocast, parameter, compute, needs_master, scales_loss):
    precision = Precision(name, autocast, "")
    assert precision.parameter_dtype == parameter
    assert precision.compute_dtype == compute
    assert precision.needs_master is needs_master
    assert precision.scales_loss is scales_loss


@pytest.mark.parametrize("name", NAMES)
def test_autocast_multiplies_in_the_dtype_and_keeps_float32_parameters(name):
    linear = torch.nn.Linear(4, 4)
    precision = Precision(name, True, "")
    with precision.autocast_context(CPU):
        assert linear(torch.ones(1, 4)).dtype == precision.compute_dtype
    assert linear(torch.ones(1, 4)).dtype == linear.weight.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_without_autocast_the_parameters_decide(name):
    precision = Precision(name, False, "")
    linear = torch.nn.Linear(4, 4).to(precision.parameter_dtype)
    with precision.autocast_context(CPU):
        assert not torch.is_autocast_enabled("cpu")
        assert linear(torch.ones(1, 4, dtype=linear.weight.dtype)).dtype == precision.compute_dtype
