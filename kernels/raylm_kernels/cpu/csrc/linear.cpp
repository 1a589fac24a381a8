#include "linear.h"

#include <array>
#include <utility>

#include "product.h"

namespace raylm {
namespace {

template <int Bits, int M>
void stream(const std::uint8_t* unit, const Activations& x, int row, float* y) {
    const std::size_t stride = std::size_t(x.depth() / kBlockDepth) * block_bytes(Bits);
    multiply_blocks<Bits, M, 1>(unit, stride, x, row, y);
    multiply_blocks<Bits, M, 1>(unit + stride, stride, x, row, y + kRowBlock);
}

template <int Bits, int M>
void tile(const std::uint8_t* unit, const Activations& x, int row, float* y) {
    const std::size_t stride = std::size_t(x.depth() / kBlockDepth) * block_bytes(Bits);
    multiply_blocks<Bits, M, 2>(unit, stride, x, row, y);
}

template <int Bits, int... M>
constexpr std::array<UnitKernel, sizeof...(M)> streams(std::integer_sequence<int, M...>) {
    return {stream<Bits, M + 1>...};
}

template <int Bits, int... M>
constexpr std::array<UnitKernel, sizeof...(M)> tiles(std::integer_sequence<int, M...>) {
    return {tile<Bits, M + 1>...};
}

}  // namespace

UnitKernel stream_kernel(int bits, int rows) {
    static constexpr auto int4 = streams<4>(std::make_integer_sequence<int, kStreamRows>());
    static constexpr auto int8 = streams<8>(std::make_integer_sequence<int, kStreamRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

UnitKernel tile_kernel(int bits, int rows) {
    static constexpr auto int4 = tiles<4>(std::make_integer_sequence<int, kTileRows>());
    static constexpr auto int8 = tiles<8>(std::make_integer_sequence<int, kTileRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

}  // namespace raylm
