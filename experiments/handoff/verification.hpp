// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every dump of a build against the golden export.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/diagnosis/diagnosis.hpp"
#include "experiments/dumps/comparison.hpp"
#include "experiments/handoff/manifest.hpp"

namespace prelude::experiments {

enum class TensorVerdict {
    equal,
    differs,   ///< words differ, are missing or too many
    missing,   ///< an output that the build did not dump
    left_out,  ///< an input, constant or accumulator that the build did not dump: nothing is said of it
    broken,    ///< its dump cannot be read, or its golden file is not the exported one
};
[[nodiscard]] std::string_view name_of(TensorVerdict verdict) noexcept;

struct TensorResult {
    TensorDescription description;
    TensorVerdict verdict = TensorVerdict::left_out;
    std::filesystem::path golden, actual;
    TensorComparison comparison{};
    Diagnosis diagnosis{};
    std::string problem{};  ///< of a broken one
};

struct VerificationOptions {
    std::filesystem::path golden, actual;
    std::vector<std::string> only;       ///< patterns of tensor names; empty: all
    std::optional<DumpFormat> format{};  ///< of the dumps; empty: told by each
    std::optional<Packing> packing{};    ///< of hexadecimal dumps and vectors; empty: the export's of hexadecimal ones, none of vectors
    bool diagnose = true;
};

struct Verification {
    Manifest manifest;
    std::vector<TensorResult> tensors;  ///< in the order of execution
    std::vector<std::string> notes;     ///< dumps that belong to no tensor
    [[nodiscard]] std::size_t count(TensorVerdict verdict) const noexcept;
    [[nodiscard]] bool passed() const noexcept;
};

/// `bytes_done`, `bytes_total`, what is compared.
using ReportBytes = std::function<void(std::uint64_t, std::uint64_t, const std::string&)>;

/// Contract
///  - every golden tensor gets a verdict; no word of a dump is left out; at least one is compared, or it has not passed.
///  - golden files whose SHA-256 is not the exported one are broken.
///  - memory does not grow with the dumps but for the diagnosis of those that differ (Diagnosis::kMaxWords).
/// Throws    models::InputError of folders, manifest and side-cars
[[nodiscard]] Verification verify_dumps(const VerificationOptions& options, const ReportBytes& report = {});

}  // namespace prelude::experiments
