// Products of small fp32 matrices that lie in cache: C [+]= A B, for the blocks of attention.
#pragma once

#include <array>
#include <utility>

#include "simd.h"

namespace raylm {

// An element (i, j) is at data[i * row + j * column]: swapping the two transposes.
struct Left {
    const float* data;
    long row;
    long column;
};

// Rows of lanes; `row` floats from one to the next.
struct Right {
    const float* data;
    long row;
};

struct Result {
    float* data;
    long row;
};

template <int M, int N>
void add_product(Left a, Right b, int depth, Result c, bool adds) {
    f32x16 sum[M][N];
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int n = 0; n < N; ++n) {
            sum[m][n] = adds ? load(c.data + m * c.row + n * kLanes) : splat(0.0f);
        }
    }
    for (int k = 0; k < depth; ++k) {
        f32x16 right[N];
        RAYLM_UNROLL
        for (int n = 0; n < N; ++n) right[n] = load(b.data + k * b.row + n * kLanes);
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            const f32x16 left = splat(a.data[m * a.row + k * a.column]);
            RAYLM_UNROLL
            for (int n = 0; n < N; ++n) sum[m][n] = fmadd(left, right[n], sum[m][n]);
        }
    }
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int n = 0; n < N; ++n) store(c.data + m * c.row + n * kLanes, sum[m][n]);
    }
}

using AddProduct = void (*)(Left a, Right b, int depth, Result c, bool adds);

template <int N, int... M>
constexpr std::array<AddProduct, sizeof...(M)> by_rows(std::integer_sequence<int, M...>) {
    return {add_product<M + 1, N>...};
}

// C [rows, width] of A [rows, depth] and B [depth, width]; width is a multiple of 16.
inline void product(Left a, int rows, Right b, int depth, int width, Result c, bool adds) {
    using Rows = std::make_integer_sequence<int, kProductRows>;
    static constexpr auto wide = by_rows<kProductLanes>(Rows());
    static constexpr auto narrow = by_rows<1>(Rows());
    for (int column = 0; column < width;) {
        const bool is_wide = width - column >= kProductLanes * kLanes;
        for (int row = 0; row < rows; row += kProductRows) {
            const int count = std::min(kProductRows, rows - row);
            (is_wide ? wide : narrow)[count - 1]({a.data + row * a.row, a.row, a.column},
                                                 {b.data + column, b.row}, depth,
                                                 {c.data + row * c.row + column, c.row}, adds);
        }
        column += is_wide ? kProductLanes * kLanes : kLanes;
    }
}

}  // namespace raylm
