// RMS norm: y = x / sqrt(mean(x^2) + eps) * weight. `width` is a multiple of 32; the mean is over
// the first `count` values, the rest being zero.
#pragma once

#include <cmath>

#include "activations.h"

namespace raylm {

inline float inverse_rms(const float* x, int width, int count, float eps) {
    f32x16 even = splat(0.0f);
    f32x16 odd = splat(0.0f);
    for (int i = 0; i < width; i += 2 * kLanes) {
        const f32x16 a = load(x + i);
        const f32x16 b = load(x + i + kLanes);
        even = fmadd(a, a, even);
        odd = fmadd(b, b, odd);
    }
    return 1.0f / std::sqrt(reduce_add(even + odd) / float(count) + eps);
}

inline void rms_norm(const float* x, const float* weight, int width, int count, float eps,
                     float* y) {
    const f32x16 scale = splat(inverse_rms(x, width, count, eps));
    for (int i = 0; i < width; i += kLanes) store(y + i, load(x + i) * scale * load(weight + i));
}

inline void rms_norm_quantize(const float* x, const float* weight, int width, float eps, int row,
                              Activations& out) {
    const f32x16 scale = splat(inverse_rms(x, width, width, eps));
    for (int i = 0; i < width; i += kGroup) {
        const f32x16 low = load(x + i) * scale * load(weight + i);
        const f32x16 high = load(x + i + kLanes) * scale * load(weight + i + kLanes);
        out.quantize_group(row, i / kGroup, low, high);
    }
}

}  // namespace raylm
