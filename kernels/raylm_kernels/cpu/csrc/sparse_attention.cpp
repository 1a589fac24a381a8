// Attention of tiles of queries to the spans of keys they see, and its gradients, over the C
// interface. Scores exist for one span of one tile at a time (Dao 2023,
// https://arxiv.org/abs/2307.08691).
#include <atomic>
#include <cfloat>
#include <cmath>

#include "api.h"
#include "buffer.h"
#include "parallel.h"
#include "product_f32.h"
#include "sparse_plan.h"

using namespace raylm;

namespace {

int lanes_of(const QueryTile& tile) { return round_up(tile.count, kLanes); }

// What is subtracted from scores of which this is the largest: none where nothing was seen.
f32x16 finite(f32x16 largest) { return select(largest > splat(-HUGE_VALF), largest, splat(0.0f)); }

// 0 for what is not seen, whatever is subtracted.
f32x16 exponential(f32x16 score, f32x16 shift) {
    const f32x16 zero = splat(0.0f);
    return select(score < splat(-FLT_MAX), zero, exp(score - shift));
}

// What one member works in. Rows of keys have 64 lanes of queries, other rows head_dim.
struct Workspace {
    explicit Workspace(int head_dim)
        : queries(kQueryTile * head_dim),
          transposed(kQueryTile * head_dim),
          sums(kQueryTile * head_dim),
          scores(kKeyTile * kQueryTile),
          largest(kQueryTile),
          totals(kQueryTile) {}

    Buffer<float> queries;     // scaled
    Buffer<float> transposed;  // the same, a row for each dimension
    Buffer<float> sums;        // of values, each times exp(score - largest)
    Buffer<float> scores;
    Buffer<float> largest;
    Buffer<float> totals;  // sums of exp(score - largest)
};

// Rows of a tile's queries, or of what belongs to them, times `scale`.
void load_rows(const SparseShape& shape, const QueryTile& tile, const float* from, float scale,
               float* rows) {
    for (int row = 0; row < tile.count; ++row) {
        const float* x = from + shape.query_at(tile.sequence, tile.first + row, tile.head);
        for (int d = 0; d < shape.head_dim; d += kLanes) {
            store(rows + row * shape.head_dim + d, load(x + d) * scale);
        }
    }
}

// The same, a row for each dimension; sixteen of them stay in the first cache while they fill.
void load_transposed(const SparseShape& shape, const QueryTile& tile, const float* from,
                     float scale, float* transposed) {
    for (int first = 0; first < shape.head_dim;
         first += kLanes, transposed += kLanes * kQueryTile) {
        for (int row = 0; row < tile.count; ++row) {
            const float* x =
                from + shape.query_at(tile.sequence, tile.first + row, tile.head) + first;
            RAYLM_UNROLL
            for (int d = 0; d < kLanes; ++d) transposed[d * kQueryTile + row] = x[d] * scale;
        }
    }
}

class Attention {
public:
    Attention(const SparseShape& shape, const float* q, const float* k, const float* v)
        : shape_(shape), q_(q), k_(k), v_(v) {}

    // Leaves a tile's unnormalised results in `work`.
    void attend(const QueryTile& tile, Workspace& work) const {
        const int width = shape_.head_dim;
        load_transposed(shape_, tile, q_, shape_.scale, work.transposed.data());
        std::fill_n(work.largest.data(), kQueryTile, -HUGE_VALF);
        std::fill_n(work.totals.data(), kQueryTile, 0.0f);
        if (tile.spans.empty()) std::fill_n(work.sums.data(), kQueryTile * width, 0.0f);
        for (const Span& span : tile.spans) {
            const bool is_first = &span == &tile.spans.front();
            put_scores(tile, span, work);
            add_exponentials(tile, span, work, is_first);
            product({work.scores.data(), 1, kQueryTile}, tile.count, rows_of(v_, tile, span),
                    span.count, width, {work.sums.data(), width}, !is_first);
        }
    }

    void load_queries(const QueryTile& tile, Workspace& work) const {
        load_rows(shape_, tile, q_, shape_.scale, work.queries.data());
        load_transposed(shape_, tile, q_, shape_.scale, work.transposed.data());
    }

    // k q^T scale, minus infinity where a query does not see a key.
    void put_scores(const QueryTile& tile, const Span& span, Workspace& work) const {
        const Right keys = rows_of(k_, tile, span);
        product({keys.data, keys.row, 1}, span.count, {work.transposed.data(), kQueryTile},
                shape_.head_dim, lanes_of(tile), {work.scores.data(), kQueryTile}, false);
        const int seen_by_all = last_seen(shape_, tile.first) + 1 - span.first;
        for (int key = std::max(seen_by_all, 0); key < span.count; ++key) {
            float* scores = work.scores.data() + key * kQueryTile;
            const int blind = std::min(key - seen_by_all + 1, tile.count);
            std::fill_n(scores, blind, -HUGE_VALF);
        }
    }

