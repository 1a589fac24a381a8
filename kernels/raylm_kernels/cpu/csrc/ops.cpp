// What a decoder does between its matrices, one by one, over the C interface: for tests and ops.
#include <algorithm>

#include "activations.h"
#include "api.h"
#include "attention.h"
#include "rope.h"

using namespace raylm;

RAYLM_API bool raylm_quantize(const float* x, std::int32_t rows, std::int32_t width,
                              std::int8_t* codes, float* scales) {
    return completed([&] {
        Activations quantized(rows, width);
        for (int row = 0; row < rows; ++row) {
            for (int k = 0; k < width; k += kGroup)
                quantized.quantize_group(row, k / kGroup, x + k);
            x += width;
            codes = std::copy_n(quantized.codes(row), width, codes);
            scales = std::copy_n(quantized.scales(row), width / kGroup, scales);
        }
    });
}

RAYLM_API bool raylm_rope(float* x, const std::int32_t* positions, const float* inv_freq,
                          float factor, std::int32_t tokens, std::int32_t heads,
                          std::int32_t head_dim) {
    return completed([&] {
        Buffer<float> turns(head_dim);
        for (int token = 0; token < tokens; ++token) {
            rope_turns(positions[token], inv_freq, head_dim / 2, factor, turns.data());
            for (int head = 0; head < heads; ++head, x += head_dim) {
                rope(x, turns.data(), head_dim / 2, 1.0f);
            }
        }
    });
}

// Appends keys and values [length, kv_heads, head_dim] at positions 0.. and attends with queries
// [tokens, heads, head_dim], which are the last `tokens` positions and already scaled.
RAYLM_API bool raylm_attention(const float* queries, const float* keys, const float* values,
                               const std::int32_t* block_table, std::int32_t tokens,
                               std::int32_t length, std::int32_t heads, std::int32_t kv_heads,
                               std::int32_t head_dim, std::int32_t num_blocks,
                               std::int32_t block_size, std::int32_t kv_bits, float* out) {
    return completed([&] {
        KvCache cache(1, num_blocks, kv_heads, block_size, head_dim, kv_bits);
        for (int position = 0; position < length; ++position) {
            const int block = block_table[position / block_size];
            for (int head = 0; head < kv_heads; ++head, keys += head_dim, values += head_dim) {
                cache.append_key(0, block, head, position % block_size, keys);
                cache.append_value(0, block, head, position % block_size, values);
            }
        }
        const int group = heads / kv_heads;
        AttentionWorkspace workspace(length, head_dim);
        for (int kv_head = 0; kv_head < kv_heads; ++kv_head) {
            for (int first = 0; first < tokens * group; first += kAttentionRows) {
                AttentionRows rows;
                rows.count = std::min(kAttentionRows, tokens * group - first);
                for (int row = 0; row < rows.count; ++row) {
                    const int token = (first + row) / group;
                    const int head = kv_head * group + (first + row) % group;
                    const std::size_t at = (std::size_t(token) * heads + head) * head_dim;
                    rows.queries[row] = queries + at;
                    rows.lengths[row] = length - tokens + token + 1;
                    rows.outputs[row] = out + at;
                }
                attend(cache, 0, kv_head, block_table, rows, workspace);
            }
        }
    });
}
