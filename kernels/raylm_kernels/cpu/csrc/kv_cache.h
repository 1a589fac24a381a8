// Keys and values in bf16 or int8, in blocks of a fixed number of positions, [layer][block][head]:
// tiles of 16 positions of keys, then a row of values for each position.
//
// bf16: a tile's keys lie transposed, [d / 2][16 positions][2], so that a dot product needs no
// horizontal sum. A value row keeps, per 32 dimensions, (i, i + 16) side by side, so that splitting
// the 32-bit lanes yields dimensions in their natural order.
//
// int8, with a half-precision scale per 32 dimensions: a tile's keys are the row blocks of a packed
// matrix whose rows are positions. A value row keeps, per 64 dimensions, (i, i + 16, i + 32, i +
// 48) side by side, and its scales after all of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arena.h"
#include "packed.h"

namespace raylm {

class KvCache {
public:
    KvCache() = default;
    KvCache(int layers, int blocks, int heads, int block_size, int head_dim, int bits)
        : blocks_(blocks),
          heads_(heads),
          block_size_(block_size),
          head_dim_(head_dim),
          bits_(bits),
          arena_(std::size_t(layers) * blocks * heads * head_bytes()),
          data_(arena_.take(0)) {}

    int blocks() const { return blocks_; }
    int block_size() const { return block_size_; }
    int head_dim() const { return head_dim_; }
    int bits() const { return bits_; }

    std::size_t tile_bytes() const {
        if (bits_ == 16) return std::size_t(kLanes) * head_dim_ * 2;
        return std::size_t(depth() / kBlockDepth) * block_bytes(8);
    }
    std::size_t row_bytes() const {
        if (bits_ == 16) return std::size_t(head_dim_) * 2;
        return depth() + depth() / kGroup * sizeof(std::uint16_t);
    }

    // Of 16 positions, the slot's among them.
    const std::uint8_t* key_tile(int layer, int block, int head, int slot) const {
        return place(layer, block, head) + slot / kLanes * tile_bytes();
    }
    const std::uint8_t* value_row(int layer, int block, int head, int slot) const {
        return place(layer, block, head) + block_size_ / kLanes * tile_bytes() + slot * row_bytes();
    }

    // Of a value row's half-precision scales, which follow its codes.
    int scales_at() const { return depth(); }

    void append_key(int layer, int block, int head, int slot, const float* key);
    void append_value(int layer, int block, int head, int slot, const float* value);

private:
    int depth() const { return round_up(head_dim_, kBlockDepth); }
    std::size_t head_bytes() const {
        return block_size_ / kLanes * tile_bytes() + block_size_ * row_bytes();
    }
    const std::uint8_t* place(int layer, int block, int head) const {
        return data_ + ((std::size_t(layer) * blocks_ + block) * heads_ + head) * head_bytes();
    }

    int blocks_ = 0;
    int heads_ = 0;
    int block_size_ = 0;
    int head_dim_ = 0;
    int bits_ = 16;
    Arena arena_;
    std::uint8_t* data_ = nullptr;
};

}  // namespace raylm
