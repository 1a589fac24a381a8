#include "parallel.h"

#include <pthread.h>

#include <exception>
#include <memory>

namespace raylm {
namespace {

struct Shared {
    std::mutex busy;
    std::unique_ptr<Team> team;
};

// Threads do not survive a fork: the child begins anew, and what it inherited is never touched.
Shared*& shared() {
    static Shared* one = [] {
        pthread_atfork(nullptr, nullptr, [] { shared() = new Shared; });
        return new Shared;
    }();
    return one;
}

}  // namespace

BorrowedTeam::BorrowedTeam(int size) {
    if (size == 1) return;
    Shared& mine = *shared();
    turn_ = std::unique_lock(mine.busy, std::try_to_lock);
    if (!turn_) return;
    if (!mine.team || mine.team->size() != size) {
        mine.team.reset();
        try {
            mine.team = std::make_unique<Team>(size);
        } catch (const std::exception&) {
            return;
        }
    }
    team_ = mine.team.get();
}

}  // namespace raylm
