// Rows of int8 activations with one scale per 32 values, as the integer dot products want them.
#pragma once

#include <cmath>
#include <cstdint>

#include "buffer.h"
#include "simd.h"

namespace raylm {

constexpr int kGroup = 32;       // values that share a scale, in weights and activations alike
constexpr int kBlockDepth = 64;  // two groups: their scales fill one cache line of a packed block

constexpr int kInt8Zero = 128;  // int8 weights are stored unsigned, as code + 128

class Activations {
public:
    Activations() = default;
    Activations(int rows, int width)
        : depth_(round_up(width, kBlockDepth)),
          codes_(std::size_t(rows) * depth_),
          scales_(std::size_t(rows) * groups()),
          starts_(std::size_t(rows) * groups()),
          sums_(std::size_t(rows) * groups()) {}

    int depth() const { return depth_; }
    int groups() const { return depth_ / kGroup; }

    const std::int8_t* codes(int row) const { return codes_.data() + std::size_t(row) * depth_; }
    const float* scales(int row) const { return scales_.data() + std::size_t(row) * groups(); }

    // -128 * sum(codes): an accumulator of int8 products that starts here ends exact.
    const std::int32_t* starts(int row) const {
        return starts_.data() + std::size_t(row) * groups();
    }

    // scale * sum(codes): what a group's minimum is multiplied by.
    const float* sums(int row) const { return sums_.data() + std::size_t(row) * groups(); }

    void quantize_group(int row, int group, const float* x) {
        quantize_group(row, group, load(x), load(x + kLanes));
    }

    // Values among which is a NaN or an infinity have codes of 0 and such a scale: with it they
    // make a NaN of what they are multiplied to.
    void quantize_group(int row, int group, f32x16 low, f32x16 high) {
        const float largest = largest_magnitude(low, high);
        if (!std::isfinite(largest)) low = high = splat(0.0f);
        const f32x16 inverse = splat(largest > 0.0f ? 127.0f / largest : 0.0f);
        const i32x16 low_codes = to_int(round(low * inverse));
        const i32x16 high_codes = to_int(round(high * inverse));
        std::int8_t* codes = codes_.data() + std::size_t(row) * depth_ + group * kGroup;
        store_int8(codes, low_codes);
        store_int8(codes + kLanes, high_codes);
        const std::size_t at = std::size_t(row) * groups() + group;
        const std::int32_t sum = reduce_add(low_codes + high_codes);
        scales_[at] = largest / 127.0f;
        starts_[at] = -kInt8Zero * sum;
        sums_[at] = scales_[at] * float(sum);
    }

private:
    int depth_ = 0;
    Buffer<std::int8_t> codes_;
    Buffer<float> scales_;
    Buffer<std::int32_t> starts_;
    Buffer<float> sums_;
};

}  // namespace raylm
