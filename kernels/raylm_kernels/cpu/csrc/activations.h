// Rows of int8 activations with one scale per 32 values, as the integer dot products want them.
#pragma once

#include <cstdint>

#include "buffer.h"
#include "simd.h"

namespace raylm {

constexpr int kGroup = 32;      // values that share a scale, in weights and activations alike
constexpr int kBlockDepth = 64; // two groups: their scales fill one cache line of a packed block

// Weights are stored unsigned, as code + zero_point. Starting an int32 accumulator at
// -zero_point * sum(activation codes) makes the sum exact with no correction afterwards.
inline constexpr int zero_point(int weight_bits) { return weight_bits == 4 ? 8 : 128; }

class Activations {
public:
    Activations() = default;
    Activations(int rows, int width)
        : depth_(round_up(width, kBlockDepth)),
          codes_(std::size_t(rows) * depth_),
          scales_(std::size_t(rows) * groups()),
          starts_(std::size_t(rows) * groups()) {}

    int depth() const { return depth_; }
    int groups() const { return depth_ / kGroup; }

    const std::int8_t* codes(int row) const { return codes_.data() + std::size_t(row) * depth_; }
    const float* scales(int row) const { return scales_.data() + std::size_t(row) * groups(); }
    const std::int32_t* starts(int row) const { return starts_.data() + std::size_t(row) * groups(); }

    void quantize_group(int row, int group, const float* x, int weight_bits) {
        quantize_group(row, group, load(x), load(x + kLanes), weight_bits);
    }

    void quantize_group(int row, int group, f32x16 low, f32x16 high, int weight_bits) {
        const float largest = reduce_max(max(abs(low), abs(high)));
        const f32x16 inverse = splat(largest > 0.0f ? 127.0f / largest : 0.0f);
        const i32x16 low_codes = to_int(round(low * inverse));
        const i32x16 high_codes = to_int(round(high * inverse));
        std::int8_t* codes = codes_.data() + std::size_t(row) * depth_ + group * kGroup;
        store_int8(codes, low_codes);
        store_int8(codes + kLanes, high_codes);
        const std::size_t at = std::size_t(row) * groups() + group;
        scales_[at] = largest / 127.0f;
        starts_[at] = -zero_point(weight_bits) * reduce_add(low_codes + high_codes);
    }

    void quantize_row(int row, const float* x, int width, int weight_bits) {
        for (int group = 0; group < width / kGroup; ++group) {
            quantize_group(row, group, x + group * kGroup, weight_bits);
        }
    }

private:
    int depth_ = 0;
    Buffer<std::int8_t> codes_;
    Buffer<float> scales_;
    Buffer<std::int32_t> starts_;
};

}  // namespace raylm
