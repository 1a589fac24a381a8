// RMS norm over rows of any width, forward and backward, over the C interface.
#include <cmath>

#include "api.h"
#include "buffer.h"
#include "output.h"
#include "parallel.h"

using namespace raylm;

namespace {

// Of rows x (+ residual, unless that is null).
class Rows {
public:
    Rows(const float* x, const float* residual, int width)
        : x_(x), residual_(residual), width_(width) {}

    template <class Count>
    f32x16 load(long row, long at, Count lanes) const {
        const long i = row * width_ + at;
        const f32x16 x = raylm::load(x_ + i, lanes);
        return residual_ ? x + raylm::load(residual_ + i, lanes) : x;
    }

    // What the next row has where this one is used: meanwhile memory delivers it.
    void prefetch_after(long row, long at) const {
        const long i = (row + 1) * width_ + at;
        prefetch(x_ + i);
        if (residual_) prefetch(residual_ + i);
    }

    f32x16 squares(long row) const {
        f32x16 sum = splat(0.0f);
        for_lanes(width_, [&](long at, auto lanes) {
            const f32x16 x = load(row, at, lanes);
            sum = fmadd(x, x, sum);
        });
        return sum;
    }

private:
    const float* x_;
    const float* residual_;
    int width_;
};

float inverse_rms(f32x16 squares, int width, float eps) {
    return 1.0f / std::sqrt(reduce_add(squares) / float(width) + eps);
}

}  // namespace

// y = x / rms(x) * weight of x + residual, which is put into `total`; both may be null.
RAYLM_API bool raylm_rms_norm(const float* x, const float* residual, const float* weight,
                              std::int64_t rows, std::int32_t width, float eps, float* total,
                              float* y, std::int32_t threads) {
    return completed([&] {
        const Rows from(x, residual, width);
        const Output sum(total, long(rows) * width, width);
        const Output out(y, long(rows) * width, width);
        for_parts(rows, kGrain / width, threads, [&](long begin, long end, int) {
            for (long row = begin; row < end; ++row) {
                const f32x16 scale = splat(inverse_rms(from.squares(row), width, eps));
                for_lanes(width, [&](long at, auto lanes) {
                    from.prefetch_after(row, at);
                    const f32x16 value = from.load(row, at, lanes);
                    if (total) sum.put(row * width + at, value, lanes);
                    out.put(row * width + at, value * scale * load(weight + at, lanes), lanes);
                });
            }
            sum.finish();
            out.finish();
        });
    });
}

// Of x + residual, with s = 1 / rms: grad_x = s (g w - x s^2 mean(g w x)) + addend, and
// grad_weight = sum(g x s). Residual and addend may be null.
RAYLM_API bool raylm_rms_norm_backward(const float* grad, const float* addend, const float* x,
                                       const float* residual, const float* weight,
                                       std::int64_t rows, std::int32_t width, float eps,
                                       float* grad_x, float* grad_weight, std::int32_t threads) {
    return completed([&] {
        const Rows from(x, residual, width);
        const Output out(grad_x, long(rows) * width, width);
        const long stride = round_up(width, kLanes);
        Buffer<float> sums(threads * stride);
        const int parts =
            for_parts(rows, kGrain / width, threads, [&](long begin, long end, int part) {
                float* sum = sums.data() + part * stride;
                for (long row = begin; row < end; ++row) {
                    const float* g = grad + row * width;
                    f32x16 squares = splat(0.0f);
                    f32x16 products = splat(0.0f);
                    for_lanes(width, [&](long at, auto lanes) {
                        const f32x16 value = from.load(row, at, lanes);
                        squares = fmadd(value, value, squares);
                        products =
                            fmadd(value * load(g + at, lanes), load(weight + at, lanes), products);
                    });
                    const float s = inverse_rms(squares, width, eps);
                    const f32x16 scale = splat(s);
                    const f32x16 shift = splat(-s * s * s * reduce_add(products) / float(width));
                    for_lanes(width, [&](long at, auto lanes) {
                        from.prefetch_after(row, at);
                        prefetch(g + width + at);
                        const f32x16 value = from.load(row, at, lanes);
                        const f32x16 scaled = load(g + at, lanes) * scale;
                        store(sum + at, fmadd(scaled, value, load(sum + at)));
                        f32x16 result = fmadd(value, shift, scaled * load(weight + at, lanes));
                        if (addend) result = result + load(addend + row * width + at, lanes);
                        out.put(row * width + at, result, lanes);
                    });
                }
                out.finish();
            });
        for_lanes(width, [&](long at, auto lanes) {
            f32x16 sum = splat(0.0f);
            for (int part = 0; part < parts; ++part)
                sum = sum + load(sums.data() + part * stride + at);
            store(grad_weight + at, sum, lanes);
        });
    });
}
