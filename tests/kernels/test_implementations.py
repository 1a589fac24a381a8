"""Every implementation that is registered, against the reference in fp64: new ones, too."""

import dataclasses
import os
import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from raylm_kernels import catalog, testing
from raylm_kernels.comparison import ALLOWED, distance, fault
from raylm_kernels.cpu import build
from raylm_kernels.implementation import REFERENCE, tensors_in

registry = catalog.registry
OPS = [op for op in registry.ops() if not op.endswith("_backward")]
PAIRS = [(op, name) for op in registry.ops() for name in registry.entry(op).implementations]
JUDGED = [
    (op, name, isa)
    for op, name in PAIRS
    for isa in (build.ISA_FLAGS if name == "compiled" else [None])
]
DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
INTERPRETS = os.environ.get("TRITON_INTERPRET") == "1"


def test_every_op_has_cases():
    assert sorted(testing.CASES) == OPS


def test_the_table_in_the_readme_has_every_pair():
    text = (Path(__file__).parents[2] / "kernels/README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    drawn = {
        (op, name)
        for row in rows
        for op in re.findall(r"`(\w+)`", row.split("|")[1])
        if op in OPS
        for name in [REFERENCE, *re.findall(r"`(\w+)`:", row.split("|")[3])]
    }
    assert drawn == {(op.removesuffix("_backward"), name) for op, name in PAIRS}


@pytest.mark.parametrize(("op", "name", "isa"), JUDGED)
def test_an_implementation_agrees_with_the_reference_in_fp64(op, name, isa):
    if isa and isa not in build.isas():
        pytest.skip(f"this machine cannot run {isa}")
    with build.using(isa) if isa else nullcontext():
        judge(registry.entry(op), name)


def judge(entry, name):
    one, reference = entry.implementations[name], entry.implementations[REFERENCE]
    dtypes = DTYPES
    if name.startswith("triton") and INTERPRETS:
        one = dataclasses.replace(one, device="cpu", capability=None)
        dtypes = [torch.float32, torch.float16]  # Triton's interpreter computes bf16 wrongly
    device = one.device or "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip(f"needs {device}")
    with np.errstate(invalid="ignore"):  # in the interpreter, which computes NaN as a GPU does
        judged = sum(
            judge_case(entry, one, reference, *same, dtype)
            for dtype in dtypes
            for same in zip(
                *(testing.cases(entry.name, device, dtype) for _ in range(3)), strict=True
            )
        )
    assert judged, "it takes none of the cases: add one to raylm_kernels.cases"


def judge_case(entry, one, reference, case, wide, rough, dtype):
    """Whether it takes the case, of which there are three copies."""
    case, wide, rough = (entry.complete(args) for args in (case, testing.widened(wide), rough))
    if one.obstacle(case):
        return False
    found, wanted = one.function(*case), reference.function(*wide)
    plain = reference.function(*rough) if one.device == "cuda" else None
    where = f"{[getattr(a, 'shape', a) for a in case]}, {dtype}"
    for found_, wanted_, plain_ in [
        (found, wanted, plain),
        *((case[place], wide[place], rough[place]) for place in entry.mutates),
    ]:
        assert not fault(found_, _narrowed(wanted_, found_), allowed(dtype, plain_, wanted_)), where
    return True


def allowed(dtype, plain, wanted):
    """What a result may be off: in fp32 of 16-bit tensors as much as in these. On a GPU, twice what
    PyTorch is off in the same dtype, where that is more."""
    limits = {d: max(limit, ALLOWED[dtype]) for d, limit in ALLOWED.items()}
    pairs = zip(tensors_in([plain]), tensors_in([wanted]), strict=True) if plain is not None else ()
    for rough, exact in pairs:
        if rough.dtype in limits:
            limits[rough.dtype] = max(limits[rough.dtype], 2 * distance(rough, exact))
    return limits


def _narrowed(results, like):
    """In the dtypes of `like`."""
    if isinstance(results, list | tuple):
        return [_narrowed(result, one) for result, one in zip(results, like, strict=True)]
    return results if results is None else results.to(like.dtype)


@pytest.mark.parametrize("op", [op for op in OPS if f"{op}_backward" in registry.ops()])
def test_gradients_are_those_of_finite_differences(op):
    def function(*args):
        results = getattr(catalog, op)(*args)
        results = results if isinstance(results, tuple) else (results,)
        return tuple(torch.where(r.isfinite(), r, 0.0) for r in results if r.requires_grad)

    for case in testing.cases(op, dtype=torch.float64):
        wanted = registry.entry(op).gradients
        args = [
            arg.requires_grad_() if place in wanted and arg is not None else arg
            for place, arg in enumerate(case)
        ]
        sizes = [arg.numel() for arg in args if isinstance(arg, torch.Tensor)]
        if min(sizes) > 0 and sum(sizes) < 500:
            assert torch.autograd.gradcheck(function, args)


@pytest.mark.parametrize("op", OPS)
def test_operators_keep_the_rules_of_torch(op):
    overload = getattr(torch.ops.raylm, op).default
    case = testing.cases(op)[0]
    # What looks for changed arguments multiplies, which torch does not do in fp8.
    in_fp8 = op in ("dequantize_fp8", "fp8_linear")
    tests = ("test_faketensor",) if in_fp8 else ("test_schema", "test_faketensor")
    torch.library.opcheck(overload, case, test_utils=tests)
