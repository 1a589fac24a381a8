// y = x . W^T for one member's share of W, handed unit by unit to whoever uses it.
#pragma once

#include <algorithm>

#include "packed.h"

namespace raylm {

// y [rows, 32] of `rows` activation rows with one unit.
using UnitKernel = void (*)(const std::uint8_t* unit, const Activations& x, int row, float* y);

UnitKernel stream_kernel(int bits, int rows);
UnitKernel tile_kernel(int bits, int rows);

// Products of 8 bits that one thread makes in a second, from the first cache.
double peak_products(int bits);

// Calls use(unit, first_row, rows, y) with y [rows, 32] for every unit of the share, in order.
template <class Use>
void multiply(const PackedMatrix& weights, int member, const Activations& x, int rows, Use&& use) {
    alignas(64) float y[kStreamRows * kUnitRows];
    const int streamed = std::min(rows, kStreamRows);
    const UnitKernel stream = stream_kernel(weights.bits(), streamed);
    for (int unit = weights.begin(member); unit < weights.end(member); ++unit) {
        const std::uint8_t* lines = weights.unit(member, unit);
        stream(lines, x, 0, y);
        use(unit, 0, streamed, y);
        for (int row = streamed; row < rows; row += kTileRows) {
            const int count = std::min(rows - row, kTileRows);
            tile_kernel(weights.bits(), count)(lines, x, row, y);
            use(unit, row, count, y);
        }
    }
}

}  // namespace raylm
