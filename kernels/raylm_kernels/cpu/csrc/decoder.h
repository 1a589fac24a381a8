// A whole Llama-family decoder over packed weights and a paged cache, one call per batch.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "batch.h"
#include "gemm.h"
#include "staffing.h"
#include "team.h"
#include "top.h"

namespace raylm {

struct DecoderShape {
    std::int32_t vocab_size;
    std::int32_t hidden_size;
    std::int32_t intermediate_size;  // padded to a multiple of 32
    std::int32_t layers;
    std::int32_t heads;
    std::int32_t kv_heads;
    std::int32_t head_dim;
    std::int32_t padded_head_dim;  // a multiple of 32; weights arrive padded with zeros
    std::int32_t weight_bits;      // of the layers; an embedding that is not the head is int8
    std::int32_t head_bits;
    std::int32_t tied;
    float norm_eps;
    float rope_factor;
};

enum class MatrixKind : std::int32_t { kQkv, kOut, kGateUp, kDown, kHead, kEmbedding };
enum class VectorKind : std::int32_t {
    kInputNorm,
    kPostNorm,
    kQueryNorm,
    kKeyNorm,
    kQkvBias,
    kOutBias,
    kFinalNorm,
    kInvFreq,
};

struct Range {
    int begin;
    int end;
};

// Where a batch's logits go: all of a row, or its `top` largest and their tokens; or, in their
// place, what the head would read.
struct Logits {
    float* all;  // [logit rows, vocabulary]; null for the largest
    std::int32_t top;
    float* values;  // [logit rows, top]
    std::int32_t* tokens;
    float* hidden;  // [logit rows, hidden size]; null for logits
};

// Where a member keeps its rows of a matrix.
struct Share {
    std::uint8_t* data;
    std::int64_t bytes;
};

class Decoder {
public:
    Decoder(const DecoderShape& shape, int threads, int num_blocks, int block_size, int kv_bits);

    void load_rows(MatrixKind kind, int layer, int first_row, int rows, const QuantizedRows& from);
    void load_vector(VectorKind kind, int layer, const float* values, int count);
    Finding forward(const Batch& batch, const Logits& logits);

    // Of the `index`-th matrix a token needs: the members' shares, one after the other, are its
    // rows.
    Share packed_share(int index, int member);

    // Streams all weights once and does nothing else: the probe for a benchmark's bandwidth bound.
    std::uint64_t read_weights(int streams);

    std::size_t weight_bytes() const { return weight_bytes_; }

private:
    static constexpr int kTileTokens = 256;

    // A unit yields 16 gated values; two make a quantisation group and stay with one member.
    static constexpr int kGatedUnits = 2;

    // Up to this many rows a member normalises all of them itself: cheaper than one more barrier.
    static constexpr int kRedundantRows = 4;

    struct Layer {
        PackedMatrix qkv;
        PackedMatrix out;
        PackedMatrix gate_up;
        PackedMatrix down;
        Buffer<float> input_norm;
        Buffer<float> post_norm;
        Buffer<float> query_norm;  // empty without QK-norm
        Buffer<float> key_norm;
        Buffer<float> qkv_bias;  // empty without biases
        Buffer<float> out_bias;
    };

    // What one member of the team works in.
    struct Workspace {
        Activations normalized;
        Buffer<float> gated;
        AttentionWorkspace attention;
        std::vector<Top> tops;  // of the logits of its part of the vocabulary
    };

    void place_weights();
    void run_team(const Batch& batch, const Logits& logits);
    void run_tile(int member, const Batch& batch, const Logits& logits);
    void embed(int member, const Batch& batch);
    const Activations& normalize(int member, int rows, const int* tokens, const float* weight);
    void project_qkv(int member, int index, const Batch& batch, const Activations& x);
    void finish_heads(int member, int index, const Batch& batch);
    void attend_items(int member, int index, const Batch& batch);
    void project_out(int member, const Layer& layer);
    void gate_up(int member, const Layer& layer, const Activations& x);
    void project_down(int member, const Layer& layer);
    void keep_hidden(int member, float* to);
    void project_head(int member, const Logits& logits);
    void merge_tops(int output, int row, const Logits& logits);

    // The member's shares of the weights: its own, or everyone's where it works alone.
    Range shares(int member) const {
        return team_.members() == 1 ? Range{0, team_.size()} : Range{member, member + 1};
    }
    template <class Use>
    void multiply_shares(int member, const PackedMatrix& weights, const Activations& x, int rows,
                         Use&& use) {
        const Range own = shares(member);
        for (int share = own.begin; share < own.end; ++share) {
            multiply(weights, share, x, rows, use);
        }
    }
    void add_to_hidden(int member, const PackedMatrix& weights, const Activations& x,
                       const float* bias);

    PackedMatrix& matrix(MatrixKind kind, int layer);
    Buffer<float>& vector(VectorKind kind, int layer);
    const PackedMatrix& embedding() const { return shape_.tied ? head_ : embedding_; }
    float* hidden(int token) { return hidden_.data() + std::size_t(token) * shape_.hidden_size; }
    float* qkv(int token, int head) {
        return qkv_.data() + std::size_t(token) * qkv_width_ + head * shape_.padded_head_dim;
    }

    const DecoderShape shape_;
    const int qkv_width_;
    Team team_;
    Staffing staffing_;
    std::vector<Arena> arenas_;
    std::size_t weight_bytes_ = 0;
    std::vector<Layer> layers_;
    PackedMatrix embedding_;
    PackedMatrix head_;
    std::vector<PackedMatrix*> order_;  // in which a token needs them
    Buffer<float> final_norm_;
    Buffer<float> inv_freq_;
    KvCache cache_;

    Tile tile_;
    std::vector<int> every_token_;
    std::vector<Workspace> workspaces_;
    Buffer<float> hidden_;
    Buffer<float> turns_;
    Buffer<float> qkv_;
    Activations normalized_;
    Activations attended_;
    Activations gated_;
    std::atomic<std::size_t> next_item_{0};
};

}  // namespace raylm
