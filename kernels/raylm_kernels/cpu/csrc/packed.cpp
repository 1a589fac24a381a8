#include "packed.h"

#include <algorithm>

namespace raylm {
namespace {

// Where quad q of a block starts, and by how much its codes are shifted there.
struct Place {
    int line;
    int shift;
};

Place place_of(int quad, int bits) {
    return bits == 4 ? Place{quad / 2, 4 * (quad % 2)} : Place{quad, 0};
}

float half_value(std::uint16_t half) {
    std::uint16_t lanes[kLanes] = {half};
    return half_to_float(lanes)[0];
}

}  // namespace

PackedMatrix::PackedMatrix(int rows, int width, int bits, int granule, int members)
    : rows_(rows),
      width_(width),
      bits_(bits),
      blocks_(round_up(width, kBlockDepth) / kBlockDepth),
      shares_(members, nullptr) {
    const long granules = rows / (kUnitRows * granule);
    for (int member = 0; member <= members; ++member) {
        bounds_.push_back(static_cast<int>(granules * member / members) * granule);
    }
}

void PackedMatrix::pack(int member, int first_row, int rows, const std::int8_t* codes,
                        const std::uint16_t* scales) {
    const int from = std::max(first_row, begin(member) * kUnitRows);
    const int to = std::min(first_row + rows, end(member) * kUnitRows);
    const int groups = width_ / kGroup;
    const int zero = zero_point(bits_);
    for (int row = from; row < to; ++row) {
        const std::int8_t* code = codes + std::size_t(row - first_row) * width_;
        const std::uint16_t* scale = scales + std::size_t(row - first_row) * groups;
        std::uint8_t* block = const_cast<std::uint8_t*>(unit(member, row / kUnitRows));
        if (row % kUnitRows >= kRowBlock) block += unit_bytes() / 2;
        const int lane = row % kRowBlock;
        for (int b = 0; b < blocks_; ++b, block += block_bytes(bits_)) {
            for (int k = 0; k < kBlockDepth; ++k) {
                const int column = b * kBlockDepth + k;
                const int value = zero + (column < width_ ? code[column] : 0);
                const Place place = place_of(k / 4, bits_);
                std::uint8_t& byte = block[place.line * kLine + lane * 4 + k % 4];
                byte = static_cast<std::uint8_t>(place.shift ? byte | value << place.shift : value);
            }
            for (int g = 0; g < 2; ++g) {
                const int group = 2 * b + g;
                if (group >= groups) continue;
                std::memcpy(block + code_bytes(bits_) + (g * kRowBlock + lane) * 2, scale + group, 2);
            }
        }
    }
}

void PackedMatrix::read_row(int row, float* out) const {
    const int unit_index = row / kUnitRows;
    int member = 0;
    while (unit_index >= end(member)) ++member;
    const std::uint8_t* block = unit(member, unit_index);
    if (row % kUnitRows >= kRowBlock) block += unit_bytes() / 2;
    const int lane = row % kRowBlock;
    for (int column = 0; column < width_; column += 4) {
        const std::uint8_t* here = block + column / kBlockDepth * block_bytes(bits_);
        const int k = column % kBlockDepth;
        std::uint16_t half;
        std::memcpy(&half, here + code_bytes(bits_) + (k / kGroup * kRowBlock + lane) * 2, 2);
        const float scale = half_value(half);
        const Place place = place_of(k / 4, bits_);
        const std::uint8_t* codes = here + place.line * kLine + lane * 4;
        const int mask = (1 << bits_) - 1;
        for (int i = 0; i < 4; ++i) {
            out[column + i] = scale * float(((codes[i] >> place.shift) & mask) - zero_point(bits_));
        }
    }
}

}  // namespace raylm
