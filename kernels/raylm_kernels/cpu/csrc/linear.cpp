#include "linear.h"

#include <array>
#include <utility>

namespace raylm {
namespace {

template <int Bits, int... M>
constexpr std::array<UnitKernel, sizeof...(M)> matvecs(std::integer_sequence<int, M...>) {
    return {matvec<Bits, M + 1>...};
}

template <int Bits, int... M>
constexpr std::array<TileKernel, sizeof...(M)> tiles(std::integer_sequence<int, M...>) {
    return {gemm_tile<Bits, M + 1>...};
}

}  // namespace

UnitKernel matvec_kernel(int bits, int rows) {
    static constexpr auto int4 = matvecs<4>(std::make_integer_sequence<int, kMatvecRows>());
    static constexpr auto int8 = matvecs<8>(std::make_integer_sequence<int, kMatvecRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

TileKernel tile_kernel(int bits, int rows) {
    static constexpr auto int4 = tiles<4>(std::make_integer_sequence<int, kTileRows>());
    static constexpr auto int8 = tiles<8>(std::make_integer_sequence<int, kTileRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

void expand_unit(const PackedMatrix& weights, const std::uint8_t* unit, ExpandedUnit& out) {
    (weights.bits() == 4 ? expand<4> : expand<8>)(unit, weights.blocks(), out);
}

}  // namespace raylm
