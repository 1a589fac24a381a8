#include "attention.h"

#include <algorithm>
#include <array>
#include <utility>

#include "product.h"

namespace raylm {
namespace {

// Tiles are too short for the hardware prefetcher to follow. Fetching three ahead took a layer of
// SmolLM2-135M at 256 positions from 10.3 to 8.4 us, one ahead was no gain, six worse.
int fetch_ahead(int position, int length) {
    return std::min(position + 3 * kLanes, (length - 1) / kLanes * kLanes);
}

// One head's pages of a layer. A subclass reads what it holds.
class Pages {
public:
    Pages(const KvCache& cache, int layer, int head, const std::int32_t* table)
        : cache_(cache), layer_(layer), head_(head), table_(table) {}

    int head_dim() const { return cache_.head_dim(); }

protected:
    const std::uint8_t* keys(int position) const {
        return cache_.key_tile(layer_, block(position), head_, position % cache_.block_size());
    }
    const std::uint8_t* values(int position) const {
        return cache_.value_row(layer_, block(position), head_, position % cache_.block_size());
    }

    const KvCache& cache_;

private:
    int block(int position) const { return table_[position / cache_.block_size()]; }

    int layer_;
    int head_;
    const std::int32_t* table_;
};

class Bf16Pages : public Pages {
public:
    Bf16Pages(const KvCache& cache, int layer, int head, const std::int32_t* table,
              const AttentionRows& rows)
        : Pages(cache, layer, head, table), rows_(rows) {}

    // Sixteen keys against R queries; even and odd dimensions sum apart to shorten the chains.
    template <int R>
    void score(int position, int fetched, float* scores, int stride) const {
        const std::uint8_t* tile = keys(position);
        const std::uint8_t* next = keys(fetched);
        f32x16 even[R];
        f32x16 odd[R];
        RAYLM_UNROLL
        for (int r = 0; r < R; ++r) even[r] = odd[r] = splat(0.0f);
        for (int d = 0; d < head_dim(); d += 2) {
            prefetch(next + d * kLanes * 2);
            const u32x16 pairs = load_as<u32x16>(tile + d * kLanes * 2);
            const f32x16 first = low_bf16(pairs);
            const f32x16 second = high_bf16(pairs);
            RAYLM_UNROLL
            for (int r = 0; r < R; ++r) {
                even[r] = fmadd(first, splat(rows_.queries[r][d]), even[r]);
                odd[r] = fmadd(second, splat(rows_.queries[r][d + 1]), odd[r]);
            }
        }
        RAYLM_UNROLL
        for (int r = 0; r < R; ++r) store(scores + r * stride, even[r] + odd[r]);
    }

    // Value rows from a position on, and those that will be wanted later.
    struct Values {
        const std::uint8_t* row;
        const std::uint8_t* next;
        std::size_t step;

        template <int Lanes>
        void load(int first_dim, f32x16 (&out)[Lanes]) const {
            RAYLM_UNROLL
            for (int c = 0; c < Lanes / 2; ++c) {
                prefetch(next + (first_dim + c * 32) * 2);
                const u32x16 pairs = load_as<u32x16>(row + (first_dim + c * 32) * 2);
                out[2 * c] = low_bf16(pairs);
                out[2 * c + 1] = high_bf16(pairs);
            }
        }
    };
    Values values_from(int position, int fetched) const {
        return {values(position), values(fetched), cache_.row_bytes()};
    }

private:
    const AttentionRows& rows_;
};

class Int8Pages : public Pages {
public:
    Int8Pages(const KvCache& cache, int layer, int head, const std::int32_t* table,
              const AttentionRows& rows, Activations& queries)
        : Pages(cache, layer, head, table), queries_(queries) {
        for (int r = 0; r < rows.count; ++r) {
            for (int d = 0; d < head_dim(); d += kGroup) {
                queries.quantize_group(r, d / kGroup, rows.queries[r] + d);
            }
        }
    }

    template <int R>
    void score(int position, int fetched, float* scores, int stride) const {
        prefetch(keys(fetched));
        alignas(64) float y[R * kUnitRows];
        multiply_blocks<8, R, 1>(keys(position), 0, queries_, 0, y);
        RAYLM_UNROLL
        for (int r = 0; r < R; ++r) store(scores + r * stride, raylm::load(y + r * kUnitRows));
    }

    struct Values {
        const std::uint8_t* row;
        const std::uint8_t* next;
        std::size_t step;
        int scales_at;

