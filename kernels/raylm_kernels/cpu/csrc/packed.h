// A quantised weight matrix in streaming order, divided by rows among a team's members.
//
//   unit    32 rows: two row blocks, one after the other
//   row block   16 rows: its blocks along k, ascending
//   block   16 rows x 64 k: 16 quads, then a 64-byte line of 2 x 16 half-precision scales and,
//           for int4, such a line of minima
//   quad    16 rows x 4 k in 64 bytes: lane r holds row r's four weights, unsigned
//
// Int4 (scale * code + minimum) keeps quads 2j and 2j+1 in the low and high nibbles of one line,
// int8 (scale * (code - 128)) one quad a line. Lines are touched in strictly ascending order, in as
// many streams as suit the machine: revisiting lines was measured to halve the rate at which DRAM
// delivers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "activations.h"
#include "arena.h"

namespace raylm {

constexpr int kRowBlock = 16;
constexpr int kUnitRows = 2 * kRowBlock;
constexpr int kQuads = kBlockDepth / 4;
constexpr int kLine = 64;

inline constexpr int code_bytes(int bits) { return kRowBlock * kBlockDepth * bits / 8; }
inline constexpr int block_bytes(int bits) {
    return code_bytes(bits) + (bits == 4 ? 2 : 1) * kLine;
}

struct QuantizedRows {
    const std::uint8_t* codes;    // [rows, width]: 0..15, or the bytes of int8
    const std::uint16_t* scales;  // [rows, width / 32] half
    const std::uint16_t* minima;  // likewise; null for int8
};

class PackedMatrix {
public:
    PackedMatrix() = default;

    // `granule` units always stay with one member; rows must be a multiple of 32 * granule.
    PackedMatrix(int rows, int width, int bits, int granule, int members);

    int bits() const { return bits_; }
    int rows() const { return rows_; }
    int blocks() const { return blocks_; }
    std::size_t unit_bytes() const { return std::size_t(2) * blocks_ * block_bytes(bits_); }
    std::size_t share_bytes(int member) const {
        return std::size_t(end(member) - begin(member)) * unit_bytes();
    }

    int begin(int member) const { return bounds_[member]; }
    int end(int member) const { return bounds_[member + 1]; }
    const std::uint8_t* unit(int member, int unit) const {
        return shares_[member] + std::size_t(unit - begin(member)) * unit_bytes();
    }

    std::uint8_t* share(int member) { return shares_[member]; }

    void place(int member, Arena& arena) { shares_[member] = arena.take(share_bytes(member)); }

    // Stores the member's part of `rows` rows from `first_row` on.
    void pack(int member, int first_row, int rows, const QuantizedRows& from);

    void read_row(int row, float* out) const;

private:
    // Of one row and group: its codes' first line, its scale and (int4) its minimum.
    struct GroupPlace {
        std::uint8_t* codes;
        std::uint8_t* scale;
        std::uint8_t* minimum;
    };
    GroupPlace group_place(int member, int row, int group) const;

    int rows_ = 0;
    int width_ = 0;
    int bits_ = 0;
    int blocks_ = 0;
    std::vector<int> bounds_;
    std::vector<std::uint8_t*> shares_;
};

}  // namespace raylm
