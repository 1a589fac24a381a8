// Rotary position embedding: pairs (i, i + d/2) turn by position * inv_freq[i].
#pragma once

#include <cmath>

namespace raylm {

// `turns` receives d/2 cosines, then d/2 sines.
inline void rope_turns(int position, const float* inv_freq, int half, float factor, float* turns) {
    for (int i = 0; i < half; ++i) {
        const float angle = float(position) * inv_freq[i];
        turns[i] = std::cos(angle) * factor;
        turns[half + i] = std::sin(angle) * factor;
    }
}

inline void rope(float* __restrict x, const float* __restrict turns, int half, float scale) {
    for (int i = 0; i < half; ++i) {
        const float a = x[i];
        const float b = x[half + i];
        x[i] = (a * turns[i] - b * turns[half + i]) * scale;
        x[half + i] = (b * turns[i] + a * turns[half + i]) * scale;
    }
}

}  // namespace raylm