        template <int Lanes>
        void load(int first_dim, f32x16 (&out)[Lanes]) const {
            const int line = first_dim / 64 * 64;
            prefetch(next + line);
            const i32x16 quads = load_as<i32x16>(row + line);
            RAYLM_UNROLL
            for (int c = 0; c < Lanes; ++c) {
                const int dim = first_dim + c * kLanes;
                const auto half = load_as<std::uint16_t>(row + scales_at + dim / kGroup * 2);
                out[c] = int8_lanes(quads, dim % 64 / kLanes) * splat(from_half(half));
            }
        }
    };
    Values values_from(int position, int fetched) const {
        return {values(position), values(fetched), cache_.row_bytes(), cache_.scales_at()};
    }

private:
    const Activations& queries_;
};

// Turns one row of scores into exp(score - max), zero from `length` on; returns 1 / sum.
float softmax(float* scores, int length, int padded) {
    const int whole = length / kLanes * kLanes;
    f32x16 most = splat(-3.0e38f);
    for (int i = 0; i < whole; i += kLanes) most = max(most, load(scores + i));
    if (whole < length) {
        const f32x16 tail = load(scores + whole);
        most = max(most, first_lanes(length - whole, tail, most));
    }
    const f32x16 largest = splat(reduce_max(most));
    f32x16 sum = splat(0.0f);
    for (int i = 0; i < padded; i += kLanes) {
        const f32x16 p = exp(load(scores + i) - largest);
        const f32x16 seen = first_lanes(length - i, p, splat(0.0f));
        sum = sum + seen;
        store(scores + i, seen);
    }
    return 1.0f / reduce_add(sum);
}

// Sums of `Lanes` lanes of value rows, each times its weight, for R rows of weights.
template <int R, int Lanes, class Pages>
void mix_values(const Pages& pages, int first_dim, int length, const AttentionRows& rows,
                const float* weights, int stride, const float* normalizers) {
    f32x16 sum[R][Lanes];
    RAYLM_UNROLL
    for (int r = 0; r < R; ++r) {
        RAYLM_UNROLL
        for (int c = 0; c < Lanes; ++c) sum[r][c] = splat(0.0f);
    }
    for (int first = 0; first < length; first += kLanes) {
        auto values = pages.values_from(first, fetch_ahead(first, length));
        const int end = std::min(first + kLanes, length);
        for (int key = first; key < end; ++key) {
            f32x16 row[Lanes];
            values.load(first_dim, row);
            values.row += values.step;
            values.next += values.step;
            RAYLM_UNROLL
            for (int r = 0; r < R; ++r) {
                const f32x16 weight = splat(weights[r * stride + key]);
                RAYLM_UNROLL
                for (int c = 0; c < Lanes; ++c) sum[r][c] = fmadd(row[c], weight, sum[r][c]);
            }
        }
    }
    RAYLM_UNROLL
    for (int r = 0; r < R; ++r) {
        RAYLM_UNROLL
        for (int c = 0; c < Lanes; ++c) {
            store(rows.outputs[r] + first_dim + c * kLanes, sum[r][c] * splat(normalizers[r]));
        }
    }
}

template <int R, class Pages>
void attend_rows(const Pages& pages, const AttentionRows& rows, float* scores, int stride) {
    const int length = *std::max_element(rows.lengths, rows.lengths + R);
    for (int position = 0; position < length; position += kLanes) {
        const int fetched = fetch_ahead(position, length);
        pages.template score<R>(position, fetched, scores + position, stride);
    }
    const int padded = (length + kLanes - 1) / kLanes * kLanes;
    float normalizers[R];
    for (int r = 0; r < R; ++r) {
        normalizers[r] = softmax(scores + r * stride, rows.lengths[r], padded);
    }
    constexpr int kDims = kValueLanes * kLanes;
    int dim = 0;
    for (; dim + kDims <= pages.head_dim(); dim += kDims) {
        mix_values<R, kValueLanes>(pages, dim, length, rows, scores, stride, normalizers);
    }
    if (dim < pages.head_dim()) {
        mix_values<R, 2>(pages, dim, length, rows, scores, stride, normalizers);
    }
}

template <class Pages>
using Attend = void (*)(const Pages& pages, const AttentionRows& rows, float* scores, int stride);

template <class Pages, int... R>
constexpr std::array<Attend<Pages>, sizeof...(R)> attenders(std::integer_sequence<int, R...>) {
    return {attend_rows<R + 1, Pages>...};
}

template <class Pages>
void attend_pages(const Pages& pages, const AttentionRows& rows, float* scores, int stride) {
    static constexpr auto kByCount =
        attenders<Pages>(std::make_integer_sequence<int, kAttentionRows>());
    kByCount[rows.count - 1](pages, rows, scores, stride);
}

}  // namespace

void attend(const KvCache& cache, int layer, int head, const std::int32_t* block_table,
            const AttentionRows& rows, AttentionWorkspace& workspace) {
    float* scores = workspace.scores.data();
    if (cache.bits() == 16) {
        const Bf16Pages pages(cache, layer, head, block_table, rows);
        attend_pages(pages, rows, scores, workspace.stride);
    } else {
        const Int8Pages pages(cache, layer, head, block_table, rows, workspace.queries);
        attend_pages(pages, rows, scores, workspace.stride);
    }
}

}  // namespace raylm
