#include "packed.h"

#include <algorithm>

namespace raylm {
namespace {

// Where a quad's codes lie in a block: which line, and shifted by how many bits.
struct Place {
    int line;
    int shift;
};

Place place_of(int quad, int bits) {
    return bits == 4 ? Place{quad / 2, 4 * (quad % 2)} : Place{quad, 0};
}

void put_codes(std::uint8_t* block, int lane, int bits, const std::uint8_t* codes) {
    for (int quad = 0; quad < kGroup / 4; ++quad) {
        const Place place = place_of(quad, bits);
        std::uint8_t* out = block + place.line * kLine + lane * 4;
        for (int i = 0; i < 4; ++i) {
            const int code = bits == 4 ? codes[4 * quad + i] : codes[4 * quad + i] ^ kInt8Zero;
            out[i] = std::uint8_t(place.shift ? out[i] | code << place.shift : code);
        }
    }
}

float half_value(const std::uint8_t* from) { return from_half(load_as<std::uint16_t>(from)); }

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

PackedMatrix::GroupPlace PackedMatrix::group_place(int member, int row, int group) const {
    const int half = row % kUnitRows / kRowBlock;
    std::uint8_t* block = shares_[member] +
                          std::size_t(row / kUnitRows - begin(member)) * unit_bytes() +
                          half * unit_bytes() / 2 + std::size_t(group / 2) * block_bytes(bits_);
    std::uint8_t* scale = block + code_bytes(bits_) + (group % 2 * kRowBlock + row % kRowBlock) * 2;
    return {block + group % 2 * code_bytes(bits_) / 2, scale, scale + kLine};
}

void PackedMatrix::pack(int member, int first_row, int rows, const QuantizedRows& from) {
    const int begin_row = std::max(first_row, begin(member) * kUnitRows);
    const int end_row = std::min(first_row + rows, end(member) * kUnitRows);
    const int groups = width_ / kGroup;
    for (int row = begin_row; row < end_row; ++row) {
        for (int group = 0; group < groups; ++group) {
            const std::size_t at = std::size_t(row - first_row) * groups + group;
            const GroupPlace place = group_place(member, row, group);
            put_codes(place.codes, row % kRowBlock, bits_, from.codes + at * kGroup);
            store(place.scale, from.scales[at]);
            if (bits_ == 4) store(place.minimum, from.minima[at]);
        }
    }
}

void PackedMatrix::read_row(int row, float* out) const {
    int member = 0;
    while (row / kUnitRows >= end(member)) ++member;
    for (int group = 0; group < width_ / kGroup; ++group) {
        const GroupPlace place = group_place(member, row, group);
        const float scale = half_value(place.scale);
        const float minimum = bits_ == 4 ? half_value(place.minimum) : -kInt8Zero * scale;
        for (int quad = 0; quad < kGroup / 4; ++quad) {
            const Place at = place_of(quad, bits_);
            const std::uint8_t* codes = place.codes + at.line * kLine + row % kRowBlock * 4;
            for (int i = 0; i < 4; ++i) {
                const int code = codes[i] >> at.shift & ((1 << bits_) - 1);
                *out++ = scale * float(code) + minimum;
            }
        }
    }
}

}  // namespace raylm
