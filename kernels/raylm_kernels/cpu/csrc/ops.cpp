// The building blocks one by one, over the C interface: for tests, benchmarks and other callers.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "api.h"
#include "attention.h"
#include "linear.h"
#include "parallel.h"
#include "rope.h"

using namespace raylm;

namespace {

constexpr long kGrain = 32768;  // values; fewer are done sooner than another thread is woken

// y = x W^T with W packed for a team.
class Linear {
public:
    Linear(int rows, int width, int bits, int threads, const QuantizedRows& from)
        : width_(width), threads_(threads), weights_(rows, width, bits, 1, threads) {
        for (int member = 0; member < threads; ++member) {
            arenas_.emplace_back(weights_.share_bytes(member));
            weights_.place(member, arenas_.back());
        }
        run_members(threads, [&](int member) { weights_.pack(member, 0, rows, from); });
    }

    void forward(const float* x, int rows, float* y) {
        const std::lock_guard one_at_a_time(busy_);
        if (rows > capacity_) {
            capacity_ = rows;
            x_ = Activations(rows, width_);
        }
        for_parts(rows, kGrain / width_, threads_, [&](long begin, long end, int) {
            for (long row = begin; row < end; ++row) {
                for (int k = 0; k < width_; k += kGroup) {
                    x_.quantize_group(int(row), k / kGroup, x + row * width_ + k);
                }
            }
        });
        run_members(threads_, [&](int member) {
            multiply(weights_, member, x_, rows,
                     [&](int unit, int first, int count, const float* part) {
                         for (int row = first; row < first + count; ++row, part += kUnitRows) {
                             float* to = y + std::size_t(row) * weights_.rows() + unit * kUnitRows;
                             std::copy_n(part, kUnitRows, to);
                         }
                     });
        });
    }

    std::size_t bytes() const {
        std::size_t total = 0;
        for (int member = 0; member < threads_; ++member) total += weights_.share_bytes(member);
        return total;
    }

    std::uint64_t read(int streams) {
        std::atomic<std::uint64_t> sum{0};
        run_members(threads_, [&](int member) { sum ^= arenas_[member].checksum(streams); });
        return sum;
    }

private:
    const int width_;
    const int threads_;
    std::mutex busy_;
    int capacity_ = 0;
    std::vector<Arena> arenas_;
    PackedMatrix weights_;
    Activations x_;
};

}  // namespace

RAYLM_API Linear* raylm_linear_create(std::int32_t rows, std::int32_t width, std::int32_t bits,
                                      std::int32_t threads, const QuantizedRows* from) {
    return guarded([&] { return new Linear(rows, width, bits, threads, *from); });
}
RAYLM_API void raylm_linear_free(Linear* linear) { delete linear; }
RAYLM_API void raylm_linear_forward(Linear* linear, const float* x, std::int32_t rows, float* y) {
    linear->forward(x, rows, y);
}
RAYLM_API std::size_t raylm_linear_weight_bytes(const Linear* linear) { return linear->bytes(); }
RAYLM_API double raylm_peak_products(std::int32_t bits) { return peak_products(bits); }
RAYLM_API std::uint64_t raylm_linear_read(Linear* linear, std::int32_t streams) {
    return linear->read(streams);
}

RAYLM_API void raylm_quantize(const float* x, std::int32_t rows, std::int32_t width,
                              std::int8_t* codes, float* scales) {
    Activations quantized(rows, width);
    for (int row = 0; row < rows; ++row) {
        for (int k = 0; k < width; k += kGroup) quantized.quantize_group(row, k / kGroup, x + k);
        x += width;
        codes = std::copy_n(quantized.codes(row), width, codes);
        scales = std::copy_n(quantized.scales(row), width / kGroup, scales);
    }
}

RAYLM_API void raylm_rope(float* x, const std::int32_t* positions, const float* inv_freq,
                          float factor, std::int32_t tokens, std::int32_t heads,
                          std::int32_t head_dim) {
    Buffer<float> turns(head_dim);
    for (int token = 0; token < tokens; ++token) {
        rope_turns(positions[token], inv_freq, head_dim / 2, factor, turns.data());
        for (int head = 0; head < heads; ++head, x += head_dim) {
            rope(x, turns.data(), head_dim / 2, 1.0f);
        }
    }
}

// Appends keys and values [length, kv_heads, head_dim] at positions 0.. and attends with queries
// [tokens, heads, head_dim], which are the last `tokens` positions and already scaled.
RAYLM_API void raylm_attention(const float* queries, const float* keys, const float* values,
                               const std::int32_t* block_table, std::int32_t tokens,
                               std::int32_t length, std::int32_t heads, std::int32_t kv_heads,
                               std::int32_t head_dim, std::int32_t num_blocks,
                               std::int32_t block_size, std::int32_t kv_bits, float* out) {
    KvCache cache(1, num_blocks, kv_heads, block_size, head_dim, kv_bits);
    for (int position = 0; position < length; ++position) {
        const int block = block_table[position / block_size];
        for (int head = 0; head < kv_heads; ++head, keys += head_dim, values += head_dim) {
            cache.append_key(0, block, head, position % block_size, keys);
            cache.append_value(0, block, head, position % block_size, values);
        }
    }
    const int group = heads / kv_heads;
    AttentionDesk desk(length, head_dim);
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
            attend(cache, 0, kv_head, block_table, rows, desk);
        }
    }
}
