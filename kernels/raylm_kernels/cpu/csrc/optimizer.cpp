// Optimizer steps over flat fp32 shards, and the norm of gradients, over the C interface.
#include <vector>

#include "api.h"
#include "parallel.h"
#include "simd.h"

using namespace raylm;

// part1 and part2 are 1 - beta1 and 1 - beta2, which fp32 could not tell from the betas.

RAYLM_API bool raylm_adamw_step(float* parameters, const float* gradients, float* average,
                                float* square, std::int64_t count, float rate, float part1,
                                float beta2, float part2, float eps, float decay, float correction1,
                                float correction2, std::int32_t threads) {
    return completed([&] {
        const f32x16 kept = splat(1.0f - rate * decay);
        const f32x16 step = splat(-rate / correction1);
        const f32x16 unbias = splat(1.0f / correction2);
        for_parts(count, kGrain, threads, [&](long begin, long end, int) {
            for_lanes(end - begin, [&](long at, auto lanes) {
                const long i = begin + at;
                const f32x16 g = load(gradients + i, lanes);
                const f32x16 before = load(average + i, lanes);
                const f32x16 mean = fmadd(g - before, splat(part1), before);
                const f32x16 power = g * g * part2 + load(square + i, lanes) * beta2;
                const f32x16 deviation = sqrt(power * unbias) + eps;
                const f32x16 value = load(parameters + i, lanes) * kept;
                store(average + i, mean, lanes);
                store(square + i, power, lanes);
                store(parameters + i, fmadd(step, mean / deviation, value), lanes);
            });
        });
    });
}

RAYLM_API bool raylm_lion_step(float* parameters, const float* gradients, float* average,
                               std::int64_t count, float rate, float part1, float part2,
                               float decay, std::int32_t threads) {
    return completed([&] {
        const f32x16 kept = splat(1.0f - rate * decay);
        const f32x16 zero = splat(0.0f);
        for_parts(count, kGrain, threads, [&](long begin, long end, int) {
            for_lanes(end - begin, [&](long at, auto lanes) {
                const long i = begin + at;
                const f32x16 g = load(gradients + i, lanes);
                const f32x16 before = load(average + i, lanes);
                const f32x16 direction = fmadd(g - before, splat(part1), before);
                const f32x16 down =
                    select(direction < zero, splat(rate), direction);  // a NaN, or 0
                const f32x16 step = select(direction > zero, splat(-rate), down);
                store(average + i, fmadd(g - before, splat(part2), before), lanes);
                store(parameters + i, fmadd(load(parameters + i, lanes), kept, step), lanes);
            });
        });
    });
}

// All lanes together sum up to `kSummed` values in fp32, those sums are added in fp64.
RAYLM_API bool raylm_squared_norm(const float* x, std::int64_t count, double* total,
                                  std::int32_t threads) {
    return completed([&] {
        constexpr long kSummed = 65536;  // streams of 64 KB
        std::vector<double> sums(threads);
        for_parts(count, kGrain, threads, [&](long begin, long end, int part) {
            for (long first = begin; first < end; first += kSummed) {
                f32x16 sum[kReadStreams] = {};
                for_streams(std::min(kSummed, end - first), [&](long at, auto lanes, int stream) {
                    const f32x16 value = load(x + first + at, lanes);
                    sum[stream] = fmadd(value, value, sum[stream]);
                });
                for (const f32x16& one : sum) sums[part] += double(reduce_add(one));
            }
        });
        *total = 0.0;
        for (const double sum : sums) *total += sum;
    });
}
