#include "kv_cache.h"

#include <algorithm>
#include <cmath>

namespace raylm {
namespace {

constexpr float kLargestHalf = 65504.0f;

struct Group {
    std::int8_t codes[kGroup];
    std::uint16_t scale;
};

// Rounded to 8 bits by the scale that is kept, which is NaN where a value is not finite.
Group quantize(const float* x) {
    const float largest = largest_magnitude(load(x), load(x + kLanes));
    Group out = {};
    out.scale = to_half(std::isfinite(largest) ? std::min(largest / 127.0f, kLargestHalf) : NAN);
    const float kept = from_half(out.scale);
    if (!(kept > 0.0f)) return out;
    const float inverse = 1.0f / kept;
    for (int i = 0; i < kGroup; ++i) {
        out.codes[i] = std::int8_t(std::clamp(std::nearbyint(x[i] * inverse), -127.0f, 127.0f));
    }
    return out;
}

}  // namespace

void KvCache::append_key(int layer, int block, int head, int slot, const float* key) {
    auto* tile = const_cast<std::uint8_t*>(key_tile(layer, block, head, slot));
    const int lane = slot % kLanes;
    if (bits_ == 16) {
        for (int d = 0; d < head_dim_; ++d) {
            store(tile + ((d / 2 * kLanes + lane) * 2 + d % 2) * 2, to_bf16(key[d]));
        }
        return;
    }
    for (int first = 0; first < head_dim_; first += kGroup) {
        const Group group = quantize(key + first);
        const int second = first / kGroup % 2;
        std::uint8_t* part = tile + first / kBlockDepth * block_bytes(8);
        std::uint8_t* codes = part + second * code_bytes(8) / 2 + lane * 4;
        for (int i = 0; i < kGroup; ++i) {
            codes[i / 4 * kLine + i % 4] = std::uint8_t(group.codes[i] ^ kInt8Zero);
        }
        store(part + code_bytes(8) + (second * kRowBlock + lane) * 2, group.scale);
    }
}

void KvCache::append_value(int layer, int block, int head, int slot, const float* value) {
    auto* row = const_cast<std::uint8_t*>(value_row(layer, block, head, slot));
    if (bits_ == 16) {
        for (int d = 0; d < head_dim_; ++d) {
            store(row + (d / 32 * 32 + d % 16 * 2 + d / 16 % 2) * 2, to_bf16(value[d]));
        }
        return;
    }
    for (int first = 0; first < head_dim_; first += kGroup) {
        const Group group = quantize(value + first);
        for (int i = 0; i < kGroup; ++i) {
            const int d = first + i;
            row[d / 64 * 64 + d % 16 * 4 + d / 16 % 4] = std::uint8_t(group.codes[i]);
        }
        store(row + scales_at() + first / kGroup * 2, group.scale);
    }
}

}  // namespace raylm