    // Rows of keys or values of the tile's head.
    Right rows_of(const float* from, const QueryTile& tile, const Span& span) const {
        const int head = shape_.kv_head(tile.head);
        return {from + shape_.key_at(tile.sequence, span.first, head),
                long(shape_.kv_heads) * shape_.head_dim};
    }

    const SparseShape& shape() const { return shape_; }
    const float* keys() const { return k_; }
    const float* values() const { return v_; }

private:
    // Scores become exponentials; what was summed before is brought to the same largest score.
    void add_exponentials(const QueryTile& tile, const Span& span, Workspace& work,
                          bool is_first) const {
        float rescale[kQueryTile];
        for (int lane = 0; lane < lanes_of(tile); lane += kLanes) {
            float* scores = work.scores.data() + lane;
            const f32x16 before = load(work.largest.data() + lane);
            f32x16 largest = before;
            for (int key = 0; key < span.count; ++key) {
                largest = max(largest, load(scores + key * kQueryTile));
            }
            const f32x16 shift = finite(largest);
            f32x16 total = splat(0.0f);
            for (int key = 0; key < span.count; ++key) {
                const f32x16 p = exponential(load(scores + key * kQueryTile), shift);
                total = total + p;
                store(scores + key * kQueryTile, p);
            }
            const f32x16 factor = exp(before - shift);
            store(rescale + lane, factor);
            store(work.totals.data() + lane, fmadd(load(work.totals.data() + lane), factor, total));
            store(work.largest.data() + lane, largest);
        }
        for (int row = 0; row < tile.count && !is_first; ++row) {
            if (rescale[row] == 1.0f) continue;
            float* sums = work.sums.data() + row * shape_.head_dim;
            for (int d = 0; d < shape_.head_dim; d += kLanes) {
                store(sums + d, load(sums + d) * rescale[row]);
            }
        }
    }

    const SparseShape& shape_;
    const float* q_;
    const float* k_;
    const float* v_;
};

// Of one sequence and key head: what the tiles of one member add to them.
struct KeyGradients {
    int unit = -1;
    Buffer<float> keys;
    Buffer<float> values;
};

// What attention gave, `logs` the logarithms of the sums of exponentials, and its gradients.
struct Results {
    const float* grad;
    const float* grad_logs;
    const float* out;
    const float* logs;
};

class Gradients {
public:
    Gradients(const Attention& attention, const Results& results)
        : attention_(attention), shape_(attention.shape()), results_(results) {}

    // grad_q of one tile; adds to the gradients of the keys and values that it sees. `other` holds
    // the gradient of the tile's results as `work` holds its queries.
    void add_tile(const QueryTile& tile, Workspace& work, Workspace& other, float* grad_q,
                  KeyGradients& into) const {
        const int width = shape_.head_dim;
        attention_.load_queries(tile, work);
        load_rows(shape_, tile, results_.grad, 1.0f, other.queries.data());
        load_transposed(shape_, tile, results_.grad, 1.0f, other.transposed.data());
        put_delta(tile, work, other);
        std::fill_n(work.sums.data(), kQueryTile * width, 0.0f);
        for (const Span& span : tile.spans) {
            const long first = long(span.first) * width;
            attention_.put_scores(tile, span, work);
            const Right values = attention_.rows_of(attention_.values(), tile, span);
            product({values.data, values.row, 1}, span.count, {other.transposed.data(), kQueryTile},
                    width, lanes_of(tile), {other.scores.data(), kQueryTile}, false);
            to_weights(tile, span, work, other);
            product({work.scores.data(), kQueryTile, 1}, span.count, {other.queries.data(), width},
                    tile.count, width, {into.values.data() + first, width}, true);
            product({other.scores.data(), kQueryTile, 1}, span.count, {work.queries.data(), width},
                    tile.count, width, {into.keys.data() + first, width}, true);
            product({other.scores.data(), 1, kQueryTile}, tile.count,
                    attention_.rows_of(attention_.keys(), tile, span), span.count, width,
                    {work.sums.data(), width}, true);
        }
        for (int row = 0; row < tile.count; ++row) {
            float* to = grad_q + shape_.query_at(tile.sequence, tile.first + row, tile.head);
            for (int d = 0; d < width; d += kLanes) {
                store(to + d, load(work.sums.data() + row * width + d) * shape_.scale);
            }
        }
    }

private:
    // Into `work.largest`: what each row's scores are reduced by. Into `other.totals`: the products
    // of its result and their gradient, less the gradient of the logarithm.
    void put_delta(const QueryTile& tile, Workspace& work, Workspace& other) const {
        std::fill_n(work.largest.data(), kQueryTile, 0.0f);
        std::fill_n(other.totals.data(), kQueryTile, 0.0f);
        for (int row = 0; row < tile.count; ++row) {
            const float* grad = other.queries.data() + long(row) * shape_.head_dim;
            const float* out =
                results_.out + shape_.query_at(tile.sequence, tile.first + row, tile.head);
            f32x16 sum = splat(0.0f);
            for (int d = 0; d < shape_.head_dim; d += kLanes) {
                sum = fmadd(load(grad + d), load(out + d), sum);
            }
            const long at = shape_.row_at(tile.sequence, tile.first + row, tile.head);
            work.largest[row] = results_.logs[at];
            other.totals[row] = reduce_add(sum) - results_.grad_logs[at];
        }
    }

