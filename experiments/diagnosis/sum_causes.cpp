// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/sum_causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <set>

#include "quant/arithmetic/rescale.hpp"

namespace prelude::experiments {

namespace {

constexpr std::array kTileExtents{std::size_t{4}, std::size_t{8}, std::size_t{16}, std::size_t{32}, std::size_t{64}};

quant::Contraction* contraction_in(quant::Operation& operation) {
    if (auto* patch = std::get_if<quant::PatchEmbedding>(&operation)) return &patch->contraction;
    return std::get_if<quant::Contraction>(&operation);
}

/// The operation with other integers.
struct Fault {
    Finding finding;
    std::function<void(quant::Operation&)> plant;
};

/// Another group for every input: by the map and the input's place.
struct Regrouping {
    const char* detail;
    std::int32_t (*group)(const std::vector<std::int32_t>& map, std::size_t input, std::int32_t num_groups);
};
constexpr std::array kRegroupings{
    Regrouping{"that of the next input", [](const auto& map, std::size_t i, std::int32_t) { return map[(i + 1) % map.size()]; }},
    Regrouping{"that of the input before",
               [](const auto& map, std::size_t i, std::int32_t) { return map[(i + map.size() - 1) % map.size()]; }},
    Regrouping{"that of the input as far from the end",
               [](const auto& map, std::size_t i, std::int32_t) { return map[map.size() - 1 - i]; }},
    Regrouping{"one number too high", [](const auto& map, std::size_t i, std::int32_t n) { return (map[i] + 1) % n; }},
    Regrouping{"numbered in reverse", [](const auto& map, std::size_t i, std::int32_t n) { return n - 1 - map[i]; }},
};

/// Maps an engineer may have used instead of the right one.
std::vector<std::pair<std::string, std::vector<std::int32_t>>> other_maps(const std::vector<std::int32_t>& map, std::size_t num_groups) {
    std::vector<std::pair<std::string, std::vector<std::int32_t>>> maps;
    for (const auto& by : kRegroupings) {
        auto& other = maps.emplace_back(by.detail, map).second;
        for (std::size_t i = 0; i < map.size(); ++i) other[i] = by.group(map, i, static_cast<std::int32_t>(num_groups));
    }
    auto& sorted = maps.emplace_back("by the order of inputs: the map is not used", map).second;
    std::ranges::sort(sorted);
    return maps;
}

void add_contraction_faults(const quant::Contraction& form, std::vector<Fault>& faults) {
    const auto add = [&](Cause cause, std::string detail, std::function<void(quant::Contraction&)> plant) {
        faults.push_back(
            {{cause, std::move(detail)}, [plant = std::move(plant)](quant::Operation& operation) { plant(*contraction_in(operation)); }});
    };
    const auto k = static_cast<std::size_t>(form.depth), n = static_cast<std::size_t>(form.num_outputs), num_terms = form.terms.size();
    add(Cause::zero_point, "the zero point of the activations is not subtracted", [](auto& f) {
        for (auto& term : f.terms) term.zero_point = 0;
    });
    add(Cause::transposed, "weights are read as [inputs, outputs]", [k, n](auto& f) {
        const auto weights = f.weights;
        for (std::size_t o = 0; o < n; ++o)
            for (std::size_t i = 0; i < k; ++i) f.weights[o * k + i] = weights[i * n + o];
    });
    add(Cause::sign_extension, "weights are read as unsigned", [](auto& f) {
        for (auto& w : f.weights)
            if (w < 0) w += 1 << f.weight_bits;
    });
    for (const int by : {-1, 1})
        add(Cause::channel_constants, fmt::format("weights are those of output o {} 1", by > 0 ? '+' : '-'), [k, n, by](auto& f) {
            const auto shift = by > 0 ? k : (n - 1) * k;
            std::rotate(f.weights.begin(), f.weights.begin() + static_cast<std::ptrdiff_t>(shift), f.weights.end());
        });
    const auto without = [&](std::string detail, std::size_t begin, std::size_t end) {
        add(Cause::loop_bound, std::move(detail), [=](auto& f) {
            for (std::size_t o = 0; o < n; ++o)
                std::fill(f.weights.begin() + static_cast<std::ptrdiff_t>(o * k + begin),
                          f.weights.begin() + static_cast<std::ptrdiff_t>(o * k + end), 0);
        });
    };
    without("the last input is not added", k - 1, k);
    without("the first input is not added", 0, 1);
    for (const auto extent : kTileExtents) {
        if (extent >= k) continue;
        without(fmt::format("the last {} inputs are not added", k % extent == 0 ? extent : k % extent), (k - 1) / extent * extent, k);
        without(fmt::format("the first {} inputs are not added", extent), 0, extent);
        for (const bool last : {true, false})
            add(Cause::loop_bound, fmt::format("the {} of every {} inputs is not added", last ? "last" : "first", extent), [=](auto& f) {
                for (std::size_t o = 0; o < n; ++o)
                    for (std::size_t i = 0; i < k; ++i)
                        if (i % extent == (last ? extent - 1 : 0) || (last && i + 1 == k)) f.weights[o * k + i] = 0;
            });
    }
    for (const auto extent : kTileExtents) {
        if (extent < n)
            add(Cause::stale_buffer, fmt::format("weights of the first {} outputs serve all", extent), [=](auto& f) {
                for (std::size_t o = 0; o < n; ++o)
                    std::copy_n(f.weights.begin() + static_cast<std::ptrdiff_t>(o % extent * k), k,
                                f.weights.begin() + static_cast<std::ptrdiff_t>(o * k));
            });
        if (extent < k)
            add(Cause::stale_buffer, fmt::format("weights of the first {} inputs serve all", extent), [=](auto& f) {
                for (std::size_t o = 0; o < n; ++o)
                    for (std::size_t i = extent; i < k; ++i) f.weights[o * k + i] = f.weights[o * k + i % extent];
            });
    }
    if (num_terms > 1 && !form.term_of.empty()) {
        for (const auto& [detail, map] : other_maps(form.term_of, num_terms))
            add(Cause::group_map, fmt::format("every input has another group: {}", detail), [map = map](auto& f) { f.term_of = map; });
        constexpr std::size_t kMaxListed = 16;
        for (std::size_t a = 0; a < std::min(num_terms, kMaxListed); ++a) {
            const auto g = static_cast<std::int32_t>(a);
            add(Cause::group_map, fmt::format("all inputs are in group {}", a), [g](auto& f) { std::ranges::fill(f.term_of, g); });
            for (std::size_t b = a + 1; b < std::min(num_terms, kMaxListed); ++b) {
                const auto h = static_cast<std::int32_t>(b);
                add(Cause::group_map, fmt::format("groups {} and {} are exchanged", a, b), [g, h](auto& f) {
                    for (auto& group : f.term_of) group = group == g ? h : group == h ? g : group;
                });
                const auto swap = [&](std::string_view what, auto member) {
                    add(Cause::group_map, fmt::format("{} of groups {} and {} are exchanged", what, a, b),
                        [=](auto& f) { std::swap(f.terms[a].*member, f.terms[b].*member); });
                };
                swap("multipliers", &quant::Term::multiplier);
                swap("exponents", &quant::Term::exponent);
                swap("zero points", &quant::Term::zero_point);
            }
        }
        const auto same = [&](std::string detail, auto member, auto value) {
            add(Cause::group_map, std::move(detail), [=](auto& f) {
                for (auto& term : f.terms) term.*member = value;
            });
        };
        same("sums of groups are added without their multipliers", &quant::Term::multiplier, std::uint32_t{1});
        same("sums of groups are added without their exponents", &quant::Term::exponent, 0);
        same("all groups have the multiplier of group 0", &quant::Term::multiplier, form.terms[0].multiplier);
        same("all groups have the zero point of group 0", &quant::Term::zero_point, form.terms[0].zero_point);
    }
}

/// Other ways to read the codes of a left operand.
void add_code_faults(const quant::OperandCode& code, const std::function<quant::OperandCode*(quant::Operation&)>& of,
                     std::vector<Fault>& faults) {
    if (code.kind == quant::OperandKind::uniform) return;
    const auto add = [&](std::string detail, std::function<void(quant::OperandCode&)> plant) {
        faults.push_back({{Cause::code_table, std::move(detail)},
                          [of, plant = std::move(plant)](quant::Operation& operation) { plant(*of(operation)); }});
    };
    for (const int by : {-1, 1}) {
        const auto* text = by > 0 ? "one too large" : "one too small";
        if (code.shift_cap + by >= 0 && code.shift_cap + by <= 20)
            add(fmt::format("the largest shift is {}", text), [by](auto& c) { c.shift_cap += by; });
        if (code.log_levels > 0) add(fmt::format("the number of power levels is {}", text), [by](auto& c) { c.log_levels += by; });
    }
    if (code.zero_code >= 0) add("the zero code counts as the smallest power", [](auto& c) { c.zero_code = -1; });
}

std::vector<Fault> faults_of(const quant::Operation& operation) {
    std::vector<Fault> faults;
    auto copy = operation;
    if (const auto* form = contraction_in(copy)) {
        add_contraction_faults(*form, faults);
        add_code_faults(
            form->code, [](quant::Operation& o) { return &contraction_in(o)->code; }, faults);
    } else if (const auto* product = std::get_if<quant::Product>(&operation)) {
        const auto of = [](quant::Operation& o) -> quant::Product& { return std::get<quant::Product>(o); };
        if (product->left_zero_point != 0)
            faults.push_back({{Cause::zero_point, "the zero point of the left operand is not subtracted"},
                              [of](auto& o) { of(o).left_zero_point = 0; }});
        if (product->right_zero_point != 0)
            faults.push_back({{Cause::zero_point, "the zero point of the right operand is not subtracted"},
                              [of](auto& o) { of(o).right_zero_point = 0; }});
        if (product->terms.size() > 1)
            faults.push_back({{Cause::code_table, "residues are added without their constants"}, [of](auto& o) {
                                  for (auto& term : of(o).terms) term.multiplier = of(o).terms[0].multiplier;
                              }});
        add_code_faults(
            product->code, [](quant::Operation& o) { return &std::get<quant::Product>(o).code; }, faults);
    }
    return faults;
}

/// Codes of a code table that another rule may not read outside its range.
bool is_safe(const quant::Operation& operation) {
    auto copy = operation;
    const auto* form = contraction_in(copy);
    const auto* product = std::get_if<quant::Product>(&operation);
    const auto& code = form ? form->code : product->code;
    if (code.kind != quant::OperandKind::logarithmic) return true;
    return code.zero_code >= 0 ? (code.log_levels == 0 || (code.log_levels - 1) / code.tau <= code.shift_cap)
                               : ((1 << code.bits) - 1) / code.tau <= code.shift_cap;
}

/// Sums of a contraction by rows of one operand: where they lie, and what a buffer that is not cleared makes of them.
class Tiles {
  public:
    explicit Tiles(const Evidence& evidence) {
        const auto& shape = evidence.tensor().shape;
        columns_ = shape.rank() == 0 ? 1 : static_cast<std::size_t>(shape.back());
        rows_ = evidence.size() / std::max<std::size_t>(1, columns_);
        extents_.insert({1, 1});
        extents_.insert({1, columns_});
        extents_.insert({rows_, 1});
        for (const auto height : kTileExtents)
            for (const auto width : kTileExtents) extents_.insert({std::min(height, rows_), std::min(width, columns_)});
        for (const auto extent : kTileExtents)
            extents_.insert({std::min(extent, rows_), columns_}), extents_.insert({rows_, std::min(extent, columns_)}),
                extents_.insert({1, std::min(extent, columns_)});
        if (evidence.tensor().tile.size() == 2)
            extents_.insert(
                {static_cast<std::size_t>(evidence.tensor().tile[0].extent), static_cast<std::size_t>(evidence.tensor().tile[1].extent)});
        std::erase_if(extents_, [&](const auto& extent) { return extent.first >= rows_ && extent.second >= columns_; });
    }

