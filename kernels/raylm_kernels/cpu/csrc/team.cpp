#include "team.h"

#include <chrono>

namespace raylm {
namespace {

// About 50 us: longer than two members' usual imbalance, shorter than a preempted one's absence.
constexpr int kSpins = 3000;

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

}  // namespace

void Signal::raise() {
    count_.fetch_add(1, std::memory_order_release);
    count_.notify_all();
}

void Signal::wait_past(std::uint32_t seen) const {
    for (int spin = 0; spin < kSpins; ++spin) {
        if (value() != seen) return;
        pause();
    }
    count_.wait(seen, std::memory_order_acquire);
}

Team::Team(int size) : size_(size), started_(size), waiting_(size) {
    try {
        for (int member = 1; member < size; ++member) {
            threads_.emplace_back([this, member] { work(member); });
        }
    } catch (...) {
        stop();
        throw;
    }
}

Team::~Team() { stop(); }

void Team::stop() {
    entry_ = nullptr;
    for (Signal& started : started_) started.raise();
    for (auto& thread : threads_) thread.join();
}

void Team::start(Entry entry, void* context, int members) {
    entry_ = entry;
    context_ = context;
    members_ = members;
    for (int member = 1; member < members; ++member) started_[member].raise();
    entry(context, 0);
    barrier(0);
}

void Team::work(int member) {
    for (std::uint32_t seen = 0;; ++seen) {
        started_[member].wait_past(seen);
        if (entry_ == nullptr) return;
        entry_(context_, member);
        barrier(member);
    }
}

void Team::barrier(int member) {
    const int members = members_;  // once all have arrived, the next job may have others
    if (members == 1) return;
    const std::uint32_t seen = released_.value();
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
        arrived_.store(0, std::memory_order_relaxed);
        released_.raise();
    } else {
        const auto begin = std::chrono::steady_clock::now();
        released_.wait_past(seen);
        const std::chrono::nanoseconds waited = std::chrono::steady_clock::now() - begin;
        waiting_[member].nanoseconds.fetch_add(waited.count(), std::memory_order_relaxed);
    }
}

double Team::waited_s() const {
    std::int64_t sum = 0;
    for (const Waiting& one : waiting_) sum += one.nanoseconds.load(std::memory_order_relaxed);
    return double(sum) * 1e-9;
}

}  // namespace raylm