    // `work`'s scores become softmax weights w, the other's products with values become
    // w (product - delta).
    void to_weights(const QueryTile& tile, const Span& span, Workspace& work,
                    Workspace& other) const {
        for (int lane = 0; lane < lanes_of(tile); lane += kLanes) {
            const f32x16 shift = finite(load(work.largest.data() + lane));
            const f32x16 delta = load(other.totals.data() + lane);
            for (int key = 0; key < span.count; ++key) {
                float* scores = work.scores.data() + key * kQueryTile + lane;
                float* products = other.scores.data() + key * kQueryTile + lane;
                const f32x16 w = exponential(load(scores), shift);
                store(scores, w);
                store(products, w * (load(products) - delta));
            }
        }
    }

    const Attention& attention_;
    const SparseShape& shape_;
    const Results results_;
};

void add_rows(const SparseShape& shape, int unit, const Buffer<float>& from, float* to) {
    const int sequence = unit / shape.kv_heads;
    const int head = unit % shape.kv_heads;
    for (int key = 0; key < shape.keys; ++key) {
        const float* row = from.data() + long(key) * shape.head_dim;
        float* out = to + shape.key_at(sequence, key, head);
        for (int d = 0; d < shape.head_dim; d += kLanes)
            store(out + d, load(out + d) + load(row + d));
    }
}

}  // namespace

RAYLM_API bool raylm_sparse_attention(const SparseShape* shape, const float* q, const float* k,
                                      const float* v, const bool* blocks, float* out, float* logs,
                                      std::int32_t threads) {
    return completed([&] {
        const Attention attention(*shape, q, k, v);
        const std::vector<QueryTile> tiles = query_tiles(*shape, blocks);
        std::atomic<std::size_t> next{0};
        run_members(threads, [&](int) {
            Workspace work(shape->head_dim);
            for (std::size_t i; (i = next.fetch_add(1)) < tiles.size();) {
                const QueryTile& tile = tiles[i];
                attention.attend(tile, work);
                for (int row = 0; row < tile.count; ++row) {
                    const float total = work.totals[row];
                    const float* sums = work.sums.data() + row * shape->head_dim;
                    float* to = out + shape->query_at(tile.sequence, tile.first + row, tile.head);
                    const f32x16 scale = splat(total == 0.0f ? 0.0f : 1.0f / total);
                    for (int d = 0; d < shape->head_dim; d += kLanes) {
                        store(to + d, load(sums + d) * scale);
                    }
                    const long at = shape->row_at(tile.sequence, tile.first + row, tile.head);
                    logs[at] = work.largest[row] + std::log(total);
                }
            }
        });
    });
}

// grad_k and grad_v arrive as zeros. A key head's gradients are summed in one order: those of the
// tiles of one member, then of the next.
RAYLM_API bool raylm_sparse_attention_backward(const SparseShape* shape, const float* grad,
                                               const float* grad_logs, const float* out,
                                               const float* logs, const float* q, const float* k,
                                               const float* v, const bool* blocks, float* grad_q,
                                               float* grad_k, float* grad_v,
                                               std::int32_t threads) {
    return completed([&] {
        const Attention attention(*shape, q, k, v);
        const Gradients gradients(attention, {grad, grad_logs, out, logs});
        const std::vector<QueryTile> tiles = query_tiles(*shape, blocks);
        const std::vector<int> bounds = even_parts(tiles, threads);
        const std::size_t size = std::size_t(shape->keys) * shape->head_dim;
        std::vector<std::vector<KeyGradients>> parts(threads);
        run_members(threads, [&](int member) {
            Workspace work(shape->head_dim);
            Workspace other(shape->head_dim);
            auto& mine = parts[member];
            for (int i = bounds[member]; i < bounds[member + 1]; ++i) {
                const QueryTile& tile = tiles[i];
                const int unit = tile.sequence * shape->kv_heads + shape->kv_head(tile.head);
                if (mine.empty() || mine.back().unit != unit) {
                    mine.push_back({unit, Buffer<float>(size), Buffer<float>(size)});
                }
                gradients.add_tile(tile, work, other, grad_q, mine.back());
            }
        });
        for (const auto& part : parts) {
            for (const KeyGradients& one : part) {
                add_rows(*shape, one.unit, one.keys, grad_k);
                add_rows(*shape, one.unit, one.values, grad_v);
            }
        }
    });
}
