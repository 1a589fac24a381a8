// A linear layer over packed weights, over the C interface.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "api.h"
#include "gemm.h"
#include "parallel.h"

using namespace raylm;

namespace {

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
        if (rows == 0) return;
        const std::lock_guard one_at_a_time(busy_);
        if (rows > capacity_) {
            x_ = Activations(rows, width_);
            capacity_ = rows;
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
RAYLM_API bool raylm_linear_forward(Linear* linear, const float* x, std::int32_t rows, float* y) {
    return completed([&] { linear->forward(x, rows, y); });
}
RAYLM_API std::size_t raylm_linear_weight_bytes(const Linear* linear) { return linear->bytes(); }
RAYLM_API bool raylm_peak_products(std::int32_t bits, double* a_second) {
    return completed([&] { *a_second = peak_products(bits); });
}
RAYLM_API bool raylm_linear_read(Linear* linear, std::int32_t streams, std::uint64_t* checksum) {
    return completed([&] { *checksum = linear->read(streams); });
}
