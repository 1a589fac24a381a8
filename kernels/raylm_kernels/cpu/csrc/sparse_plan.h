// Which queries attend to which keys: tiles of queries, each with the spans of keys it sees.
#pragma once

#include <cstdint>
#include <vector>

namespace raylm {

constexpr int kQueryTile = 64;
constexpr int kKeyTile = 64;

struct SparseShape {
    std::int32_t batch;
    std::int32_t queries;
    std::int32_t keys;
    std::int32_t heads;
    std::int32_t kv_heads;
    std::int32_t head_dim;  // a multiple of 16
    std::int32_t block_size;
    std::int32_t mask_heads;  // 1, or as many as heads
    std::int32_t causal;
    float scale;

    int kv_head(int head) const { return head / (heads / kv_heads); }
    long query_at(int sequence, int query, int head) const {
        return ((long(sequence) * queries + query) * heads + head) * head_dim;
    }
    // Of a number for each query of each head.
    long row_at(int sequence, int query, int head) const {
        return (long(sequence) * heads + head) * queries + query;
    }
    long key_at(int sequence, int key, int head) const {
        return ((long(sequence) * keys + key) * kv_heads + head) * head_dim;
    }
};

// Consecutive keys, at most 64.
struct Span {
    int first;
    int count;
};

// The last key that a query sees.
int last_seen(const SparseShape& shape, int query);

// Consecutive queries of one head that lie in one block.
struct QueryTile {
    int sequence;
    int head;
    int first;
    int count;
    std::vector<Span> spans;
    long cost;  // pairs of a query and a key
};

// Ordered by sequence, then head, then query. `blocks` [mask_heads, query blocks, key blocks].
std::vector<QueryTile> query_tiles(const SparseShape& shape, const bool* blocks);

// Bounds of consecutive tiles that cost about the same, `parts` of them.
std::vector<int> even_parts(const std::vector<QueryTile>& tiles, int parts);

}  // namespace raylm
