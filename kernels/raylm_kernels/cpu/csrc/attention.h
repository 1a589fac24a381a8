// Causal attention of a few query rows that share one key/value head over its paged cache.
#pragma once

#include "kv_cache.h"

namespace raylm {

constexpr int kMaxHeadDim = 512;

struct AttentionRows {
    int count = 0;
    const float* queries[kAttentionRows];  // scaled by 1 / sqrt(head_dim)
    int lengths[kAttentionRows];           // positions each row sees, >= 1
    float* outputs[kAttentionRows];
};

// What one thread works in: rows of `stride` scores, a multiple of 16 that covers every length.
struct AttentionWorkspace {
    AttentionWorkspace() = default;
    AttentionWorkspace(int length, int head_dim)
        : stride(round_up(length, kLanes)),
          scores(std::size_t(kAttentionRows) * stride),
          queries(kAttentionRows, head_dim) {}

    int stride = 0;
    Buffer<float> scores;
    Activations queries;  // for keys in int8
};

void attend(const KvCache& cache, int layer, int head, const std::int32_t* block_table,
            const AttentionRows& rows, AttentionWorkspace& workspace);

}  // namespace raylm
