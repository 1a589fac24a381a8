// A team of threads that runs one job at a time, the caller being member 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace raylm {

// A counter to wait on: spins a bounded while, then sleeps on the kernel's futex.
class Signal {
public:
    std::uint32_t value() const { return count_.load(std::memory_order_acquire); }
    void raise();
    void wait_past(std::uint32_t seen) const;

private:
    alignas(64) std::atomic<std::uint32_t> count_{0};
};

class Team {
public:
    explicit Team(int size);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Runs job(member) on every member and returns when all are done.
    template <class Job>
    void run(Job&& job) {
        using Callable = std::remove_reference_t<Job>;
        start([](void* context, int member) { (*static_cast<Callable*>(context))(member); }, &job);
    }

    // Inside a job: returns once every member has arrived.
    void barrier();

private:
    using Entry = void (*)(void* context, int member);

    void start(Entry entry, void* context);
    void work(int member);

    const int size_;
    Entry entry_ = nullptr;
    void* context_ = nullptr;
    Signal started_;
    Signal released_;
    alignas(64) std::atomic<int> arrived_{0};
    std::vector<std::thread> threads_;
};

}  // namespace raylm
