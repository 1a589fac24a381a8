// Attention of tiles of queries to the spans of keys they see, and its gradients, over the C
// interface. Scores exist for one span of one tile at a time (Dao 2023,
// https://arxiv.org/abs/2307.08691).
#include <atomic>
#include <cmath>

#include "api.h"
#include "buffer.h"
#include "parallel.h"
#include "product_f32.h"
#include "sparse_plan.h"

using namespace raylm;

namespace {

// Keys or values transposed: [sequence][head][span of 64 keys][head_dim][64].
class Transposed {
public:
    Transposed(const SparseShape& shape, const float* from, int threads)
        : shape_(shape), spans_((shape.keys + kKeyTile - 1) / kKeyTile) {
        const long rows = long(shape.batch) * shape.kv_heads * spans_;
        data_ = Buffer<float>(rows * shape.head_dim * kKeyTile + kKeyTile);  // lanes read beyond
        for_parts(rows, 1, threads, [&](long begin, long end, int) {
            for (long row = begin; row < end; ++row) fill(row, from);
        });
    }

    Right span(int sequence, int head, int first) const {
        const long row = (long(sequence) * shape_.kv_heads + head) * spans_ + first / kKeyTile;
        return {data_.data() + row * shape_.head_dim * kKeyTile + first % kKeyTile, kKeyTile};
    }

private:
    void fill(long row, const float* from) {
        const int span = int(row % spans_);
        const int head = int(row / spans_ % shape_.kv_heads);
        const int sequence = int(row / spans_ / shape_.kv_heads);
        float* to = data_.data() + row * shape_.head_dim * kKeyTile;
        const int end = std::min((span + 1) * kKeyTile, int(shape_.keys));
        for (int key = span * kKeyTile; key < end; ++key, ++to) {
            const float* x = from + shape_.key_at(sequence, key, head);
            for (int d = 0; d < shape_.head_dim; ++d) to[long(d) * kKeyTile] = x[d];
        }
    }

    const SparseShape& shape_;
    int spans_;
    Buffer<float> data_;
};

// What one member works in. Rows of scores are 64 apart, other rows head_dim.
struct Desk {
    explicit Desk(int head_dim)
        : queries(kQueryTile * head_dim),
          sums(kQueryTile * head_dim),
          scores(kQueryTile * kKeyTile),
          largest(kQueryTile),
          totals(kQueryTile) {}

    Buffer<float> queries;  // scaled
    Buffer<float> sums;     // of values, each times exp(score - largest)
    Buffer<float> scores;
    Buffer<float> largest;
    Buffer<float> totals;  // sums of exp(score - largest)
};

class Attention {
public:
    Attention(const SparseShape& shape, const float* q, const float* k, const float* v,
              int threads)
        : shape_(shape), q_(q), k_(k), v_(v), keys_(shape, k, threads) {}

    // Leaves a tile's unnormalised results in the desk.
    void attend(const QueryTile& tile, Desk& desk) const {
        const int width = shape_.head_dim;
        load_queries(tile, desk);
        std::fill_n(desk.largest.data(), kQueryTile, -HUGE_VALF);
        std::fill_n(desk.totals.data(), kQueryTile, 0.0f);
        std::fill_n(desk.sums.data(), kQueryTile * width, 0.0f);
        for (const Span& span : tile.spans) {
            put_scores(tile, span, desk);
            for (int row = 0; row < tile.count; ++row) add_exponentials(tile, span, row, desk);
            product({desk.scores.data(), kKeyTile, 1}, tile.count, rows_of(v_, tile, span.first),
                    span.count, width, {desk.sums.data(), width}, true);
        }
    }

    // Rows of q k^T scale.
    void put_scores(const QueryTile& tile, const Span& span, Desk& desk) const {
        const int head = shape_.kv_head(tile.head);
        product({desk.queries.data(), shape_.head_dim, 1}, tile.count,
                keys_.span(tile.sequence, head, span.first), shape_.head_dim,
                round_up(span.count, kLanes), {desk.scores.data(), kKeyTile}, false);
    }

    // Rows of keys or values of the tile's head, from a key on.
    Right rows_of(const float* from, const QueryTile& tile, int key) const {
        const int head = shape_.kv_head(tile.head);
        return {from + shape_.key_at(tile.sequence, key, head),
                long(shape_.kv_heads) * shape_.head_dim};
    }

