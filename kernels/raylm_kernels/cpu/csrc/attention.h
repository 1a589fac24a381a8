// Causal attention of a few query rows that share one key/value head over its paged cache.
#pragma once

#include "kv_cache.h"

namespace raylm {

constexpr int kAttentionRows = 6;  // 6 rows x 4 accumulators and 4 halves of a value row: 28 of 32

constexpr int kMaxHeadDim = 512;

struct AttentionRows {
    int count = 0;
    const float* queries[kAttentionRows];  // scaled by 1 / sqrt(head_dim)
    int lengths[kAttentionRows];           // positions each row sees, >= 1
    float* outputs[kAttentionRows];
};

// `scores` holds count rows of `stride` floats, stride a multiple of 16 covering every length.
void attend(const KvCache& cache, int layer, int head, const std::int32_t* block_table,
            const AttentionRows& rows, float* scores, int stride);

}  // namespace raylm
