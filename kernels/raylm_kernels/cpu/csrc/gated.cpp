// silu(gate) * up, forward and backward, over the C interface.
#include <initializer_list>

#include "api.h"
#include "output.h"
#include "parallel.h"

using namespace raylm;

namespace {

// Calls each(at, lanes) for all of `count` values, a whole number of lanes to each thread.
template <class Each>
void for_values(long count, int threads, std::initializer_list<Output> outs, Each&& each) {
    const long steps = (count + kLanes - 1) / kLanes;
    for_parts(steps, kGrain / kLanes, threads, [&](long begin, long end, int) {
        const long first = begin * kLanes;
        for_lanes(std::min(end * kLanes, count) - first,
                  [&](long at, auto lanes) { each(first + at, lanes); });
        for (const Output& out : outs) out.finish();
    });
}

}  // namespace

RAYLM_API bool raylm_swiglu(const float* gate, const float* up, std::int64_t count, float* y,
                            std::int32_t threads) {
    return completed([&] {
        const Output out(y, count, kLanes);
        for_values(count, threads, {out}, [&](long i, auto lanes) {
            out.put(i, silu(load(gate + i, lanes)) * load(up + i, lanes), lanes);
        });
    });
}

RAYLM_API bool raylm_swiglu_backward(const float* grad, const float* gate, const float* up,
                                     std::int64_t count, float* grad_gate, float* grad_up,
                                     std::int32_t threads) {
    return completed([&] {
        const Output to_gate(grad_gate, count, kLanes);
        const Output to_up(grad_up, count, kLanes);
        for_values(count, threads, {to_gate, to_up}, [&](long i, auto lanes) {
            const f32x16 g = load(grad + i, lanes);
            const f32x16 x = load(gate + i, lanes);
            const f32x16 share = 1.0f / (1.0f + exp(-x));
            const f32x16 slope = share * fmadd(x, 1.0f - share, splat(1.0f));
            to_gate.put(i, g * load(up + i, lanes) * slope, lanes);
            to_up.put(i, g * x * share, lanes);
        });
    });
}