    [[nodiscard]] const std::set<std::pair<std::size_t, std::size_t>>& extents() const noexcept { return extents_; }

    /// What a buffer of one tile holds when its sums go on from those of the tile before.
    [[nodiscard]] std::vector<std::int64_t> carried(std::span<const std::int64_t> sums, std::size_t height, std::size_t width,
                                                    bool rows_outer) const {
        std::vector<std::int64_t> result(sums.begin(), sums.end()), buffer(height * width, 0);
        const auto down = (rows_ + height - 1) / height, across = (columns_ + width - 1) / width;
        for (std::size_t tile = 0; tile < down * across; ++tile) {
            const auto row = (rows_outer ? tile / across : tile % down) * height,
                       column = (rows_outer ? tile % across : tile / down) * width;
            for (std::size_t r = 0; r < height && row + r < rows_; ++r) {
                for (std::size_t c = 0; c < width && column + c < columns_; ++c) {
                    auto& sum = buffer[r * width + c];
                    const auto at = (row + r) * columns_ + column + c;
                    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(sums[at]));
                    result[at] = sum;
                }
            }
        }
        return result;
    }

  private:
    std::size_t rows_ = 1, columns_ = 1;
    std::set<std::pair<std::size_t, std::size_t>> extents_;
};

/// Operands of which rows or entries are read again instead of the next ones.
std::vector<std::pair<Finding, std::vector<models::IntTensor>>> stale_inputs(const NodeTrial& trial) {
    std::vector<std::pair<Finding, std::vector<models::IntTensor>>> variants;
    const auto& left = trial.inputs().front();
    if (left.shape().rank() != 3) return variants;
    const auto width = static_cast<std::size_t>(left.shape().back()), rows = static_cast<std::size_t>(left.num_elements()) / width;
    const auto add = [&](std::string detail, const auto& from) {
        auto inputs = trial.inputs();
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t c = 0; c < width; ++c) inputs.front()[r * width + c] = left[from(r, c)];
        variants.emplace_back(Finding{Cause::stale_buffer, std::move(detail)}, std::move(inputs));
    };
    for (const auto extent : kTileExtents) {
        if (extent < rows) {
            add(fmt::format("activations of the first {} rows serve all", extent),
                [=](std::size_t r, std::size_t c) { return r % extent * width + c; });
            add(fmt::format("activations are those of {} rows before", extent),
                [=](std::size_t r, std::size_t c) { return (r < extent ? r : r - extent) * width + c; });
        }
        if (extent < width)
            add(fmt::format("activations of the first {} inputs serve all", extent),
                [=](std::size_t r, std::size_t c) { return r * width + c % extent; });
    }
    return variants;
}

