// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/verify.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "experiments/cli/program.hpp"
#include "experiments/handoff/print_verification.hpp"
#include "experiments/hls/baseline.hpp"
#include "experiments/output/progress.hpp"
#include "experiments/store/cache.hpp"
#include "models/error.hpp"

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

Verification compare_tensors(const VerifyCommand& command) {
    constexpr std::uint64_t kMegabyte = 1'000'000;
    std::optional<Progress> progress;
    const auto begin = std::chrono::steady_clock::now();
    auto verification = verify_dumps(command.dumps, [&](std::uint64_t done, std::uint64_t total, const std::string& name) {
        if (total < kMegabyte || done >= total) return;
        if (!progress)
            progress.emplace(total / kMegabyte, Progress::Options{.quiet = command.quiet,
                                                                  .terminal = is_terminal(STDERR_FILENO),
                                                                  .width = terminal_width(STDERR_FILENO, 80),
                                                                  .unit = "MB"});
        const auto share = static_cast<double>(done) / static_cast<double>(total);
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        progress->show(done / kMegabyte, 0, share > 0 ? seconds / share * (1 - share) : -1, name);
    });
    if (progress) progress->clear();
    return verification;
}

/// Reports of the build, each of the kind it was given as.
std::vector<NamedReport> read_reports(const VerifyCommand& command) {
    std::vector<NamedReport> reports;
    std::vector<std::string> problems;
    for (const auto& [kind, file] : command.reports) {
        try {
            auto report = read_tool_report(file);
            if (report.kind != kind)
                problems.push_back(fmt::format("{}: a report of kind {}, given as {}", file.string(), name_of(report.kind), name_of(kind)));
            reports.push_back({file.string(), std::move(report)});
        } catch (const models::InputError& error) {
            problems.emplace_back(error.what());
        }
    }
    if (!problems.empty()) throw models::InputError(fmt::format("{}", fmt::join(problems, "\n")));
    return reports;
}

/// What the reports say, held against what was expected and against the earlier build.
struct FigureResult {
    std::vector<FigureCheck> figures;
    std::string text;
    bool passed = true;
};

FigureResult check_figures(const VerifyCommand& command) {
    FigureResult result;
    if (command.reports.empty()) return result;
    const auto reports = read_reports(command);
    const auto expected = read_expected(command.dumps.golden / kExpectedFile);
    const auto tolerances = command.tolerances.empty() ? default_tolerances() : read_tolerances(command.tolerances);
    const auto check = check_reports(expected, reports, tolerances);
    result.figures = figures_of(check);
    result.text = "\n" + print_check(check, "");
    result.passed = check.passed();
    if (command.baseline.empty()) return result;
    const auto now = measured(reports, expected.design);
    if (command.update_baseline) {
        write_atomically(command.baseline, to_json(now).dump(1) + "\n");
        result.text += fmt::format("baseline of {} terms written to {}\n", now.terms.size(), command.baseline.string());
        return result;
    }
    const auto regression = compare(read_baseline(command.baseline), now, tolerances);
    for (auto& figure : figures_of(regression)) result.figures.push_back(std::move(figure));
    result.text += "\n" + print_regression(regression, "");
    result.passed = result.passed && regression.passed();
    return result;
}

}  // namespace

int verify(const VerifyCommand& command) {
    const auto checked = check_figures(command);
    std::optional<Verification> verification;
    if (!command.dumps.actual.empty()) verification = compare_tensors(command);
    const auto* tensors = verification ? &*verification : nullptr;
    if (tensors != nullptr && !command.heat_maps.empty()) write_heat_maps(command.heat_maps, *tensors);
    if (!command.junit.empty()) write_atomically(command.junit, junit_xml(tensors, checked.figures));
    if (!command.html.empty()) write_atomically(command.html, verification_html(tensors, checked.figures));
    std::fputs(((tensors != nullptr ? print(*tensors) : std::string()) + checked.text).c_str(), stdout);
    if (tensors != nullptr && tensors->count(TensorVerdict::broken) > 0) return kRejected;
    return (tensors == nullptr || tensors->passed()) && checked.passed ? kDone : kVerificationFailed;
}

}  // namespace prelude::experiments
