// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/verify.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "experiments/cli/program.hpp"
#include "experiments/handoff/print_verification.hpp"
#include "experiments/output/progress.hpp"
#include "experiments/store/cache.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

void write_heat_maps(const fs::path& folder, const Verification& verification) {
    for (const auto& tensor : verification.tensors) {
        if (tensor.comparison.mismatched == 0) continue;
        fs::create_directories(folder);
        models::write_png(folder / (tensor.description.name + ".png"), heat_map_image(tensor.comparison.map));
    }
}

Verification compare(const VerifyCommand& command) {
    constexpr std::uint64_t kMegabyte = 1'000'000;
    std::optional<Progress> progress;
    const auto begin = std::chrono::steady_clock::now();
    auto verification = verify_dumps(command.dumps, [&](std::uint64_t done, std::uint64_t total, const std::string& name) {
        if (total < kMegabyte) return;
        if (!progress)
            progress.emplace(total / kMegabyte, Progress::Options{.quiet = command.quiet, .terminal = is_terminal(STDERR_FILENO), .width = terminal_width(STDERR_FILENO, 80), .unit = "MB"});
        const auto share = static_cast<double>(done) / static_cast<double>(total);
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        progress->show(done / kMegabyte, 0, share > 0 ? seconds / share * (1 - share) : -1, name);
    });
    if (progress) progress->clear();
    return verification;
}

}  // namespace

int verify(const VerifyCommand& command) {
    const auto verification = compare(command);
    const std::vector<FigureCheck> figures;
    if (!command.heat_maps.empty()) write_heat_maps(command.heat_maps, verification);
    if (!command.junit.empty()) write_atomically(command.junit, junit_xml(&verification, figures));
    if (!command.html.empty()) write_atomically(command.html, verification_html(&verification, figures));
    std::fputs(print(verification).c_str(), stdout);
    if (verification.count(TensorVerdict::broken) > 0) return kRejected;
    return verification.passed() ? kDone : kVerificationFailed;
}

}  // namespace prelude::experiments
