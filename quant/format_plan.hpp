// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which kind of number every value of a graph is: what hardware must know before any value exists (docs/numerics.md section 1).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/graph/sam.hpp"
#include "quant/operations.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

enum class FormatKind {
    pixel,        ///< unsigned 8-bit picture element
    code,         ///< unsigned operand code q, value = s_g * (q - z_g), g the channel's group
    fixed,        ///< signed fixed point, value = q * 2^-f: residual stream, embeddings, logits
    score,        ///< signed fixed point in log2 units: attention scores
    probability,  ///< softmax output code: uniform, logarithmic of base 2^(1/tau), or companded
    hybrid,       ///< log levels and uniform steps side by side: the MLP's hidden layer
    coordinate,   ///< prompt coordinate x + 1/2 in 2^-8 pixel, or a label
    floating,     ///< binary32 or binary16 (docs/numerics.md section 9)
};

struct Format {
    FormatKind kind = FormatKind::fixed;
    int bits = 16;                            ///< stored width; codes and probabilities unsigned, fixed and score signed
    std::vector<std::int64_t> group_sizes{};  ///< code: channels per group; empty = one group; as many entries as channels = per channel
    std::vector<std::int32_t> group_of{};     ///< code in groups, calibrated: the group of every channel, which is how its words lie; empty: not known
    OperandKind code = OperandKind::uniform;  ///< probability: how its codes enter a product
    int tau = 0;                              ///< probability of logarithmic or companded codes: 1, 2, 4; else 0
    int shift_cap = 0;                        ///< probability of such codes, and hybrid: largest shift
    int log_levels = 0;                       ///< logarithmic: codes that carry values; hybrid: codes below are powers of two, the rest uniform steps
    std::int32_t zero_code = -1;              ///< logarithmic: the code that means 0; -1: none
    int entry_bits = 0;                       ///< probability, table and bucket: width of a code's factor
    int alignment = -1;                       ///< hybrid: a step is 2^alignment of the smallest power; -1: not aligned
    ScaleMode scale = ScaleMode::row;         ///< probability
    [[nodiscard]] std::int64_t num_groups() const noexcept { return group_sizes.empty() ? 1 : static_cast<std::int64_t>(group_sizes.size()); }
    friend bool operator==(const Format&, const Format&) = default;
};

/// Widths of one contraction (linear, convolution, product of two values).
struct ContractionPlan {
    int left_bits = 8, right_bits = 8;  ///< activation and weight, or left and right operand
    std::int64_t depth = 0;             ///< products per output (K)
    std::vector<std::int64_t> term_sizes{};  ///< positions of k per term; one entry = one term; those of a coded operand all have K
    OperandKind left = OperandKind::uniform;  ///< how the left operand enters
    int factor_bits = 8;                ///< width of what is multiplied: the left code, a hybrid step or aligned factor, a table's entry; powers, buckets: 0
    int shift = 0;                      ///< largest left shift of a product (powers)
    bool right_symmetric = true;        ///< the right operand has no zero point
    int product_bits = 0;               ///< width of A_t
    int accumulator_bits = 0;           ///< width of Acc
    bool shifted_terms = false;         ///< groups are scaled by shifts alone: one accumulator takes them all
    friend bool operator==(const ContractionPlan&, const ContractionPlan&) = default;
};

/// Formats by value name, contraction widths by node name, and what the vector units are made of. `assumed`: made from settings alone, group sizes are
/// even splits. Of a floating-point plan nothing is assumed.
struct FormatPlan {
    std::map<std::string, Format, std::less<>> formats;
    std::map<std::string, ContractionPlan, std::less<>> contractions;
    bool assumed = true;
    Exponential exponential = Exponential::table;
    Root root = Root::seeded;
    int float_bits = 0;   ///< of a stored word: 32 or 16; 0: integers
    int float_block = 0;  ///< entries of a floating-point sum that meet in a balanced tree

    [[nodiscard]] bool is_floating() const noexcept { return float_bits > 0; }
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

/// Gives a hybrid format `log_levels` powers of two (at least 1, at most all codes but one) and its largest shift.
void set_log_levels(Format& format, int log_levels, int shift_cap) noexcept;

/// Terms and widths of a layer that reads a hybrid operand.
///
/// Meaning   two sums over all of K: A_log with factors up to 2^E, A_uni with steps j; aligned: one with factors up to 2^E + j 2^alignment
/// Limits    an accumulator wider than 63 bits is the caller's to refuse
void plan_hybrid(const Format& format, bool symmetric_weights, int term_bits, ContractionPlan& plan) noexcept;

/// Width asked for the probabilities of a softmax.
[[nodiscard]] int probability_bits(const Settings& settings, const models::Node& softmax) noexcept;

/// Widths of a layer that reads an operand of uniform codes in one group; `plan.depth` and `plan.right_bits` are given.
void plan_uniform(const Format& format, bool symmetric_weights, ContractionPlan& plan) noexcept;

/// Terms and widths of a product of two values with formats `left` and `right`; `plan.depth` is given.
void plan_product(const Format& left, const Format& right, int term_bits, ContractionPlan& plan) noexcept;

/// Width of A_t = sum of `depth` products (left - z)(right - z'), shifted left by at most `shift`: sign included.
[[nodiscard]] int product_width(int left_bits, int right_bits, bool right_is_symmetric, std::int64_t depth, int shift) noexcept;

/// Most that power-of-two scales of groups differ by, in bits.
inline constexpr int kMaxScaleShift = 6;

/// Largest exponent x_t a term constant may have: 6, less where 63 bits would be exceeded. From widths alone.
[[nodiscard]] int max_term_exponent(int product_bits, int term_bits) noexcept;

}  // namespace prelude::quant
