// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/interrupt.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace prelude::experiments {

namespace {

// A signal handler sees nothing but globals.
volatile sig_atomic_t requested = 0;
int event = -1;
struct sigaction former_int, former_term;

void handle(int) {
    if (requested != 0) ::_exit(kInterruptedExitCode);
    requested = 1;
    const auto error = errno;
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof one) < 0) ::_exit(kInterruptedExitCode);
    errno = error;
}

}  // namespace

Interrupt::Interrupt() {
    requested = 0;
    event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    struct sigaction action {};
    action.sa_handler = handle;
    ::sigaction(SIGINT, &action, &former_int);
    ::sigaction(SIGTERM, &action, &former_term);
}

Interrupt::~Interrupt() {
    ::sigaction(SIGINT, &former_int, nullptr);
    ::sigaction(SIGTERM, &former_term, nullptr);
    ::close(event);
    event = -1;
}

bool Interrupt::is_requested() const noexcept {
    return requested != 0;
}
int Interrupt::descriptor() const noexcept {
    return event;
}

}  // namespace prelude::experiments
