// SPDX-License-Identifier: Apache-2.0
#pragma once

// Why a tensor differs: faults engineers make are tried until one explains every word of the dump. From the dumps alone.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/dumps/tensor_description.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::experiments {

struct Diagnosis {
    static constexpr std::uint64_t kMaxWords = std::uint64_t{1} << 26;  ///< of a tensor that is diagnosed

    std::vector<Finding> findings{};  ///< each explains every word; several causes: they cannot be told apart on these words
    std::string note{};               ///< why nothing was tried
    /// The one cause all findings agree on; empty: unknown, or several.
    [[nodiscard]] std::optional<Cause> cause() const;
    /// "truncation: final shift rounds down (AP_TRN)", "unknown", "rounding or shift: ..."
    [[nodiscard]] std::string text() const;
};

/// The words of a tensor; nothing where they are not at hand.
using LoadWords = std::function<std::optional<std::vector<std::int64_t>>(const std::string& tensor)>;

/// The part of the network an export is of, with golden and dumped words by tensor name.
struct DiagnosisContext {
    const models::Graph* part = nullptr;  ///< null: not known
    const quant::QuantizedGraph* quantized = nullptr;
    LoadWords golden, actual;
};

/// Contract
///  - a finding predicts every dumped word from golden and dumped words of what the tensor is made of, or (table_entry, stale_buffer, not_written) every mismatch and no match;
///  - nothing is named that does not: then it is unknown;
///  - what a dumped operand that differs makes of the tensor counts as upstream.
[[nodiscard]] Diagnosis diagnose(const DiagnosisContext& context, const TensorDescription& tensor);

}  // namespace prelude::experiments
