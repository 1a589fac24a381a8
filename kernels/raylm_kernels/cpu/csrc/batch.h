// One call's ragged batch: sequences end to end, each new token at its position in the sequence.
#pragma once

#include <cstdint>
#include <vector>

#include "attention.h"

namespace raylm {

// What a caller can get wrong; the Python side words it.
enum class Fault : std::int32_t {
    kNone,
    kSequenceStarts,
    kToken,
    kPosition,
    kPositionBeyondTable,
    kBlock,
    kLogitRow,
};

struct Finding {
    Fault fault = Fault::kNone;
    std::int32_t index = 0;
    std::int32_t found = 0;
    std::int32_t limit = 0;
};

struct Batch {
    std::int32_t tokens_count;
    std::int32_t sequences;
    std::int32_t table_width;
    std::int32_t logits_count;
    const std::int32_t* tokens;
    const std::int32_t* positions;
    const std::int32_t* sequence_starts;
    const std::int32_t* block_tables;
    const std::int32_t* logit_rows;

    const std::int32_t* table(int sequence) const {
        return block_tables + std::size_t(sequence) * table_width;
    }
    Finding check(int vocab_size, int num_blocks, int block_size) const;
    int longest() const;
};

// Query rows of consecutive tokens of one sequence, numbered token-major, that share a KV head.
struct AttentionItem {
    int sequence;
    int first_token;  // in the tile
    int kv_head;
    int first_row;
    int rows;
};

// A run of tokens that goes through all layers together, so that scratch memory is bounded.
struct Tile {
    int first = 0;
    int count = 0;
    std::vector<int> sequence;  // of each token
    std::vector<AttentionItem> items;
    std::vector<int> logit_tokens;   // in the tile
    std::vector<int> logit_outputs;  // row of the caller's logits

    void plan(const Batch& batch, int first, int count, int kv_heads, int group);
};

}  // namespace raylm