    const SparseShape& shape() const { return shape_; }
    const float* keys() const { return k_; }

private:
    void load_queries(const QueryTile& tile, Desk& desk) const {
        for (int row = 0; row < tile.count; ++row) {
            const float* x = q_ + shape_.query_at(tile.sequence, tile.first + row, tile.head);
            float* to = desk.queries.data() + row * shape_.head_dim;
            for (int d = 0; d < shape_.head_dim; d += kLanes) store(to + d, load(x + d) * shape_.scale);
        }
    }

    // Scores become exponentials; what was summed before is brought to the same largest score.
    void add_exponentials(const QueryTile& tile, const Span& span, int row, Desk& desk) const {
        float* scores = desk.scores.data() + row * kKeyTile;
        const int count = seen(shape_, span, tile.first + row);
        const f32x16 nothing = splat(-HUGE_VALF);
        f32x16 most = nothing;
        for (int i = 0; i < count; i += kLanes) {
            most = max(most, first_lanes(count - i, load(scores + i), nothing));
        }
        const float before = desk.largest[row];
        const float largest = std::max(before, reduce_max(most));
        const f32x16 shift = splat(count > 0 ? largest : 0.0f);
        f32x16 total = splat(0.0f);
        for (int i = 0; i < span.count; i += kLanes) {
            const f32x16 p =
                first_lanes(count - i, exp(load(scores + i) - shift), splat(0.0f));
            total = total + p;
            store(scores + i, p);
        }
        if (count == 0) return;
        if (largest != before) {
            const float shrink = std::exp(before - largest);
            float* sums = desk.sums.data() + row * shape_.head_dim;
            for (int d = 0; d < shape_.head_dim; d += kLanes) {
                store(sums + d, load(sums + d) * shrink);
            }
            desk.totals[row] *= shrink;
            desk.largest[row] = largest;
        }
        desk.totals[row] += reduce_add(total);
    }

    const SparseShape& shape_;
    const float* q_;
    const float* k_;
    const float* v_;
    Transposed keys_;
};

// Of one sequence and key head: what the tiles of one member add to them.
struct KeyGradients {
    int unit = -1;
    Buffer<float> keys;
    Buffer<float> values;
};

class Gradients {
public:
    Gradients(const Attention& attention, const float* grad, const float* v, int threads)
        : attention_(attention),
          shape_(attention.shape()),
          grad_(grad),
          values_(shape_, v, threads) {}

    // grad_q of one tile; adds to the gradients of the keys and values that it sees.
    void add_tile(const QueryTile& tile, Desk& desk, Desk& other, float* grad_q,
                  KeyGradients& into) const {
        const int width = shape_.head_dim;
        attention_.attend(tile, desk);
        float inner[kQueryTile];  // of a row's gradient and its result
        for (int row = 0; row < tile.count; ++row) {
            const float* g = grad_ + shape_.query_at(tile.sequence, tile.first + row, tile.head);
            f32x16 sum = splat(0.0f);
            for (int d = 0; d < width; d += kLanes) {
                sum = fmadd(load(g + d), load(desk.sums.data() + row * width + d), sum);
            }
            inner[row] = desk.totals[row] > 0 ? reduce_add(sum) / desk.totals[row] : 0.0f;
        }
        const Left grads = {grad_ + shape_.query_at(tile.sequence, tile.first, tile.head),
                            long(shape_.heads) * width, 1};
        const Right grad_rows = {grads.data, grads.row};
        std::fill_n(desk.sums.data(), kQueryTile * width, 0.0f);
        for (const Span& span : tile.spans) {
            const long first = long(span.first) * width;
            attention_.put_scores(tile, span, desk);
            product(grads, tile.count,
                    values_.span(tile.sequence, shape_.kv_head(tile.head), span.first), width,
                    round_up(span.count, kLanes), {other.scores.data(), kKeyTile}, false);
            for (int row = 0; row < tile.count; ++row) {
                to_weights(tile, span, row, inner[row], desk, other);
            }
            const Left weights = {desk.scores.data(), 1, kKeyTile};
            const Left slopes = {other.scores.data(), 1, kKeyTile};
            product(weights, span.count, grad_rows, tile.count, width,
                    {into.values.data() + first, width}, true);
            product(slopes, span.count, {desk.queries.data(), width}, tile.count, width,
                    {into.keys.data() + first, width}, true);
            product({other.scores.data(), kKeyTile, 1}, tile.count,
                    attention_.rows_of(attention_.keys(), tile, span.first), span.count, width,
                    {desk.sums.data(), width}, true);
        }
        for (int row = 0; row < tile.count; ++row) {
            float* to = grad_q + shape_.query_at(tile.sequence, tile.first + row, tile.head);
            for (int d = 0; d < width; d += kLanes) {
                store(to + d, load(desk.sums.data() + row * width + d) * shape_.scale);
            }
        }
    }

