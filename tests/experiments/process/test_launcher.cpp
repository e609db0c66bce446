// SPDX-License-Identifier: Apache-2.0
#include <omp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>

#include "experiments/process/launcher.hpp"
#include "tests/support/program.hpp"

using namespace prelude::experiments;
using namespace prelude::testing;

namespace {

std::map<std::uint64_t, Outcome> run_all(Launcher& launcher, const std::vector<std::string>& jobs) {
    for (std::size_t i = 0; i < jobs.size(); ++i) launcher.submit(i, jobs[i]);
    std::map<std::uint64_t, Outcome> outcomes;
    while (outcomes.size() < jobs.size())
        for (auto& outcome : launcher.wait(std::chrono::seconds(10))) outcomes[outcome.id] = std::move(outcome);
    return outcomes;
}

/// Memory that parent and children share.
struct Shared {
    std::atomic<int> running{0}, most{0};
    std::atomic<pid_t> process{0}, grandchild{0};
};
Shared* shared() {
    return new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared;
}

}  // namespace

TEST_CASE("Jobs are computed in children and every result comes back") {
    Launcher launcher([](const std::string& job, const prelude::models::ReportProgress&) { return job + std::string(300'000, 'x'); }, {3, 1});
    std::vector<std::string> jobs;
    for (int i = 0; i < 50; ++i) jobs.push_back("job " + std::to_string(i));
    const auto outcomes = run_all(launcher, jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        REQUIRE(outcomes.at(i).ok);
        CHECK(outcomes.at(i).value == jobs[i] + std::string(300'000, 'x'));
    }
}

TEST_CASE("A job tells how far it is, and an end without a result after that is still told as one") {
    Launcher launcher(
        [](const std::string& job, const prelude::models::ReportProgress& report) {
            report(0.25);
            ::usleep(300'000);
            report(0.5);
            report(0.125);  // what falls is not passed on
            while (job == "wait") ::usleep(1'000);
            if (job == "leave") ::_exit(0);
            return job;
        },
        {2, 1});
    launcher.submit(0, "wait");
    CHECK(launcher.share_done(0) == 0);
    std::vector<double> seen;
    for (int i = 0; i < 2000 && launcher.share_done(0) < 0.5; ++i) {
        REQUIRE(launcher.wait(std::chrono::milliseconds(10)).empty());
        if (seen.empty() || seen.back() != launcher.share_done(0)) seen.push_back(launcher.share_done(0));
    }
    CHECK(seen.back() == 0.5);
    CHECK(std::ranges::is_sorted(seen));
    launcher.submit(1, "leave");
    std::vector<Outcome> outcomes;
    while (outcomes.empty()) outcomes = launcher.wait(std::chrono::milliseconds(10));
    CHECK(outcomes.at(0).reason == "the process ended without a result");
    CHECK(launcher.share_done(1) == 0);
}

TEST_CASE("A job that throws, crashes, is killed, leaves early or returns too much is a reason, and the others go on") {
    Launcher launcher(
        [](const std::string& job, const prelude::models::ReportProgress&) -> std::string {
            if (job == "throw") throw std::runtime_error("17 groups, but 16 channels");
            if (job == "abort") {
                std::fputs("model invariant broken: cycles >= 0\n", stderr);
                std::abort();
            }
            if (job == "segv") ::raise(SIGSEGV);
            if (job == "kill") ::raise(SIGKILL);
            if (job == "exit") ::_exit(3);
            if (job == "silent") ::_exit(0);
            if (job == "huge") return std::string(kMaxPayloadBytes + 1, 'x');
            return "fine";
        },
        {2, 1});
    const auto outcomes = run_all(launcher, {"throw", "abort", "segv", "kill", "exit", "silent", "huge", "none"});
    for (std::uint64_t i = 0; i < 7; ++i) CHECK_FALSE(outcomes.at(i).ok);
    CHECK(outcomes.at(0).reason == "17 groups, but 16 channels");
    CHECK(outcomes.at(1).reason == "the process crashed with SIGABRT (a check failed): model invariant broken: cycles >= 0");
    CHECK(outcomes.at(2).reason == "the process crashed with SIGSEGV (invalid memory access)");
    CHECK(outcomes.at(3).reason == "the process was killed with SIGKILL (memory ran out, or by hand)");
    CHECK(outcomes.at(4).reason == "the process ended with exit code 3 and no result");
    CHECK(outcomes.at(5).reason == "the process ended without a result");
    CHECK(outcomes.at(6).reason == "the result has 67108865 bytes, more than 67108864");
    CHECK(outcomes.at(7).value == "fine");
}

TEST_CASE("Never more jobs run at a time than there are workers, each with its share of threads") {
    auto* state = shared();
    Launcher launcher(
        [state](const std::string&, const prelude::models::ReportProgress&) {
            const int now = ++state->running;
            for (int most = state->most; now > most && !state->most.compare_exchange_weak(most, now);) {
            }
            pause_ms(30);
            --state->running;
            int threads = 0;
#pragma omp parallel
#pragma omp single
            threads = ::omp_get_num_threads();
            return std::to_string(threads);
        },
        {3, 2});
    const auto outcomes = run_all(launcher, std::vector<std::string>(12, "job"));
    CHECK(state->most == 3);
    for (const auto& [id, outcome] : outcomes) CHECK(outcome.value == "2");
}

TEST_CASE("What a crashed job leaves behind is killed") {
    auto* state = shared();
    Launcher launcher(
        [state](const std::string&, const prelude::models::ReportProgress&) -> std::string {
            const auto process = ::fork();
            if (process == 0) {
                ::sleep(600);
                ::_exit(0);
            }
            state->grandchild = process;
            std::abort();
        },
        {1, 1});
    const auto outcomes = run_all(launcher, {"job"});
    CHECK_FALSE(outcomes.at(0).ok);
    REQUIRE(state->grandchild > 0);
    CHECK(eventually([&] { return !is_alive(state->grandchild); }));
}

TEST_CASE("Stopping ends what runs at once and leaves no process") {
    auto* state = shared();
    {
        Launcher launcher(
            [state](const std::string&, const prelude::models::ReportProgress&) -> std::string {
                state->process = ::getpid();
                ::sleep(600);
                return {};
            },
            {1, 1});
        launcher.submit(0, "sleep");
        REQUIRE(eventually([&] { return state->process != 0; }));
    }
    CHECK_FALSE(is_alive(state->process));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child, not even a zombie
}

TEST_CASE("A launcher that is killed is reported, and its children die with it") {
    auto* state = shared();
    Launcher launcher(
        [state](const std::string&, const prelude::models::ReportProgress&) -> std::string {
            state->process = ::getpid();
            ::sleep(600);
            return {};
        },
        {1, 1});
    launcher.submit(0, "sleep");
    REQUIRE(eventually([&] { return state->process != 0; }));
    ::kill(launcher.process(), SIGKILL);
    const auto wait_for_ever = [&] {
        while (true) static_cast<void>(launcher.wait(std::chrono::seconds(10)));
    };
    CHECK_THROWS_AS(wait_for_ever(), LauncherLost);
    CHECK(eventually([&] { return !is_alive(state->process); }));
}

TEST_CASE("When the main process is killed, launcher, jobs and their children end") {
    auto* state = shared();
    const auto main_process = ::fork();
    if (main_process == 0) {
        Launcher launcher(
            [state](const std::string&, const prelude::models::ReportProgress&) -> std::string {
                state->process = ::getpid();
                if (const auto process = ::fork(); process != 0) state->grandchild = process;
                ::sleep(600);
                return {};
            },
            {1, 1});
        launcher.submit(0, "sleep");
        static_cast<void>(eventually([&] { return state->grandchild != 0; }));
        state->running = launcher.process();
        ::sleep(600);
        ::_exit(0);
    }
    REQUIRE(eventually([&] { return state->running != 0; }));
    ::kill(main_process, SIGKILL);
    ::waitpid(main_process, nullptr, 0);
    CHECK(eventually([&] { return !is_alive(state->running); }));
    CHECK(eventually([&] { return !is_alive(state->process); }));
    CHECK(eventually([&] { return !is_alive(state->grandchild); }));
}
