// Cross-entropy over rows of logits, and its gradient, over the C interface.
#include <atomic>
#include <cmath>

#include "api.h"
#include "output.h"
#include "parallel.h"

using namespace raylm;

namespace {

constexpr std::int64_t kIgnored = -100;
constexpr long kGrain = 8192;  // values; fewer are done sooner than another thread is woken

// exp(x - shift) * scale is the softmax of a row, log_sum the logarithm of its sum of exponentials.
struct Softmax {
    float shift;
    float scale;
    float log_sum;

    // One pass: the row's next part is fetched while the exponentials of one are summed.
    Softmax(const float* x, long width) : shift(-HUGE_VALF) {
        float total = 0.0f;
        for (long first = 0; first < width; first += kPart) {
            const long count = std::min(kPart, width - first);
            const float before = shift;
            shift = std::max(shift, largest(x + first, count));
            total = total * (before == shift ? 1.0f : std::exp(before - shift)) +
                    sum(x + first, count);
        }
        scale = 1.0f / total;
        log_sum = shift + std::log(total);
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

    float sum(const float* x, long count) const {
        const f32x16 least = splat(shift == -HUGE_VALF ? 0.0f : shift);  // so far nothing counts
        f32x16 total = splat(0.0f);
        for_lanes(count, [&](long at, auto lanes) {
            prefetch(x + at + kPart);
            const f32x16 p = exp(load(x + at, lanes) - least);
            total = total + (lanes == kLanes ? p : first_lanes(lanes, p, splat(0.0f)));
        });
        return reduce_add(total);
    }
};

// The first row whose target is no place in it, or -1.
long wrong_target(const std::int64_t* targets, long rows, long width) {
    for (long row = 0; row < rows; ++row) {
        const bool is_place = targets[row] >= 0 && targets[row] < width;
        if (!is_place && targets[row] != kIgnored) return row;
    }
    return -1;
}

// The loss of a row, and (softmax - one_hot(target)) * weight where `gradient` is not null; it may
// be where the logits are.
float row_loss(const float* x, long width, std::int64_t target, float weight, const Output* gradient,
               long first) {
    if (target == kIgnored) {
        if (!gradient) return 0.0f;
        for_lanes(width,
                  [&](long at, auto lanes) { gradient->put(first + at, splat(0.0f), lanes); });
        return 0.0f;
    }
    const Softmax softmax(x, width);
    const float picked = x[target];
    if (gradient) {
        const f32x16 scale = splat(softmax.scale * weight);
        for_lanes(width, [&](long at, auto lanes) {
            f32x16 p = exp(load(x + at, lanes) - splat(softmax.shift)) * scale;
            if (target >= at && target < at + kLanes) {
                float values[kLanes];
                store(values, p);
                values[target - at] -= weight;
                p = load(values);
            }
            gradient->put(first + at, p, lanes);
        });
    }
    return softmax.log_sum - picked;
}

}  // namespace

// Both return the first row whose target is no place in it, having done nothing, else -1.

RAYLM_API std::int64_t raylm_cross_entropy(const float* logits, const std::int64_t* targets,
                                           std::int64_t rows, std::int64_t width, float* losses,
                                           std::int32_t threads) {
    if (const long wrong = wrong_target(targets, rows, width); wrong >= 0) return wrong;
    for_parts(rows, kGrain / width, threads, [&](long begin, long end, int) {
        for (long row = begin; row < end; ++row) {
            losses[row] = row_loss(logits + row * width, width, targets[row], 0.0f, nullptr, 0);
        }
    });
    return -1;
}

RAYLM_API std::int64_t raylm_cross_entropy_gradient(const float* logits,
                                                    const std::int64_t* targets,
                                                    const float* weights, std::int64_t rows,
                                                    std::int64_t width, float* losses,
                                                    float* gradient, std::int32_t threads) {
    if (const long wrong = wrong_target(targets, rows, width); wrong >= 0) return wrong;
    const Output out(gradient, rows * width, width);
    for_parts(rows, kGrain / width, threads, [&](long begin, long end, int) {
        for (long row = begin; row < end; ++row) {
            const long first = row * width;
            losses[row] = row_loss(logits + first, width, targets[row], weights[row], &out, first);
        }
        out.finish();
    });
    return -1;
}
