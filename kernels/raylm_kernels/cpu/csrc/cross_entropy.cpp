// Cross-entropy over rows of logits, and its gradient, over the C interface.
#include <cmath>
#include <vector>

#include "api.h"
#include "buffer.h"
#include "output.h"
#include "parallel.h"

using namespace raylm;

namespace {

constexpr std::int64_t kIgnored = -100;

// The softmax of one row after another of `width` logits. One pass over a row suffices: its next
// part is fetched while the exponentials of one are summed; these are kept, for they cost more than
// memory does, with the shift that was known so far.
class Softmax {
public:
    Softmax(long width, bool keeps)
        : width_(width), powers_(keeps ? width : 0), shifts_((width + kPart - 1) / kPart) {}

    // Returns the logarithm of the sum of exponentials.
    float read(const float* x) {
        float shift = -HUGE_VALF;
        total_ = 0.0f;
        for (long first = 0; first < width_; first += kPart) {
            const long count = std::min(kPart, width_ - first);
            const float before = shift;
            shift = std::max(shift, largest(x + first, count));
            total_ *= before == shift ? 1.0f : std::exp(before - shift);
            total_ += sum(x + first, count, shift, first);
            shifts_[first / kPart] = shift;
        }
        return shift + std::log(total_);
    }

    // Of the row that was read: each(at, probabilities * weight, lanes).
    template <class Each>
    void for_probabilities(float weight, Each&& each) const {
        for (long first = 0; first < width_; first += kPart) {
            const float behind = shifts_[first / kPart] - shifts_.back();
            const f32x16 scale = splat(std::exp(behind) / total_ * weight);
            for_lanes(std::min(kPart, width_ - first), [&](long at, auto lanes) {
                each(first + at, load(powers_.data() + first + at, lanes) * scale, lanes);
            });
        }
    }

private:
    static constexpr long kPart = 2048;  // 8 KB: two lie in the first cache

    static float largest(const float* x, long count) {
        f32x16 most = splat(-HUGE_VALF);
        for_lanes(count, [&](long at, auto lanes) {
            const f32x16 value = load(x + at, lanes);
            most = max(most, lanes == kLanes ? value : first_lanes(lanes, value, most));
        });
        return reduce_max(most);
    }

    float sum(const float* x, long count, float shift, long first) {
        const f32x16 least = splat(shift == -HUGE_VALF ? 0.0f : shift);  // so far nothing counts
        float* const kept = powers_.size() ? powers_.data() + first : nullptr;
        f32x16 total = splat(0.0f);
        for_lanes(count, [&](long at, auto lanes) {
            prefetch(x + at + kPart);
            const f32x16 p = exp(load(x + at, lanes) - least);
            if (kept) store(kept + at, p, lanes);
            total = total + (lanes == kLanes ? p : first_lanes(lanes, p, splat(0.0f)));
        });
        return reduce_add(total);
    }

    long width_;
    float total_ = 0.0f;
    Buffer<float> powers_;
    std::vector<float> shifts_;
};

// The first row whose target is no place in it, or -1.
long wrong_target(const std::int64_t* targets, long rows, long width) {
    for (long row = 0; row < rows; ++row) {
        const bool is_place = targets[row] >= 0 && targets[row] < width;
        if (!is_place && targets[row] != kIgnored) return row;
    }
    return -1;
}

// (softmax - one_hot(target)) * weight of the row that `softmax` has read, to `first` on.
void put_gradient(const Softmax& softmax, std::int64_t target, float weight, const Output& out,
                  long first) {
    softmax.for_probabilities(weight, [&](long at, f32x16 p, auto lanes) {
        if (target >= at && target < at + kLanes) {
            float values[kLanes];
            store(values, p);
            values[target - at] -= weight;
            p = load(values);
        }
        out.put(first + at, p, lanes);
    });
}

void put_zeros(const Output& out, long first, long count) {
    for_lanes(count, [&](long at, auto lanes) { out.put(first + at, splat(0.0f), lanes); });
}

}  // namespace

// Both put into `wrong` the first row whose target is no place in it, having done nothing, else -1.

RAYLM_API bool raylm_cross_entropy(const float* logits, const std::int64_t* targets,
                                   std::int64_t rows, std::int64_t width, float* losses,
                                   std::int64_t* wrong, std::int32_t threads) {
    return completed([&] {
        if ((*wrong = wrong_target(targets, rows, width)) >= 0) return;
        for_parts(rows, kGrain / width, threads, [&](long begin, long end, int) {
            Softmax softmax(width, false);
            for (long row = begin; row < end; ++row) {
                const float* x = logits + row * width;
                const bool counts = targets[row] != kIgnored;
                losses[row] = counts ? softmax.read(x) - x[targets[row]] : 0.0f;
            }
        });
    });
}

RAYLM_API bool raylm_cross_entropy_gradient(const float* logits, const std::int64_t* targets,
                                            const float* weights, std::int64_t rows,
                                            std::int64_t width, float* losses, float* gradient,
                                            std::int64_t* wrong, std::int32_t threads) {
    return completed([&] {
        if ((*wrong = wrong_target(targets, rows, width)) >= 0) return;
        const Output out(gradient, rows * width, width);
        for_parts(rows, kGrain / width, threads, [&](long begin, long end, int) {
            Softmax softmax(width, true);
            for (long row = begin; row < end; ++row) {
                const long first = row * width;
                if (targets[row] == kIgnored) {
                    losses[row] = 0.0f;
                    put_zeros(out, first, width);
                    continue;
                }
                const float picked = logits[first + targets[row]];
                losses[row] = softmax.read(logits + first) - picked;
                put_gradient(softmax, targets[row], weights[row], out, first);
            }
            out.finish();
        });
    });
}
