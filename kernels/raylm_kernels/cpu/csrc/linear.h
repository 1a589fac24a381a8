// y = x . W for one member's share of W, handed unit by unit to whoever uses it.
#pragma once

#include "gemm.h"
#include "matvec.h"

namespace raylm {

using UnitKernel = void (*)(const std::uint8_t* unit, const Activations& x, int row, float* y);
using TileKernel = void (*)(const ExpandedUnit& unit, const Activations& x, int row, float* y);

UnitKernel matvec_kernel(int bits, int rows);
TileKernel tile_kernel(int bits, int rows);
void expand_unit(const PackedMatrix& weights, const std::uint8_t* unit, ExpandedUnit& out);

// Calls use(unit, first_row, rows, y) with y [rows, 32] for every unit of the share, in order.
template <class Use>
void multiply(const PackedMatrix& weights, int member, const Activations& x, int rows,
              ExpandedUnit& expanded, Use&& use) {
    alignas(64) float y[kMatvecRows * kUnitRows];
    if (rows <= kMatvecRows) {
        const UnitKernel kernel = matvec_kernel(weights.bits(), rows);
        for (int unit = weights.begin(member); unit < weights.end(member); ++unit) {
            kernel(weights.unit(member, unit), x, 0, y);
            use(unit, 0, rows, y);
        }
        return;
    }
    for (int unit = weights.begin(member); unit < weights.end(member); ++unit) {
        expand_unit(weights, weights.unit(member, unit), expanded);
        for (int row = 0; row < rows; row += kTileRows) {
            const int count = std::min(kTileRows, rows - row);
            tile_kernel(weights.bits(), count)(expanded, x, row, y);
            use(unit, row, count, y);
        }
    }
}

}  // namespace raylm
