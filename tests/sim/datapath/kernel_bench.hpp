// SPDX-License-Identifier: Apache-2.0
#pragma once

// One unit of the datapath on a bench: fed with one command, stopped at any cycle. The kernel elaborates once per process, so every
// bench lives in a child.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "sim/datapath/buffer.hpp"
#include "sim/datapath/controller.hpp"

namespace prelude::sim::testing {

/// Runs `check` in a child process; its text comes back. A child that dies says so.
inline std::string in_kernel(const std::function<std::string()>& check) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return "no pipe";
    const auto pid = ::fork();
    if (pid == 0) {
        ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
        std::string text;
        try {
            text = check();
        } catch (const std::exception& error) {
            text = error.what();
        }
        const bool sent = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
        ::_exit(sent ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 256> part{};
    for (ssize_t count = 0; (count = ::read(ends[0], part.data(), part.size())) > 0;) text.append(part.data(), static_cast<std::size_t>(count));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : text + " (the child died)";
}

/// Runs everything that happens up to cycle `at`, that cycle included.
inline void run_through(Cycle at) {
    if (at > now()) sc_core::sc_start(ticks(at - now()));
    while (sc_core::sc_pending_activity_at_current_time()) sc_core::sc_start(sc_core::SC_ZERO_TIME);
}

/// Empty if `arrived` (negative: not yet) is set in cycle `expected` and in no earlier one, else what was seen.
inline std::string gate(Cycle expected, const Cycle& arrived) {
    run_through(expected - 1);
    if (arrived >= 0) return "there at " + std::to_string(arrived) + ", expected " + std::to_string(expected);
    run_through(expected);
    if (arrived == expected) return {};
    run_through(expected + 1'000'000);
    return "absent at " + std::to_string(expected) + ", there at " + std::to_string(arrived);
}

/// A unit with everything it is wired to but the unit itself: controller, four buffers of one access per tile, and a probe that waits
/// for the token its command gives.
class Bench : public sc_core::sc_module {
  public:
    static constexpr std::int64_t kWideBits = std::int64_t{1} << 24;

    Bench(const sc_core::sc_module_name& name, const Hardware& hardware) : sc_module(name), hardware_(hardware), controller_("controller", run) {
        run.hardware = &hardware_;
        run.program = &program;
        run.stats = &stats;
        done = program.new_token(0, StallCause::outputs);
        run.tokens.emplace_back(program.tokens.front());
        for (std::size_t b = 0; b < kNumBuffers; ++b) buffers_.push_back(std::make_unique<Buffer>(kBufferNames[b], kWideBits));
        SC_HAS_PROCESS(Bench);
        SC_THREAD(probe);
    }

    /// The unit takes the commands of its stream.
    void attach(Unit& unit) {
        controller_.attach(unit);
        unit.done = [](Cycle) {};
        unit.weight_out.bind(buffers_[0]->tile_in);
        unit.activation_out.bind(buffers_[1]->tile_in);
        unit.partial_sum_out.bind(buffers_[2]->tile_in);
        unit.score_out.bind(buffers_[3]->tile_in);
        unit_ = &unit;
    }

    /// Sends `command`; empty if its result is there at `expected` and not a cycle earlier.
    std::string gate_of(UnitId id, Command command, Cycle expected) {
        command.release.add(done);
        program.stream(id).push_back(command);
        sc_core::sc_start(sc_core::SC_ZERO_TIME);  // elaborate; every thread waits
        unit_->start.notify(sc_core::SC_ZERO_TIME);
        return gate(expected, arrived_);
    }

    Run run;
    Program program;
    SegmentStats stats;
    TokenId done{};

  private:
    void probe() {
        run.tokens.front().take();
        arrived_ = now();
    }

    Hardware hardware_;
    Controller controller_;
    std::vector<std::unique_ptr<Buffer>> buffers_;
    Unit* unit_ = nullptr;
    Cycle arrived_ = -1;
};

}  // namespace prelude::sim::testing
