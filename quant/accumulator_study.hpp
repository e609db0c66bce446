// SPDX-License-Identifier: Apache-2.0
#pragma once

// How wide accumulators have to be: by the widths of their operands, for the weights they have, and for what pictures put through them.

#include <map>
#include <string>

#include "quant/engine/engine.hpp"

namespace prelude::quant {

/// Signed widths of the running sums A_t of a contraction (docs/numerics.md section 2).
struct SumWidths {
    std::int64_t depth = 0;
    std::size_t num_terms = 1;
    int operands = 0;  ///< holds any operands of these widths: what `exact` is built with
    int weights = 0;   ///< holds any activation codes with these weights; products of two values: as operands
    int observed = 0;  ///< smallest that counts no overflow on the observed rows, narrowed every `chunk` products
};

/// The smallest width for any activation codes.
///
/// Meaning   per output and term [sum of least, sum of largest (a - z) w] over the codes of `input`; both ends contain 0, so that no part of a sum leaves them
[[nodiscard]] int width_for_weights(const Contraction& contraction, const Format& input);

/// Watches an integer walk.
///
/// Contract  an even sample of at most `rows` rows of every contraction's operand is summed again, by definition, at widths found by bisection
class AccumulatorStudy {
  public:
    AccumulatorStudy(const QuantizedGraph& quantized, int chunk, std::int64_t rows = 16) : quantized_(quantized), chunk_(chunk), rows_(rows) {}

    /// The hook of a walk over a graph of the model.
    [[nodiscard]] WordHook hook();
    /// By node name, of the contractions that were walked.
    [[nodiscard]] const std::map<std::string, SumWidths, std::less<>>& widths() const noexcept { return widths_; }

  private:
    void observe(const models::Graph& graph, const models::Node& node);

    const QuantizedGraph& quantized_;
    int chunk_;
    std::int64_t rows_;
    std::map<models::ValueId, IntTensor> words_;
    std::map<std::string, SumWidths, std::less<>> widths_;
};

}  // namespace prelude::quant
