// Work divided among the threads of one team that the process keeps for whoever brings none along.
#pragma once

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

#include "team.h"

namespace raylm {

// The process's team while this lives; null for one thread, where another caller has it, and where
// the system gives no threads.
class BorrowedTeam {
public:
    explicit BorrowedTeam(int size);
    Team* get() const { return team_; }

private:
    std::unique_lock<std::mutex> turn_;
    Team* team_ = nullptr;
};

// What the first of several members threw, to be thrown again where they were called.
class Thrown {
public:
    void keep(std::exception_ptr error) {
        const std::lock_guard lock(mutex_);
        if (!first_) first_ = std::move(error);
    }
    void rethrow() const {
        if (first_) std::rethrow_exception(first_);
    }

private:
    std::mutex mutex_;
    std::exception_ptr first_;
};

// Runs job(member) for `members` of at most `threads`, at once where the team is free, else one
// after the other: waiting for it would take longer. A job must not wait for another member.
template <class Job>
void run_members(int members, int threads, Job&& job) {
    const BorrowedTeam team(members > 1 ? threads : 1);
    if (!team.get()) {
        for (int member = 0; member < members; ++member) job(member);
        return;
    }
    Thrown thrown;
    team.get()->run(members, [&](int member) {
        try {
            job(member);
        } catch (...) {
            thrown.keep(std::current_exception());
        }
    });
    thrown.rethrow();
}

template <class Job>
void run_members(int threads, Job&& job) {
    run_members(threads, threads, job);
}

// Values that one thread has done sooner than another is woken.
constexpr long kGrain = 16384;

// Calls body(begin, end, member) for consecutive parts of [0, count), none of which is worth less
// than `grain`; there are at most `threads`. Returns how many there are.
template <class Body>
int for_parts(long count, long grain, int threads, Body&& body) {
    const int parts = int(std::clamp<long>(count / std::max(grain, 1l), 1, threads));
    run_members(parts, threads,
                [&](int part) { body(count * part / parts, count * (part + 1) / parts, part); });
    return parts;
}

}  // namespace raylm
