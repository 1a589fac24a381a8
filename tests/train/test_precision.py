import torch

from raylm.train import precision
from raylm.train.precision import choose_precision, cpu_bf16_flag

CPU = torch.device("cpu")


def test_auto_takes_bf16_where_the_cpu_multiplies_it(monkeypatch):
    monkeypatch.setattr(precision, "_cpu_info", lambda: "flags\t\t: fpu avx512_bf16 avx2\n")
    chosen = choose_precision("auto", CPU)
    assert (chosen.name, chosen.reason) == ("bf16", "this CPU has avx512_bf16")
    monkeypatch.setattr(precision, "_cpu_info", lambda: "flags\t\t: fpu avx2\n")
    chosen = choose_precision("auto", CPU)
    assert (chosen.name, chosen.reason) == (
        "fp32",
        "this CPU has none of amx_bf16, avx512_bf16",
    )


def test_what_is_asked_for_is_taken():
    assert choose_precision("fp32", CPU).name == "fp32"
    assert choose_precision("bf16", CPU).name == "bf16"


def test_only_the_flags_line_counts():
    assert cpu_bf16_flag("model name: amx_bf16 special\nflags: avx2\n") is None
    assert cpu_bf16_flag("flags: avx2 avx512_bf16 amx_bf16\n") == "amx_bf16"


def test_autocast_multiplies_in_bf16_and_keeps_float32_parameters():
    linear = torch.nn.Linear(4, 4)
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with choose_precision(name, CPU).autocast(CPU):
            assert linear(torch.ones(1, 4)).dtype == dtype
    assert linear.weight.dtype == torch.float32