    const SparseShape& shape() const { return shape_; }

private:
    // The desk's scores become softmax weights w, the other's products with values become
    // w (product - inner).
    void to_weights(const QueryTile& tile, const Span& span, int row, float inner, Desk& desk,
                    Desk& other) const {
        float* scores = desk.scores.data() + row * kKeyTile;
        float* products = other.scores.data() + row * kKeyTile;
        const int count = seen(shape_, span, tile.first + row);
        const f32x16 shift = splat(count > 0 ? desk.largest[row] : 0.0f);
        const f32x16 scale = splat(count > 0 ? 1.0f / desk.totals[row] : 0.0f);
        const f32x16 zero = splat(0.0f);
        for (int i = 0; i < span.count; i += kLanes) {
            const f32x16 w = first_lanes(count - i, exp(load(scores + i) - shift) * scale, zero);
            const f32x16 slope = w * (load(products + i) - inner);
            store(scores + i, w);
            store(products + i, first_lanes(count - i, slope, zero));
        }
    }

    const Attention& attention_;
    const SparseShape& shape_;
    const float* grad_;
    Transposed values_;
};

void add_rows(const SparseShape& shape, int unit, const Buffer<float>& from, float* to) {
    const int sequence = unit / shape.kv_heads;
    const int head = unit % shape.kv_heads;
    for (int key = 0; key < shape.keys; ++key) {
        const float* row = from.data() + long(key) * shape.head_dim;
        float* out = to + shape.key_at(sequence, key, head);
        for (int d = 0; d < shape.head_dim; d += kLanes) store(out + d, load(out + d) + load(row + d));
    }
}

}  // namespace

RAYLM_API void raylm_sparse_attention(const SparseShape* shape, const float* q, const float* k,
                                      const float* v, const bool* blocks, float* out,
                                      std::int32_t threads) {
    const Attention attention(*shape, q, k, v, threads);
    const std::vector<QueryTile> tiles = query_tiles(*shape, blocks);
    std::atomic<std::size_t> next{0};
    run_members(threads, [&](int) {
        Desk desk(shape->head_dim);
        for (std::size_t i; (i = next.fetch_add(1)) < tiles.size();) {
            const QueryTile& tile = tiles[i];
            attention.attend(tile, desk);
            for (int row = 0; row < tile.count; ++row) {
                const float total = desk.totals[row];
                const float* sums = desk.sums.data() + row * shape->head_dim;
                float* to = out + shape->query_at(tile.sequence, tile.first + row, tile.head);
                const f32x16 scale = splat(total == 0.0f ? 0.0f : 1.0f / total);
                for (int d = 0; d < shape->head_dim; d += kLanes) {
                    store(to + d, load(sums + d) * scale);
                }
            }
        }
    });
}

// grad_k and grad_v arrive as zeros. A key head's gradients are summed in one order: those of the
// tiles of one member, then of the next.
RAYLM_API void raylm_sparse_attention_backward(const SparseShape* shape, const float* grad,
                                               const float* q, const float* k, const float* v,
                                               const bool* blocks, float* grad_q, float* grad_k,
                                               float* grad_v, std::int32_t threads) {
    const Attention attention(*shape, q, k, v, threads);
    const Gradients gradients(attention, grad, v, threads);
    const std::vector<QueryTile> tiles = query_tiles(*shape, blocks);
    const std::vector<int> bounds = even_parts(tiles, threads);
    const std::size_t size = std::size_t(shape->keys) * shape->head_dim;
    std::vector<std::vector<KeyGradients>> parts(threads);
    run_members(threads, [&](int member) {
        Desk desk(shape->head_dim);
        Desk other(shape->head_dim);
        auto& mine = parts[member];
        for (int i = bounds[member]; i < bounds[member + 1]; ++i) {
            const QueryTile& tile = tiles[i];
            const int unit = tile.sequence * shape->kv_heads + shape->kv_head(tile.head);
            if (mine.empty() || mine.back().unit != unit) {
                mine.push_back({unit, Buffer<float>(size), Buffer<float>(size)});
            }
            gradients.add_tile(tile, desk, other, grad_q, mine.back());
        }
    });
    for (const auto& part : parts) {
        for (const KeyGradients& one : part) {
            add_rows(*shape, one.unit, one.keys, grad_k);
            add_rows(*shape, one.unit, one.values, grad_v);
        }
    }
}
