#include "decoder.h"

#include <numeric>

namespace raylm {
Decoder::Decoder(const DecoderShape& shape, int threads, int num_blocks, int block_size,
                 int kv_bits)
    : shape_(shape),
      qkv_width_((shape.heads + 2 * shape.kv_heads) * shape.padded_head_dim),
      team_(threads),
      staffing_(threads),
      cache_(shape.layers, num_blocks, shape.kv_heads, block_size, shape.padded_head_dim, kv_bits),
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
        workspaces_.push_back({Activations(own_rows, shape.hidden_size),
                               Buffer<float>(std::size_t(kTileTokens) * kGroup),
                               {}});
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
    layers_.resize(shape_.layers);
    for (Layer& layer : layers_) {
        layer.qkv = packed(qkv_width_, hidden, bits, shape_.padded_head_dim / kUnitRows);
        layer.out = packed(hidden, shape_.heads * shape_.padded_head_dim, bits, 1);
        layer.gate_up = packed(2 * shape_.intermediate_size, hidden, bits, kGatedUnits);
        layer.down = packed(hidden, shape_.intermediate_size, bits, 1);
        order_.insert(order_.end(), {&layer.qkv, &layer.out, &layer.gate_up, &layer.down});
    }
    head_ = packed(shape_.vocab_size, hidden, shape_.head_bits, 1);
    order_.push_back(&head_);
    if (!shape_.tied) {
        embedding_ = packed(shape_.vocab_size, hidden, 8, 1);
        order_.push_back(&embedding_);
    }
    for (int member = 0; member < members; ++member) {
        std::size_t bytes = 0;
        for (const PackedMatrix* matrix : order_) bytes += matrix->share_bytes(member);
        weight_bytes_ += bytes;
        arenas_.emplace_back(bytes);
        for (PackedMatrix* matrix : order_) matrix->place(member, arenas_.back());
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

Share Decoder::packed_share(int index, int member) {
    PackedMatrix& matrix = *order_[index];
    return {matrix.share(member), std::int64_t(matrix.share_bytes(member))};
}

std::uint64_t Decoder::read_weights(int streams) {
    std::atomic<std::uint64_t> sum{0};
    team_.run([&](int member) { sum ^= arenas_[member].checksum(streams); });
    return sum;
}

}  // namespace raylm
