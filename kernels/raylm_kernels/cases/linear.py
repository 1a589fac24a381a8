"""Linear layers over weights of few bits."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _linear(draw: Draw) -> Iterator[Arguments]:
    for rows, outputs, inputs in ((1, 32, 32), (5, 96, 64), (12, 160, 576), (0, 32, 32)):
        x, shape = draw.normal(rows, inputs), (outputs, inputs // 32)
        scales = draw.normal(*shape, scale=0.1)
        for some in (scales, scales.half()):
            yield x, (draw.integers(255, outputs, inputs) - 127).to(torch.int8), some, None
        codes, minima = draw.integers(16, outputs, inputs).to(torch.uint8), draw.normal(*shape)
        yield x, codes, scales, minima
        yield x, codes, scales.half(), minima.half()


CASES: Mapping[str, Cases] = {
    "quantized_linear": _linear,
    "weight_only_linear": _linear,
}
