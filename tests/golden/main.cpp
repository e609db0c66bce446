// SPDX-License-Identifier: Apache-2.0
// prelude_golden DIR: runs every case of reference data below DIR. One line per case:
//   PASS | FAIL | UNSUPPORTED   kind   path   worst deviation   tolerance   remarks
// Exit code 1 if a case fails, a data file belongs to no case, or there is no case; 2 for wrong usage.

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "golden.hpp"

namespace {

using namespace prelude::golden;

// In this order: a finder sees the files that those before it left.
constexpr Finder kFinders[] = {find_sam_models, find_portable_sam, find_coco, find_quantized_models, find_quantizers, find_checkpoints};

std::string_view name_of(Status status) {
    switch (status) {
        case Status::pass: return "PASS";
        case Status::fail: return "FAIL";
        case Status::unsupported: return "UNSUPPORTED";
    }
    return "";
}

void print(Status status, const std::string& kind, const std::string& path, const std::string& worst, const std::string& tolerance,
           const std::string& remarks) {
    fmt::print("{:<11} {:<16} {:<40} {:>8} {:>8}  {}\n", name_of(status), kind, path, worst, tolerance, remarks);
    std::fflush(stdout);
}

Status run(const Case& test) {
    if (!test.run) {
        print(Status::unsupported, test.kind, test.path, "-", "-", "");
        return Status::unsupported;
    }
    try {
        const auto report = test.run();
        std::string remarks = fmt::format("{} comparisons", report.num_comparisons());
        if (!report.worst_tensor().empty()) remarks += ", worst: " + report.worst_tensor();
        for (const auto& note : report.notes()) remarks += "; " + note;
        print(report.status(), test.kind, test.path, fmt::format("{:.1e}", report.worst()), fmt::format("{:.0e}", report.tolerance()),
              remarks);
        for (const auto& problem : report.problems()) fmt::print(stderr, "  {}: {}\n", test.path, problem);
        return report.status();
    } catch (const std::exception& error) {
        print(Status::fail, test.kind, test.path, "-", "-", "");
        fmt::print(stderr, "  {}: {}\n", test.path, error.what());
        return Status::fail;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
        fmt::print(stderr, "usage: prelude_golden DIRECTORY\n");
        return 2;
    }
    Directory directory(argv[1]);
    std::size_t num_cases = 0, num_failed = 0;
    for (const auto& find : kFinders) {
        for (const auto& test : find(directory)) {
            ++num_cases;
            num_failed += run(test) == Status::fail;
        }
    }
    for (const auto& file : directory.files()) {
        if (file.claimed) continue;
        ++num_failed;
        print(Status::fail, "-", file.name, "-", "-", "no case claims this file");
        if (!file.problem.empty()) fmt::print(stderr, "  {}\n", file.problem);
    }
    if (num_cases == 0) fmt::print(stderr, "no case found below {}\n", argv[1]);
    return num_cases == 0 || num_failed > 0 ? 1 : 0;
}
