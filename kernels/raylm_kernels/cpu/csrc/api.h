// What the files that export C functions share.
#pragma once

#include <exception>
#include <string>

#define RAYLM_API extern "C" __attribute__((visibility("default")))

namespace raylm {

inline thread_local std::string last_error;

// An exception must not cross the C interface: a null or false result, its text in last_error.
template <class Body>
auto guarded(Body&& body) -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception& error) {
        last_error = error.what();
        return {};
    }
}

// Whether a body without a result was done.
template <class Body>
bool completed(Body&& body) {
    return guarded([&] {
        body();
        return true;
    });
}

}  // namespace raylm
