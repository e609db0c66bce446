// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/builds.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFolders = 1000, kMaxFiles = 200;
constexpr std::string_view kExpected = "expected.json";
constexpr std::array<std::string_view, 4> kOfExport{kExpected, "manifest.json", "config.resolved.yaml", "operations.safetensors"};

/// What is in a folder, by name.
std::vector<fs::path> entries_of(const fs::path& folder, std::size_t most) {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entries.size() == most) throw models::InputError(fmt::format("{}: more than {} entries", folder.string(), most));
        entries.push_back(entry.path());
    }
    std::ranges::sort(entries);
    return entries;
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

void read_reports(const fs::path& folder, Build& build, std::vector<std::string>& passed_over) {
    for (const auto& file : entries_of(folder, kMaxFiles)) {
        if (!fs::is_regular_file(file) || std::ranges::find(kOfExport, file.filename().string()) != kOfExport.end()) continue;
        try {
            auto report = read_tool_report(file);
            if (may_be_of_part(report, build.expected.part))
                build.reports.push_back({file.string(), std::move(report)});
            else
                passed_over.push_back(
                    fmt::format("{}: of part {}; {} is a design for {}", file.string(), report.part, build.name, build.expected.part));
        } catch (const models::InputError& error) {
            passed_over.push_back(first_line(error.what()));
        }
    }
}

}  // namespace

Builds read_builds(const fs::path& folder) {
    if (!fs::is_directory(folder))
        throw models::InputError(fmt::format(
            "{}: no such folder; allowed: one with a folder of every design in it, each with {} and reports", folder.string(), kExpected));
    Builds result;
    std::vector<std::string> problems;
    for (const auto& design : entries_of(folder, kMaxFolders)) {
        const auto name = design.filename().string();
        if (!fs::is_regular_file(design / kExpected)) {
            result.passed_over.push_back(fmt::format("{}: no {}", design.string(), kExpected));
            continue;
        }
        Build build{.name = name, .expected = {}, .reports = {}};
        try {
            build.expected = read_expected(design / kExpected);
        } catch (const models::InputError& error) {
            problems.emplace_back(error.what());
            continue;
        }
        read_reports(design, build, result.passed_over);
        if (fs::is_directory(design / "reports")) read_reports(design / "reports", build, result.passed_over);
        result.builds.push_back(std::move(build));
    }
    if (!problems.empty()) throw models::InputError(fmt::format("{}", fmt::join(problems, "\n")));
    return result;
}

}  // namespace prelude::experiments
