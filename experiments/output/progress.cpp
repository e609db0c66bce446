// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace prelude::experiments {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kLineInterval = std::chrono::seconds(10);
constexpr int kMaxBar = 30;

}  // namespace

void Estimate::took(const std::string& kind, double seconds) {
    auto& entry = kinds_[kind];
    if (entry.open > 0) --entry.open;
    ++entry.done;
    entry.seconds += seconds;
}

void Estimate::drop(const std::string& kind) {
    auto& entry = kinds_[kind];
    if (entry.open > 0) --entry.open;
}

double Estimate::seconds_left(std::span<const Running> running) const {
    constexpr double kTelling = 0.02;  // less of a task says little of the rest
    auto kinds = kinds_;
    double left = 0, all_seconds = 0;
    for (const auto& task : running) {
        if (task.share < kTelling) continue;
        auto& kind = kinds[task.kind];
        const double whole = task.seconds / task.share;
        left += whole - task.seconds;
        if (kind.open > 0) --kind.open;
        ++kind.done;
        kind.seconds += whole;
    }
    std::size_t all_done = 0;
    for (const auto& [name, kind] : kinds) {
        all_seconds += kind.seconds;
        all_done += kind.done;
    }
    if (all_done == 0) return -1;
    for (const auto& [name, kind] : kinds) {
        const double mean = kind.done > 0 ? kind.seconds / static_cast<double>(kind.done) : all_seconds / static_cast<double>(all_done);
        left += mean * static_cast<double>(kind.open);
    }
    return left / num_workers_;
}

std::string print_duration(double seconds) {
    const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
    return fmt::format("{} h {:02d} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(std::size_t num_tasks, Options options) : num_tasks_(num_tasks), options_(std::move(options)) {
    shown_ = start_;
}

Progress::~Progress() {
    clear();
}

void Progress::show(std::size_t num_done, std::size_t num_failed, double seconds_left, const std::string& what, double share_running) {
    if (options_.quiet || num_tasks_ == 0) return;
    const auto now = Clock::now();
    const bool last = num_done >= num_tasks_;
    if (!last && drawn_ && now - shown_ < (options_.terminal ? Clock::duration(kRedraw) : Clock::duration(kLineInterval))) return;
    if (!options_.terminal && !last && !drawn_ && num_done == 0 && seconds_left < 0) return;  // nothing to say yet
    shown_ = now;
    drawn_ = true;

    const double elapsed = std::chrono::duration<double>(now - start_).count();
    std::string text = fmt::format("{}/{} {}", num_done, num_tasks_, options_.unit);
    if (num_done > 0 && elapsed > 0) {
        const double per_second = static_cast<double>(num_done) / elapsed;
        text += per_second >= 1 ? fmt::format("  {:.1f}/s", per_second) : fmt::format("  {:.1f}/min", 60 * per_second);
    }
    if (!last && seconds_left >= 0) text += "  ETA " + print_duration(seconds_left);
    if (last) text += "  in " + print_duration(elapsed);
    if (num_failed > 0) text += fmt::format("  {} failed", num_failed);
    if (!options_.terminal) {
        std::fputs(fmt::format("prelude: {}\n", text).c_str(), stderr);
        return;
    }
    if (!what.empty() && !last) text += "  " + what;
    const int bar = std::clamp(options_.width - 3 - static_cast<int>(text.size()), 0, kMaxBar);
    const auto share = std::min(1.0, (static_cast<double>(num_done) + share_running) / static_cast<double>(num_tasks_));
    const auto filled = static_cast<std::size_t>(bar * share);
    if (bar > 4) text = "[" + std::string(filled, '#') + std::string(static_cast<std::size_t>(bar) - filled, '.') + "] " + text;
    text.resize(std::min(text.size(), static_cast<std::size_t>(std::max(1, options_.width - 1))));
    std::fputs(fmt::format("\r\x1b[K{}", text).c_str(), stderr);
    std::fflush(stderr);
}

void Progress::note(const std::string& line) {
    clear();
    std::fputs((line + "\n").c_str(), stderr);
}

void Progress::clear() {
    if (drawn_ && options_.terminal && !options_.quiet) std::fputs("\r\x1b[K", stderr);
    if (options_.terminal) drawn_ = false;
    std::fflush(stderr);
}

bool is_terminal(int descriptor) noexcept {
    return ::isatty(descriptor) == 1;
}

int terminal_width(int descriptor, int otherwise) noexcept {
    if (const char* columns = std::getenv("COLUMNS"); columns != nullptr)
        if (const int width = std::atoi(columns); width > 0) return width;
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return otherwise;
}

}  // namespace prelude::experiments
