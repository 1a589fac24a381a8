#include "decoder.h"

#include <cmath>
#include <numeric>

#include "norm.h"
#include "rope.h"

namespace raylm {
namespace {

constexpr int kGatedUnits = 2;  // a unit yields 16 gated values; two make a quantisation group

// Below this many rows a member normalises all of them itself: cheaper than one more barrier.
constexpr int kRedundantRows = 4;

struct Range {
    int begin;
    int end;
};

Range share(int total, int member, int members) {
    return {int(long(total) * member / members), int(long(total) * (member + 1) / members)};
}

}  // namespace

Decoder::Decoder(const DecoderShape& shape, int threads, int num_blocks, int block_size)
    : shape_(shape),
      qkv_width_((shape.heads + 2 * shape.kv_heads) * shape.padded_head_dim),
      team_(threads),
      cache_(shape.layers, num_blocks, shape.kv_heads, block_size, shape.padded_head_dim),
      every_token_(kTileTokens),
      hidden_(std::size_t(kTileTokens) * shape.hidden_size),
      turns_(std::size_t(kTileTokens) * shape.head_dim),
      qkv_(std::size_t(kTileTokens) * qkv_width_),
      normalized_(kTileTokens, shape.hidden_size),
      attended_(kTileTokens, shape.heads * shape.padded_head_dim),
      gated_(kTileTokens, shape.intermediate_size) {
    std::iota(every_token_.begin(), every_token_.end(), 0);
    place_weights();
    const int own_rows = threads == 1 ? kTileTokens : kRedundantRows;
    for (int member = 0; member < threads; ++member) {
        desks_.push_back({Activations(own_rows, shape.hidden_size), Buffer<float>(std::size_t(kTileTokens) * kGroup), {}});
    }
}

// Each member's rows of every matrix follow one another in the order a token needs them.
void Decoder::place_weights() {
    const int members = team_.size();
    const auto packed = [&](int rows, int width, int bits, int granule) {
        return PackedMatrix(round_up(rows, kUnitRows), width, bits, granule, members);
    };
    const int hidden = shape_.hidden_size;
    const int bits = shape_.weight_bits;
    std::vector<PackedMatrix*> order;
    layers_.resize(shape_.layers);
    for (Layer& layer : layers_) {
        layer.qkv = packed(qkv_width_, hidden, bits, shape_.padded_head_dim / kUnitRows);
        layer.out = packed(hidden, shape_.heads * shape_.padded_head_dim, bits, 1);
        layer.gate_up = packed(2 * shape_.intermediate_size, hidden, bits, kGatedUnits);
        layer.down = packed(hidden, shape_.intermediate_size, bits, 1);
        order.insert(order.end(), {&layer.qkv, &layer.out, &layer.gate_up, &layer.down});
    }
    head_ = packed(shape_.vocab_size, hidden, 8, 1);
    order.push_back(&head_);
    if (!shape_.tied) {
        embedding_ = packed(shape_.vocab_size, hidden, 8, 1);
        order.push_back(&embedding_);
    }
    for (int member = 0; member < members; ++member) {
        std::size_t bytes = 0;
        for (const PackedMatrix* matrix : order) bytes += matrix->share_bytes(member);
        weight_bytes_ += bytes;
        arenas_.emplace_back(bytes);
        for (PackedMatrix* matrix : order) matrix->place(member, arenas_.back());
    }
}

PackedMatrix& Decoder::matrix(MatrixKind kind, int layer) {
    switch (kind) {
        case MatrixKind::kQkv: return layers_[layer].qkv;
        case MatrixKind::kOut: return layers_[layer].out;
        case MatrixKind::kGateUp: return layers_[layer].gate_up;
        case MatrixKind::kDown: return layers_[layer].down;
        case MatrixKind::kHead: return head_;
        default: return embedding_;
    }
}

Buffer<float>& Decoder::vector(VectorKind kind, int layer) {
    switch (kind) {
        case VectorKind::kInputNorm: return layers_[layer].input_norm;
        case VectorKind::kPostNorm: return layers_[layer].post_norm;
        case VectorKind::kQueryNorm: return layers_[layer].query_norm;
        case VectorKind::kKeyNorm: return layers_[layer].key_norm;
        case VectorKind::kQkvBias: return layers_[layer].qkv_bias;
        case VectorKind::kOutBias: return layers_[layer].out_bias;
        case VectorKind::kFinalNorm: return final_norm_;
        default: return inv_freq_;
    }
}

void Decoder::load_rows(MatrixKind kind, int layer, int first_row, int rows,
                        const QuantizedRows& from) {
    PackedMatrix& target = matrix(kind, layer);
    team_.run([&](int member) { target.pack(member, first_row, rows, from); });
}

void Decoder::load_vector(VectorKind kind, int layer, const float* values, int count) {
    Buffer<float>& target = vector(kind, layer);
    target = Buffer<float>(count);
    std::copy_n(values, count, target.data());
}

Finding Decoder::forward(const Batch& batch, float* logits) {
    const Finding finding = batch.check(shape_.vocab_size, cache_.blocks(), cache_.block_size());
    if (finding.fault != Fault::kNone) return finding;
    const int longest = round_up(batch.longest(), kLanes);
    if (longest > scores_stride_) {
        scores_stride_ = longest;
        for (Desk& desk : desks_) desk.scores = Buffer<float>(kAttentionRows * std::size_t(longest));
    }
    for (int first = 0; first < batch.tokens_count; first += kTileTokens) {
        const int count = std::min(kTileTokens, batch.tokens_count - first);
        tile_.plan(batch, first, count, shape_.kv_heads, shape_.heads / shape_.kv_heads);
        team_.run([&](int member) { run_tile(member, batch, logits); });
    }
    return {};
}

std::uint64_t Decoder::read_weights() {
    std::atomic<std::uint64_t> sum{0};
    team_.run([&](int member) { sum ^= arenas_[member].checksum(); });
    return sum;
}

void Decoder::run_tile(int member, const Batch& batch, float* logits) {
    embed(member, batch);
    team_.barrier();
    for (int index = 0; index < shape_.layers; ++index) {
        const Layer& layer = layers_[index];
        const int* all = every_token_.data();
        project_qkv(member, index, batch,
                    normalize(member, tile_.count, all, layer.input_norm.data()));
        team_.barrier();
        attend_items(member, index, batch);
        team_.barrier();
        project_out(member, layer);
        team_.barrier();
        gate_up(member, layer, normalize(member, tile_.count, all, layer.post_norm.data()));
        team_.barrier();
        project_down(member, layer);
        team_.barrier();
    }
    if (!tile_.logit_tokens.empty()) project_head(member, logits);
}

void Decoder::embed(int member, const Batch& batch) {
    const Range own = share(tile_.count, member, team_.size());
    for (int token = own.begin; token < own.end; ++token) {
        const int at = tile_.first + token;
        embedding().read_row(batch.tokens[at], hidden(token));
        rope_turns(batch.positions[at], inv_freq_.data(), shape_.head_dim / 2, shape_.rope_factor,
                   turns_.data() + std::size_t(token) * shape_.head_dim);
    }
    if (member == 0) next_item_.store(0, std::memory_order_relaxed);
}

// Quantised rms_norm of the named tokens' hidden rows.
const Activations& Decoder::normalize(int member, int rows, const int* tokens, const float* weight) {
    const bool alone = team_.size() == 1 || rows <= kRedundantRows;
    Activations& out = alone ? desks_[member].normalized : normalized_;
    const Range own = alone ? Range{0, rows} : share(rows, member, team_.size());
    for (int row = own.begin; row < own.end; ++row) {
        rms_norm_quantize(hidden(tokens[row]), weight, shape_.hidden_size, shape_.norm_eps,
                          row, out);
    }
    if (!alone) team_.barrier();
    return out;
}

void Decoder::project_qkv(int member, int index, const Batch& batch, const Activations& x) {
    const Layer& layer = layers_[index];
    const float* bias = layer.qkv_bias.size() ? layer.qkv_bias.data() : nullptr;
    multiply(layer.qkv, member, x, tile_.count,
             [&](int unit, int first, int rows, const float* y) {
                 for (int row = 0; row < rows; ++row, y += kUnitRows) {
                     float* out = qkv(first + row, 0) + unit * kUnitRows;
                     for (int i = 0; i < kUnitRows; i += kLanes) {
                         const f32x16 sum = load(y + i);
                         store(out + i, bias ? sum + load(bias + unit * kUnitRows + i) : sum);
                     }
                 }
             });
    finish_heads(member, index, batch);
}

// The member that computed a head normalises and turns it, and appends keys and values.
void Decoder::finish_heads(int member, int index, const Batch& batch) {
    const Layer& layer = layers_[index];
    const int width = shape_.padded_head_dim;
    const int half = shape_.head_dim / 2;
    const float query_scale = 1.0f / std::sqrt(float(shape_.head_dim));
    const int first_head = layer.qkv.begin(member) * kUnitRows / width;
    const int last_head = layer.qkv.end(member) * kUnitRows / width;
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
        const int block =
            batch.table(tile_.sequence[token])[position / cache_.block_size()];
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
        const auto token_of = [&](int row) { return item.first_token + (item.first_row + row) / group; };
        const auto head_of = [&](int row) { return item.kv_head * group + (item.first_row + row) % group; };
        AttentionRows rows;
        rows.count = item.rows;
        for (int row = 0; row < item.rows; ++row) {
            rows.queries[row] = qkv(token_of(row), head_of(row));
            rows.lengths[row] = batch.positions[tile_.first + token_of(row)] + 1;
            rows.outputs[row] = outputs + row * width;
        }
        attend(cache_, index, item.kv_head, batch.table(item.sequence), rows,
               desks_[member].scores.data(), scores_stride_);
        for (int row = 0; row < item.rows; ++row) {
            for (int i = 0; i < width; i += kGroup) {
                attended_.quantize_group(token_of(row), (head_of(row) * width + i) / kGroup,
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
    float* gated = desks_[member].gated.data();
    multiply(layer.gate_up, member, x, tile_.count,
             [&](int unit, int first, int rows, const float* y) {
                 const bool upper = unit % kGatedUnits == 0;
                 for (int row = 0; row < rows; ++row, y += kUnitRows) {
                     float* group = gated + std::size_t(first + row) * kGroup;
                     const f32x16 value = silu(load(y)) * load(y + kLanes);
                     store(group + (upper ? 0 : kLanes), value);
                     if (upper) continue;
                     gated_.quantize_group(first + row, unit / kGatedUnits, group);
                 }
             });
}

void Decoder::project_down(int member, const Layer& layer) {
    add_to_hidden(member, layer.down, gated_, nullptr);
}

void Decoder::add_to_hidden(int member, const PackedMatrix& weights, const Activations& x,
                            const float* bias) {
    multiply(weights, member, x, tile_.count,
             [&](int unit, int first, int rows, const float* y) {
                 for (int row = 0; row < rows; ++row, y += kUnitRows) {
                     float* out = hidden(first + row) + unit * kUnitRows;
                     for (int i = 0; i < kUnitRows; i += kLanes) {
                         const f32x16 sum = load(out + i) + load(y + i);
                         store(out + i, bias ? sum + load(bias + unit * kUnitRows + i) : sum);
                     }
                 }
             });
}

void Decoder::project_head(int member, float* logits) {
    const int count = int(tile_.logit_tokens.size());
    for (int first_row = 0; first_row < count; first_row += kTileTokens) {
        const int part = std::min(kTileTokens, count - first_row);
        const Activations& x = normalize(member, part, tile_.logit_tokens.data() + first_row,
                                         final_norm_.data());
        multiply(head_, member, x, part,
                 [&](int unit, int first, int rows, const float* y) {
                     const int begin = unit * kUnitRows;
                     const int width = std::min(kUnitRows, shape_.vocab_size - begin);
                     for (int row = 0; row < rows; ++row, y += kUnitRows) {
                         const int output = tile_.logit_outputs[first_row + first + row];
                         std::copy_n(y, width,
                                     logits + std::size_t(output) * shape_.vocab_size + begin);
                     }
                 });
        team_.barrier();
    }
}

}  // namespace raylm