/// Zero points by one map, sums by another: only one of the two reads of the map is wrong.
template <class Explained>
void add_split_maps(const NodeTrial& trial, const quant::Contraction& form, const Explained& explained, std::vector<Finding>& findings) {
    if (form.terms.size() < 2 || form.term_of.empty()) return;
    const auto k = static_cast<std::size_t>(form.depth), n = static_cast<std::size_t>(form.num_outputs);
    const auto attempt = [&](const std::vector<std::int32_t>& sum_map, const std::vector<std::int32_t>& zero_map, std::string detail) {
        auto operation = trial.operation();
        auto& other = *contraction_in(operation);
        other.term_of = sum_map;
        for (auto& term : other.terms) term.zero_point = 0;
        std::vector<std::int64_t> zeros(n, 0);  // what the zero points take away from every output
        for (std::size_t o = 0; o < n; ++o)
            for (std::size_t i = 0; i < k; ++i) {
                const auto& sum_term = form.terms[static_cast<std::size_t>(sum_map[i])];
                const std::int64_t factor =
                    std::int64_t{form.terms[static_cast<std::size_t>(zero_map[i])].zero_point} * form.weights[o * k + i];
                zeros[o] += (factor * std::int64_t{sum_term.multiplier}) << sum_term.exponent;
            }
        const auto raw = trial.sums(operation);
        if (explained([&](std::size_t w) { return raw[w] - zeros[trial.channel_of(w) % n]; }))
            findings.push_back({Cause::group_map, std::move(detail)});
    };
    for (const auto& [detail, map] : other_maps(form.term_of, form.terms.size())) {
        attempt(map, form.term_of, fmt::format("products are added to another group: {}", detail));
        attempt(form.term_of, map, fmt::format("zero points are those of another group: {}", detail));
    }
}

