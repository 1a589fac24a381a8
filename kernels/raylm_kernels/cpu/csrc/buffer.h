// Zeroed, cache-line aligned scratch of plain values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace raylm {

template <class T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t count) {
        const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
        data_.reset(static_cast<T*>(std::aligned_alloc(64, std::max<std::size_t>(bytes, 64))));
        if (!data_) throw std::bad_alloc();
        std::fill_n(data_.get(), count, T{});
        count_ = count;
    }

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    std::size_t size() const { return count_; }
    T& operator[](std::size_t i) { return data_.get()[i]; }
    const T& operator[](std::size_t i) const { return data_.get()[i]; }

private:
    struct Free {
        void operator()(T* data) const { std::free(data); }
    };
    std::unique_ptr<T, Free> data_;
    std::size_t count_ = 0;
};

inline int round_up(int value, int step) { return (value + step - 1) / step * step; }

}  // namespace raylm
