// Where an op's result goes: to memory past the caches where it is larger than they are.
#pragma once

#include <cstdint>

#include "simd.h"

namespace raylm {

constexpr long kCachedBytes = 8l << 20;  // a result up to this size is left in cache for its reader

class Output {
public:
    // `stride`: floats from one row to the next.
    Output(float* to, long count, long stride)
        : to_(to),
          past_cache_(count * long(sizeof(float)) > kCachedBytes && stride % kLanes == 0 &&
                      reinterpret_cast<std::uintptr_t>(to) % 64 == 0) {}

    float* at(long i) const { return to_ + i; }

    void put(long i, f32x16 x, AllLanes) const {
        if (past_cache_) {
            store_past_cache(to_ + i, x);
        } else {
            store(to_ + i, x);
        }
    }
    void put(long i, f32x16 x, int lanes) const { store(to_ + i, x, lanes); }

    // After a member's last one: the caller reads what all have put.
    void finish() const {
#if defined(__x86_64__)
        if (past_cache_) _mm_sfence();
#endif
    }

private:
    float* to_;
    bool past_cache_;
};

}  // namespace raylm
