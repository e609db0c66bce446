// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which kind of number every value of a graph is: what hardware must know before any value exists (docs/numerics.md section 1).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/graph/sam.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

enum class FormatKind {
    pixel,        ///< unsigned 8-bit picture element
    code,         ///< unsigned operand code q, value = s_g * (q - z_g), g the channel's group
    fixed,        ///< signed fixed point, value = q * 2^-f: residual stream, embeddings, logits
    score,        ///< signed fixed point in log2 units: attention scores
    probability,  ///< softmax output code: uniform, or logarithmic of base 2^(1/tau)
    coordinate,   ///< prompt coordinate x + 1/2 in 2^-8 pixel, or a label
};

struct Format {
    FormatKind kind = FormatKind::fixed;
    int bits = 16;                            ///< stored width; codes and probabilities unsigned, fixed and score signed
    std::vector<std::int64_t> group_sizes{};  ///< code: channels per group; empty = one group; as many entries as channels = per channel
    int tau = 0;                              ///< probability: 1, 2, 4; 0 = uniform
    int shift_cap = 0;                        ///< probability, logarithmic: largest shift
    ScaleMode scale = ScaleMode::row;         ///< probability
    [[nodiscard]] std::int64_t num_groups() const noexcept { return group_sizes.empty() ? 1 : static_cast<std::int64_t>(group_sizes.size()); }
    friend bool operator==(const Format&, const Format&) = default;
};

/// Widths of one contraction (linear, convolution, product of two values).
struct ContractionPlan {
    int left_bits = 8, right_bits = 8;  ///< activation and weight, or left and right operand
    std::int64_t depth = 0;             ///< products per output (K)
    std::vector<std::int64_t> term_sizes{};  ///< positions of k per term; one entry = one term; residue terms of a log operand all have K
    int shift = 0;                      ///< largest left shift of a product (log operand)
    int product_bits = 0;               ///< width of A_t
    int accumulator_bits = 0;           ///< width of Acc
    friend bool operator==(const ContractionPlan&, const ContractionPlan&) = default;
};

/// Formats by value name and contraction widths by node name. `assumed`: made from settings alone, group sizes are even splits.
struct FormatPlan {
    std::map<std::string, Format, std::less<>> formats;
    std::map<std::string, ContractionPlan, std::less<>> contractions;
    bool assumed = true;

    [[nodiscard]] const Format& format(std::string_view value) const;
    [[nodiscard]] const ContractionPlan& contraction(std::string_view node) const;
};

/// Derives the plan of `graph` from the settings: kinds and widths follow from each value's producer and consumers.
///
/// Throws    SettingsError naming the layers whose channel count is below the group count asked for, or a width that does not fit 63 bits.
[[nodiscard]] FormatPlan make_plan(const models::Graph& graph, const Settings& settings);

/// The settings do not fit the model; the message lists every layer concerned.
class SettingsError final : public models::InputError {
  public:
    using InputError::InputError;
};

/// Linear, convolutions and products of two values: what the PE array executes.
[[nodiscard]] bool is_contraction(const models::Operator& op) noexcept;

/// Useful maximum of the code width of a logarithmic probability: ceil(log2(cap * tau + tau + 1)).
[[nodiscard]] int useful_log_bits(int tau, int shift_cap) noexcept;

/// Width of A_t = sum of `depth` products (left - z)(right - z'), shifted left by at most `shift`: sign included.
[[nodiscard]] int product_width(int left_bits, int right_bits, bool right_is_symmetric, std::int64_t depth, int shift) noexcept;

/// Largest exponent x_t a term constant may have: 6, less where 63 bits would be exceeded. From widths alone.
[[nodiscard]] int max_term_exponent(int product_bits, int term_bits) noexcept;

}  // namespace prelude::quant
