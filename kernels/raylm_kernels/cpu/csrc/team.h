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
    // Raises std::system_error where the system gives no more threads.
    explicit Team(int size);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Inside a job: how many run it.
    int members() const { return members_; }

    // What all members have waited for each other at barriers since the beginning.
    double waited_s() const;

    // Runs job(member) on the first `members` and returns when all are done; the others sleep on.
    // A job must not throw.
    template <class Job>
    void run(int members, Job&& job) {
        using Callable = std::remove_reference_t<Job>;
        start([](void* context, int member) { (*static_cast<Callable*>(context))(member); }, &job,
              members);
    }
    template <class Job>
    void run(Job&& job) {
        run(size_, job);
    }

    // Inside a job: returns once every member that runs it has arrived.
    void barrier(int member);

private:
    struct Waiting {
        alignas(64) std::atomic<std::int64_t> nanoseconds{0};
    };

    using Entry = void (*)(void* context, int member);

    void start(Entry entry, void* context, int members);
    void work(int member);
    void stop();

    const int size_;
    Entry entry_ = nullptr;
    void* context_ = nullptr;
    int members_ = 0;
    std::vector<Signal> started_;   // for each member
    std::vector<Waiting> waiting_;  // for each member
    Signal released_;
    alignas(64) std::atomic<int> arrived_{0};
    std::vector<std::thread> threads_;
};

}  // namespace raylm
