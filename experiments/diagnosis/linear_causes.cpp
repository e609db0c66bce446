// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/linear_causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rescale.hpp"

namespace prelude::experiments {

namespace {

constexpr std::array kExtents{std::size_t{4}, std::size_t{8}, std::size_t{16}, std::size_t{32}, std::size_t{64}};

/// Row and column of what is read.
struct Place {
    std::size_t row, column;
};

/// A linear layer whose operands and weights may be read from elsewhere.
class LinearModel {
  public:
    LinearModel(const NodeTrial& trial, const quant::Contraction& form)
        : form_(form),
          inputs_(trial.inputs().front()),
          depth_(static_cast<std::size_t>(form.depth)),
          outputs_(static_cast<std::size_t>(form.num_outputs)),
          rows_(static_cast<std::size_t>(inputs_.num_elements()) / depth_) {}

    [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
    [[nodiscard]] std::size_t outputs() const noexcept { return outputs_; }
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }

    /// Acc of word `i` where the operand of (row, k) is that of operand(row, output, k), and the weight of (output, k) that of weight(row, output, k).
    template <class Operand, class Weight>
    [[nodiscard]] std::int64_t sum(std::size_t i, const Operand& operand, const Weight& weight) const {
        const auto row = i / outputs_, output = i % outputs_;
        std::array<std::int64_t, quant::kMaxCodeTerms> sums{};
        for (std::size_t k = 0; k < depth_; ++k) {
            const Place x = operand(row, output, k), w = weight(row, output, k);
            const std::int64_t factor = form_.weights[w.row * depth_ + w.column];
            const auto code = inputs_[x.row * depth_ + x.column];
            if (form_.code.kind == quant::OperandKind::uniform) {
                const auto read = term_of(x.column);
                sums[term_of(k)] += (code - form_.terms[read].zero_point) * factor;
            } else {
                for (const auto& [contribution, term] : quant::decode(form_.code, code))
                    sums[static_cast<std::size_t>(term)] += contribution * factor;
            }
        }
        std::int64_t acc = 0;
        for (std::size_t t = 0; t < form_.terms.size(); ++t)
            acc += (sums[t] * std::int64_t{form_.terms[t].multiplier}) << form_.terms[t].exponent;
        return acc;
    }

    /// Acc of word `i` with sums of terms narrowed.
    [[nodiscard]] std::int64_t narrowed(std::size_t i, const quant::Contraction& narrow, const quant::TermOrder& order) const {
        const auto row = static_cast<std::int64_t>(i / outputs_);
        quant::OutputAccumulator output;
        quant::accumulate(narrow, order, inputs_.row(row), std::span(form_.weights).subspan(i % outputs_ * depth_, depth_), 0, form_.depth,
                          output);
        return output.accumulator;
    }

  private:
    [[nodiscard]] std::size_t term_of(std::size_t k) const {
        return form_.term_of.empty() ? 0 : static_cast<std::size_t>(form_.term_of[k]);
    }

    const quant::Contraction& form_;
    const models::IntTensor& inputs_;
    std::size_t depth_, outputs_, rows_;
};

}  // namespace

std::vector<Finding> causes_of_linear(const Evidence& evidence, const NodeTrial& trial, Stage stage) {
    const auto* form = std::get_if<quant::Contraction>(&trial.operation());
    if (form == nullptr || !std::holds_alternative<models::Linear>(trial.node().op) || form->terms.size() > quant::kMaxCodeTerms) return {};
    const LinearModel model(trial, *form);
    std::vector<Finding> findings;
    const auto attempt = [&](Cause cause, std::string detail, const auto& sum_of) {
        const auto word = [&](std::size_t i) {
            const std::int64_t sum = sum_of(i);
            return stage == Stage::sums ? sum : std::int64_t{quant::rescale(form->rescale, i % model.outputs(), sum)};
        };
        if (evidence.explained_by(word)) findings.push_back({cause, std::move(detail)});
    };
    const auto right_operand = [](std::size_t row, std::size_t, std::size_t k) { return Place{row, k}; };
    const auto right_weight = [](std::size_t, std::size_t output, std::size_t k) { return Place{output, k}; };

    for (const auto deep : kExtents) {
        if (deep > model.depth() || model.depth() % deep != 0) continue;
        const auto last = model.depth() - deep;  // the tile of inputs that is loaded last
        for (const auto high : kExtents) {
            if (high < model.rows())
                attempt(Cause::stale_buffer, fmt::format("operands are loaded for the first {} rows only, {} inputs at a time", high, deep),
                        [&](std::size_t i) {
                            return model.sum(
                                i,
                                [&](std::size_t row, std::size_t, std::size_t k) {
                                    return row < high ? Place{row, k} : Place{row % high, last + k % deep};
                                },
                                right_weight);
                        });
            if (high < model.outputs())
                attempt(Cause::stale_buffer,
                        fmt::format("weights are loaded for the first {} outputs only, {} inputs at a time", high, deep),
                        [&](std::size_t i) {
                            return model.sum(i, right_operand, [&](std::size_t, std::size_t output, std::size_t k) {
                                return output < high ? Place{output, k} : Place{output % high, last + k % deep};
                            });
                        });
            if (high < model.rows())
                for (const auto wide : kExtents) {
                    if (wide > model.outputs() || model.outputs() % wide != 0) continue;
                    const auto last_output = model.outputs() - wide;
                    attempt(
                        Cause::stale_buffer,
                        fmt::format("weights are loaded for the first {} rows only, {} outputs x {} inputs at a time", high, wide, deep),
                        [&](std::size_t i) {
                            return model.sum(i, right_operand, [&](std::size_t row, std::size_t output, std::size_t k) {
                                return row < high ? Place{output, k} : Place{last_output + output % wide, last + k % deep};
                            });
                        });
                }
        }
        if (deep < model.depth())
            attempt(Cause::stale_buffer, fmt::format("operands are those of {} inputs before", deep), [&](std::size_t i) {
                return model.sum(
                    i,
                    [&](std::size_t row, std::size_t, std::size_t k) {
                        return Place{row, k < deep ? k : k - deep};
                    },
                    right_weight);
            });
    }
    const auto order = quant::term_order(*form);
    constexpr int kLeastBits = 4;
    for (const auto overflow : {quant::AccumulatorOverflow::wrap, quant::AccumulatorOverflow::saturate}) {
        for (const int chunk : {1, 4, 8, 16, 32, 64}) {
            if (overflow == quant::AccumulatorOverflow::wrap && chunk > 1) break;  // wrapping sums do not tell where they wrapped
            for (int bits = std::min(62, form->product_bits); bits >= kLeastBits; --bits) {
                auto narrow = *form;
                narrow.accumulator = {.overflow = overflow, .bits = bits, .chunk = chunk};
                attempt(Cause::overflow,
                        fmt::format("sums of groups {} at {} bits{}", overflow == quant::AccumulatorOverflow::wrap ? "wrap" : "saturate",
                                    bits, chunk > 1 ? fmt::format(", every {} products", chunk) : ""),
                        [&](std::size_t i) { return model.narrowed(i, narrow, order); });
            }
        }
    }
    return findings;
}

}  // namespace prelude::experiments
