// What each member of the team does to one tile of tokens, from embedding to logits.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "decoder.h"
#include "norm.h"
#include "rope.h"

namespace raylm {
namespace {

// A member's part of what can be divided anywhere.
Range part_of(int total, int member, int members) {
    return {int(long(total) * member / members), int(long(total) * (member + 1) / members)};
}

void add_unit(const float* from, float* to) {
    for (int i = 0; i < kUnitRows; i += kLanes) store(to + i, load(to + i) + load(from + i));
}

}  // namespace

Finding Decoder::forward(const Batch& batch, const Logits& logits) {
    const Finding finding = batch.check(shape_.vocab_size, cache_.blocks(), cache_.block_size());
    if (finding.fault != Fault::kNone) return finding;
    const int longest = batch.longest();
    for (Workspace& workspace : workspaces_) {
        if (longest > workspace.attention.stride) {
            workspace.attention = AttentionWorkspace(longest, shape_.padded_head_dim);
        }
        if (!logits.all && !logits.hidden) {
            const int rows = std::min(kTileTokens, batch.logits_count);
            workspace.tops.assign(rows, Top(logits.top));
        }
    }
    for (int first = 0; first < batch.tokens_count; first += kTileTokens) {
        const int count = std::min(kTileTokens, batch.tokens_count - first);
        tile_.plan(batch, first, count, shape_.kv_heads, shape_.heads / shape_.kv_heads);
        run_team(batch, logits);
    }
    return {};
}

void Decoder::run_team(const Batch& batch, const Logits& logits) {
    const int members = staffing_.members();
    const auto begin = std::chrono::steady_clock::now();
    const double waited_before = team_.waited_s();
    team_.run(members, [&](int member) { run_tile(member, batch, logits); });
    if (members == 1) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    staffing_.note(elapsed.count(), team_.waited_s() - waited_before);
}

void Decoder::run_tile(int member, const Batch& batch, const Logits& logits) {
    embed(member, batch);
    team_.barrier(member);
    for (int index = 0; index < shape_.layers; ++index) {
        const Layer& layer = layers_[index];
        const int* all = every_token_.data();
        project_qkv(member, index, batch,
                    normalize(member, tile_.count, all, layer.input_norm.data()));
        team_.barrier(member);
        attend_items(member, index, batch);
        team_.barrier(member);
        project_out(member, layer);
        team_.barrier(member);
        gate_up(member, layer, normalize(member, tile_.count, all, layer.post_norm.data()));
        team_.barrier(member);
        project_down(member, layer);
        team_.barrier(member);
    }
    if (logits.hidden) {
        keep_hidden(member, logits.hidden);
    } else if (!tile_.logit_tokens.empty()) {
        project_head(member, logits);
    }
}

void Decoder::embed(int member, const Batch& batch) {
    const Range own = part_of(tile_.count, member, team_.members());
    for (int token = own.begin; token < own.end; ++token) {
        const int at = tile_.first + token;
        embedding().read_row(batch.tokens[at], hidden(token));
        rope_turns(batch.positions[at], inv_freq_.data(), shape_.head_dim / 2, shape_.rope_factor,
                   turns_.data() + std::size_t(token) * shape_.head_dim);
    }
    if (member == 0) next_item_.store(0, std::memory_order_relaxed);
}

// Quantised rms_norm of the named tokens' hidden rows.
const Activations& Decoder::normalize(int member, int rows, const int* tokens,
                                      const float* weight) {
    const bool copies = team_.size() == 1 || rows <= kRedundantRows;
    Activations& out = copies ? workspaces_[member].normalized : normalized_;
    const Range own = copies ? Range{0, rows} : part_of(rows, member, team_.members());
    for (int row = own.begin; row < own.end; ++row) {
        rms_norm_quantize(hidden(tokens[row]), weight, shape_.hidden_size, shape_.norm_eps, row,
                          out);
    }
    if (!copies) team_.barrier(member);
    return out;
}

void Decoder::project_qkv(int member, int index, const Batch& batch, const Activations& x) {
    const Layer& layer = layers_[index];
    const float* bias = layer.qkv_bias.size() ? layer.qkv_bias.data() : nullptr;
    const auto keep = [&](int unit, int first, int rows, const float* y) {
        for (int row = 0; row < rows; ++row, y += kUnitRows) {
            float* out = qkv(first + row, 0) + unit * kUnitRows;
            std::copy_n(y, kUnitRows, out);
            if (bias) add_unit(bias + unit * kUnitRows, out);
        }
    };
    multiply_shares(member, layer.qkv, x, tile_.count, keep);
    finish_heads(member, index, batch);
}

// The member that computed a head normalises and turns it, and appends keys and values.
void Decoder::finish_heads(int member, int index, const Batch& batch) {
    const Layer& layer = layers_[index];
    const int width = shape_.padded_head_dim;
    const int half = shape_.head_dim / 2;
    const float query_scale = 1.0f / std::sqrt(float(shape_.head_dim));
    const Range own = shares(member);
    const int first_head = layer.qkv.begin(own.begin) * kUnitRows / width;
    const int last_head = layer.qkv.end(own.end - 1) * kUnitRows / width;
    const int keys_end = shape_.heads + shape_.kv_heads;
    for (int token = 0; token < tile_.count; ++token) {
        const float* turns = turns_.data() + std::size_t(token) * shape_.head_dim;
        for (int head = first_head; head < std::min(last_head, keys_end); ++head) {
            const bool is_query = head < shape_.heads;
            const Buffer<float>& norm = is_query ? layer.query_norm : layer.key_norm;
            float* x = qkv(token, head);
            if (norm.size()) {
                rms_norm(x, norm.data(), width, shape_.head_dim, shape_.norm_eps, x);
            }
            rope(x, turns, half, is_query ? query_scale : 1.0f);
        }
        const int position = batch.positions[tile_.first + token];
        const int block = batch.table(tile_.sequence[token])[position / cache_.block_size()];
        const int slot = position % cache_.block_size();
        for (int head = std::max(first_head, shape_.heads); head < last_head; ++head) {
            if (head < keys_end) {
                cache_.append_key(index, block, head - shape_.heads, slot, qkv(token, head));
            } else {
                cache_.append_value(index, block, head - keys_end, slot, qkv(token, head));
            }
        }
    }
}

void Decoder::attend_items(int member, int index, const Batch& batch) {
    const int width = shape_.padded_head_dim;
    const int group = shape_.heads / shape_.kv_heads;
    alignas(64) float outputs[kAttentionRows * kMaxHeadDim];
    for (;;) {
        const std::size_t next = next_item_.fetch_add(1, std::memory_order_relaxed);
        if (next >= tile_.items.size()) return;
        const AttentionItem& item = tile_.items[next];
        int tokens[kAttentionRows];
        int heads[kAttentionRows];
        AttentionRows rows;
        rows.count = item.rows;
        for (int row = 0; row < item.rows; ++row) {
            tokens[row] = item.first_token + (item.first_row + row) / group;
            heads[row] = item.kv_head * group + (item.first_row + row) % group;
            rows.queries[row] = qkv(tokens[row], heads[row]);
            rows.lengths[row] = batch.positions[tile_.first + tokens[row]] + 1;
            rows.outputs[row] = outputs + row * width;
        }
        attend(cache_, index, item.kv_head, batch.table(item.sequence), rows,
               workspaces_[member].attention);
        for (int row = 0; row < item.rows; ++row) {
            for (int i = 0; i < width; i += kGroup) {
                attended_.quantize_group(tokens[row], (heads[row] * width + i) / kGroup,
                                         rows.outputs[row] + i);
            }
        }
    }
}

void Decoder::project_out(int member, const Layer& layer) {
    if (member == 0) next_item_.store(0, std::memory_order_relaxed);
    add_to_hidden(member, layer.out, attended_,
                  layer.out_bias.size() ? layer.out_bias.data() : nullptr);
}

void Decoder::gate_up(int member, const Layer& layer, const Activations& x) {
    float* gated = workspaces_[member].gated.data();
    const auto gate = [&](int unit, int first, int rows, const float* y) {
        const bool starts_group = unit % kGatedUnits == 0;
        for (int row = 0; row < rows; ++row, y += kUnitRows) {
            float* group = gated + std::size_t(first + row) * kGroup;
            const f32x16 value = silu(load(y)) * load(y + kLanes);
            store(group + (starts_group ? 0 : kLanes), value);
            if (starts_group) continue;
            gated_.quantize_group(first + row, unit / kGatedUnits, group);
        }
    };
    multiply_shares(member, layer.gate_up, x, tile_.count, gate);
}

void Decoder::project_down(int member, const Layer& layer) {
    add_to_hidden(member, layer.down, gated_, nullptr);
}

void Decoder::add_to_hidden(int member, const PackedMatrix& weights, const Activations& x,
                            const float* bias) {
    const auto add = [&](int unit, int first, int rows, const float* y) {
        for (int row = 0; row < rows; ++row, y += kUnitRows) {
            float* out = hidden(first + row) + unit * kUnitRows;
            add_unit(y, out);
            if (bias) add_unit(bias + unit * kUnitRows, out);
        }
    };
    multiply_shares(member, weights, x, tile_.count, add);
}

void Decoder::keep_hidden(int member, float* to) {
    const Range own = part_of(int(tile_.logit_tokens.size()), member, team_.members());
    for (int row = own.begin; row < own.end; ++row) {
        rms_norm(hidden(tile_.logit_tokens[row]), final_norm_.data(), shape_.hidden_size,
                 shape_.hidden_size, shape_.norm_eps,
                 to + std::size_t(tile_.logit_outputs[row]) * shape_.hidden_size);
    }
}

void Decoder::project_head(int member, const Logits& logits) {
    const int count = int(tile_.logit_tokens.size());
    std::vector<Top>& tops = workspaces_[member].tops;
    for (int first_row = 0; first_row < count; first_row += kTileTokens) {
        const int part = std::min(kTileTokens, count - first_row);
        const Activations& x =
            normalize(member, part, tile_.logit_tokens.data() + first_row, final_norm_.data());
        if (!logits.all) std::for_each_n(tops.begin(), part, [](Top& top) { top.clear(); });
        multiply_shares(member, head_, x, part, [&](int unit, int first, int rows, const float* y) {
            const int begin = unit * kUnitRows;
            const int width = std::min(kUnitRows, shape_.vocab_size - begin);
            for (int row = first; row < first + rows; ++row, y += kUnitRows) {
                const std::size_t output = tile_.logit_outputs[first_row + row];
                if (logits.all) {
                    std::copy_n(y, width, logits.all + output * shape_.vocab_size + begin);
                } else {
                    tops[row].offer(y, width, begin);
                }
            }
        });
        team_.barrier(member);
        if (logits.all) continue;
        const Range own = part_of(part, member, team_.members());
        for (int row = own.begin; row < own.end; ++row) {
            merge_tops(tile_.logit_outputs[first_row + row], row, logits);
        }
        team_.barrier(member);
    }
}

void Decoder::merge_tops(int output, int row, const Logits& logits) {
    Top& all = workspaces_.front().tops[row];
    for (int i = 1; i < team_.members(); ++i) all.merge(workspaces_[i].tops[row]);
    std::size_t at = std::size_t(output) * logits.top;
    for (const Best& one : all.best()) {
        logits.values[at] = one.value;
        logits.tokens[at++] = one.index;
    }
}

}  // namespace raylm
