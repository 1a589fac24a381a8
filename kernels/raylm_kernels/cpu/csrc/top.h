// The largest values of a row that arrives in parts, the lower index first among equals.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "simd.h"

namespace raylm {

struct Best {
    float value = -HUGE_VALF;
    std::int32_t index = -1;

    bool before(const Best& other) const {
        return value > other.value || (value == other.value && index < other.index);
    }
};

class Top {
public:
    explicit Top(int count) : best_(count) {}

    void offer(const float* values, int count, int first_index) {
        for (int i = 0; i < count; i += kLanes) {
            const f32x16 some = load(values + i);
            const f32x16 most = first_lanes(count - i, some, splat(-HUGE_VALF));
            if (reduce_max(most) < best_.back().value) continue;
            for (int j = i; j < std::min(i + kLanes, count); ++j) {
                insert({values[j], first_index + j});
            }
        }
    }

    void merge(const Top& other) {
        for (const Best& one : other.best_) {
            if (one.index >= 0) insert(one);
        }
    }

    void clear() { std::fill(best_.begin(), best_.end(), Best()); }

    const std::vector<Best>& best() const { return best_; }

private:
    void insert(const Best& one) {
        if (!one.before(best_.back())) return;
        const auto place = std::find_if(best_.begin(), best_.end(),
                                        [&](const Best& other) { return one.before(other); });
        std::move_backward(place, best_.end() - 1, best_.end());
        *place = one;
    }

    std::vector<Best> best_;
};

}  // namespace raylm
