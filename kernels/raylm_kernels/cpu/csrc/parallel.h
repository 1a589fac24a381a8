// Work divided among the threads of one team that the process keeps for whoever brings none along.
#pragma once

#include <algorithm>
#include <mutex>

#include "team.h"

namespace raylm {

// The process's team while this lives; null where another caller has it.
class BorrowedTeam {
public:
    explicit BorrowedTeam(int size);
    Team* get() const { return team_; }

private:
    std::unique_lock<std::mutex> turn_;
    Team* team_ = nullptr;
};

// Runs job(member) for all members, at once where the team is free, else one after the other:
// waiting for it would take longer. A job must not wait for another member.
template <class Job>
void run_members(int members, Job&& job) {
    if (members > 1) {
        const BorrowedTeam team(members);
        if (team.get()) return team.get()->run(job);
    }
    for (int member = 0; member < members; ++member) job(member);
}

// Calls body(begin, end, member) for consecutive parts of [0, count), none of which is worth less
// than `grain`; there are at most `threads`. Returns how many there are.
template <class Body>
int for_parts(long count, long grain, int threads, Body&& body) {
    const int parts = int(std::clamp<long>(count / std::max(grain, 1l), 1, threads));
    auto part = [&](int member) {
        if (member >= parts) return;
        body(count * member / parts, count * (member + 1) / parts, member);
    };
    run_members(parts == 1 ? 1 : threads, part);
    return parts;
}

}  // namespace raylm
