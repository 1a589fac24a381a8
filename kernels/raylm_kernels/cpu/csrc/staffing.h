// How many members of a team a job gets: all, or one alone where all would be slower.
#pragma once

#include <algorithm>

namespace raylm {

// Other programs take a member's core away for milliseconds, and at the next barrier (a token of
// SmolLM2-135M has 152) all wait for the one that does not run. While size - 1 wait one is away: of
// the team's time, size * elapsed, waited * size / (size - 1) is lost, and one alone, which waits
// for nobody, needs the rest.
class Staffing {
public:
    explicit Staffing(int size) : size_(size) {}

    // For the next job. Alone ever longer while trials with all fail.
    int members() {
        if (alone_left_ == 0) return size_;
        --alone_left_;
        return 1;
    }

    // What a job of all took, and the sum of what its members waited for each other.
    void note(double elapsed_s, double waited_s) {
        const double needed_alone = size_ * (elapsed_s - waited_s / std::max(size_ - 1, 1));
        if (needed_alone >= elapsed_s) {
            alone_ = 0;
            return;
        }
        alone_ = std::clamp(2 * alone_, kFewest, kMost);
        alone_left_ = alone_;
    }

private:
    static constexpr int kFewest = 2;  // one lost time slice is soon over
    static constexpr int kMost = 128;  // a failing trial can take ten tokens' time

    const int size_;
    int alone_ = 0;
    int alone_left_ = 0;
};

}  // namespace raylm