std::int64_t wrapped(std::int64_t v, int bits) {
    return WordFormat{.bits = bits, .is_signed = true}.of_pattern(static_cast<std::uint64_t>(v));
}

}  // namespace

std::vector<Finding> causes_of_sums(const Evidence& evidence, const NodeTrial& trial, Stage stage) {
    std::vector<Finding> findings;
    const auto result_of = [&](const quant::Operation& operation, const std::vector<models::IntTensor>& inputs) {
        return stage == Stage::sums ? trial.sums(operation, inputs) : trial.words(operation, inputs);
    };
    for (const auto& fault : faults_of(trial.operation())) {
        auto operation = trial.operation();
        fault.plant(operation);
        if (operation != trial.operation() && is_safe(operation) && evidence.equals(result_of(operation, trial.inputs())))
            findings.push_back(fault.finding);
    }
    for (const auto& [finding, inputs] : stale_inputs(trial))
        if (evidence.equals(result_of(trial.operation(), inputs))) findings.push_back(finding);

    auto copy = trial.operation();
    const auto* form = contraction_in(copy);
    const auto* product = std::get_if<quant::Product>(&trial.operation());
    const bool is_patch = std::holds_alternative<quant::PatchEmbedding>(trial.operation());
    if (stage == Stage::words && (form == nullptr || is_patch)) return findings;
    const auto sums = trial.sums(trial.operation());
    const auto explained = [&](const auto& sum_of) {
        return evidence.explained_by([&](std::size_t i) {
            const std::int64_t sum = sum_of(i);
            return stage == Stage::sums ? sum : static_cast<std::int64_t>(quant::rescale(form->rescale, trial.channel_of(i), sum));
        });
    };
    const int bits = form != nullptr ? form->accumulator_bits : product->accumulator_bits;
    constexpr int kLeastBits = 4;
    for (int width = std::min(bits, 62); width >= kLeastBits; --width) {
        if (explained([&](std::size_t i) { return wrapped(sums[i], width); }))
            findings.push_back({Cause::overflow, fmt::format("sums wrap at {} bits", width)});
        const auto limit = (std::int64_t{1} << (width - 1)) - 1;
        if (explained([&](std::size_t i) { return std::clamp(sums[i], -limit - 1, limit); }))
            findings.push_back({Cause::overflow, fmt::format("sums saturate at {} bits", width)});
    }
    if (form != nullptr) add_split_maps(trial, *form, explained, findings);
    const Tiles tiles(evidence);
    for (const auto& [height, width] : tiles.extents()) {
        for (const bool rows_outer : {true, false}) {
            const auto carried = tiles.carried(sums, height, width, rows_outer);
            if (explained([&](std::size_t i) { return carried[i]; }))
                findings.push_back(
                    {Cause::stale_buffer, fmt::format("sums of tiles of {} x {} go on from those of the tile before", height, width)});
        }
    }
    return findings;
}

}  // namespace prelude::experiments
