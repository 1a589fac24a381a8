#include "batch.h"

#include <algorithm>

namespace raylm {

Finding Batch::check(int vocab_size, int num_blocks, int block_size) const {
    const auto* starts = sequence_starts;
    for (int s = 0; s <= sequences; ++s) {
        const int low = s == 0 ? 0 : starts[s - 1] + 1;
        const int high = s == 0 ? 0 : s == sequences ? tokens_count : tokens_count - 1;
        const bool wrong_end = s == sequences && starts[s] != tokens_count;
        if (starts[s] < low || starts[s] > high || wrong_end) {
            return {Fault::kSequenceStarts, s, starts[s], tokens_count};
        }
    }
    for (int i = 0; i < tokens_count; ++i) {
        if (tokens[i] < 0 || tokens[i] >= vocab_size) {
            return {Fault::kToken, i, tokens[i], vocab_size};
        }
    }
    for (int s = 0; s < sequences; ++s) {
        for (int i = starts[s]; i < starts[s + 1]; ++i) {
            const int before = i == starts[s] ? std::max(positions[i], 0) - 1 : positions[i - 1];
            if (positions[i] < 0 || positions[i] - 1 != before) {
                return {Fault::kPosition, i, positions[i], before + 1};
            }
        }
        const int last = positions[starts[s + 1] - 1];
        if (last / block_size >= table_width) {
            return {Fault::kPositionBeyondTable, s, last, table_width * block_size};
        }
        for (int b = 0; b <= last / block_size; ++b) {
            const int block = table(s)[b];
            if (block < 0 || block >= num_blocks) {
                return {Fault::kBlock, s * table_width + b, block, num_blocks};
            }
        }
    }
    for (int r = 0; r < logits_count; ++r) {
        if (logit_rows[r] < 0 || logit_rows[r] >= tokens_count) {
            return {Fault::kLogitRow, r, logit_rows[r], tokens_count};
        }
    }
    return {};
}

int Batch::longest() const { return *std::max_element(positions, positions + tokens_count) + 1; }

void Tile::plan(const Batch& batch, int first_token, int tokens, int kv_heads, int group) {
    first = first_token;
    count = tokens;
    sequence.clear();
    items.clear();
    logit_tokens.clear();
    logit_outputs.clear();
    const auto* starts = batch.sequence_starts;
    int s = int(std::upper_bound(starts, starts + batch.sequences + 1, first) - starts) - 1;
    for (int token = 0; token < count;) {
        const int stop = std::min(starts[s + 1] - first, count);
        const int rows = (stop - token) * group;
        const int parts = (rows + kAttentionRows - 1) / kAttentionRows;
        for (int head = 0; head < kv_heads; ++head) {
            for (int part = 0; part < parts; ++part) {
                const int row = rows * part / parts;
                items.push_back({s, token, head, row, rows * (part + 1) / parts - row});
            }
        }
        sequence.insert(sequence.end(), stop - token, s++);
        token = stop;
    }
    for (int r = 0; r < batch.logits_count; ++r) {
        const int token = batch.logit_rows[r] - first;
        if (token < 0 || token >= count) continue;
        logit_tokens.push_back(token);
        logit_outputs.push_back(r);
    }
}

}  // namespace raylm
