// Keys and values in bf16, in blocks of a fixed number of positions, [layer][block][head].
//
// A tile is 16 positions of one head. Its keys lie transposed, [d / 2][16 positions][2], so that
// a dot product needs no horizontal sum. A value row keeps, per 32 dimensions, (i, i + 16) side
// by side, so that splitting the 32-bit lanes yields dimensions in their natural order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arena.h"
#include "simd.h"

namespace raylm {

class KvCache {
public:
    KvCache() = default;
    KvCache(int layers, int blocks, int heads, int block_size, int head_dim)
        : blocks_(blocks),
          heads_(heads),
          block_size_(block_size),
          head_dim_(head_dim),
          arena_(std::size_t(layers) * blocks * heads * head_values() * sizeof(std::uint16_t)),
          data_(reinterpret_cast<std::uint16_t*>(arena_.take(0))) {}

    int blocks() const { return blocks_; }
    int block_size() const { return block_size_; }
    int head_dim() const { return head_dim_; }

    const std::uint16_t* keys(int layer, int block, int head) const {
        return data_ + ((std::size_t(layer) * blocks_ + block) * heads_ + head) * head_values();
    }
    const std::uint16_t* values(int layer, int block, int head) const {
        return keys(layer, block, head) + head_values() / 2;
    }

    void append_key(int layer, int block, int head, int slot, const float* key) {
        auto* tile = const_cast<std::uint16_t*>(keys(layer, block, head)) +
                     std::size_t(slot / kLanes) * kLanes * head_dim_;
        for (int d = 0; d < head_dim_; ++d) {
            tile[(d / 2 * kLanes + slot % kLanes) * 2 + d % 2] = to_bf16(key[d]);
        }
    }

    void append_value(int layer, int block, int head, int slot, const float* value) {
        auto* row =
            const_cast<std::uint16_t*>(values(layer, block, head)) + std::size_t(slot) * head_dim_;
        for (int d = 0; d < head_dim_; ++d) {
            row[d / 32 * 32 + d % 16 * 2 + d / 16 % 2] = to_bf16(value[d]);
        }
    }

private:
    std::size_t head_values() const { return std::size_t(2) * block_size_ * head_dim_; }

    int blocks_ = 0;
    int heads_ = 0;
    int block_size_ = 0;
    int head_dim_ = 0;
    Arena arena_;
    std::uint16_t* data_ = nullptr;
};

}  // namespace raylm
