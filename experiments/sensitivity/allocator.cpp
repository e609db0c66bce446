// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/allocator.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/config/keys.hpp"
#include "experiments/store/cache.hpp"
#include "experiments/sweep/describe.hpp"
#include "experiments/sweep/pareto.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace {

constexpr double kLeastReward = 0.01;  ///< of the cycles: less is not a datapath that rewards narrow operands
constexpr int kMaxRounds = 8;          ///< of correcting the sum of cycles by what the whole network took

models::InputError refusal(std::string_view option, const std::string& found, const std::string& allowed, std::string_view because = {}) {
    return models::InputError(fmt::format("{}: {}\n    allowed   {}{}", option, found, allowed, because.empty() ? "" : fmt::format("\n    because   {}", because)));
}

std::vector<int> parse_widths(const std::string& text) {
    if (text.empty()) return {2, 3, 4, 5, 6, 7, 8};
    const auto& domain = find_key("quant.weight_bits")->domain;
    std::vector<int> widths;
    for (std::string_view rest = text;;) {
        const auto comma = rest.find(',');
        const auto part = rest.substr(0, comma);
        Node node;
        node.kind = Node::Kind::scalar;
        node.text = part;
        std::vector<Refusal> refusals;
        const auto value = domain.read(node, refusals);
        const int bits = value ? static_cast<int>(std::get<std::int64_t>(*value)) : 0;
        if (!value || std::ranges::find(widths, bits) != widths.end()) throw refusal("--widths", fmt::format("got {}", text), "different widths of " + domain.allowed() + ", joined by commas");
        widths.push_back(bits);
        if (comma == std::string_view::npos) return widths;
        rest.remove_prefix(comma + 1);
    }
}

/// The configured point on hardware that no longer follows from its formats.
Configuration with_fixed_hardware(Configuration point, const DesignPoint& design) {
    auto& hw = point.base.hw;
    const auto& pe = sim::resolve(design.design, design.plan).pe;
    hw.pe.size = sim::PeSize::given;
    hw.pe.rows = pe.rows, hw.pe.cols = pe.cols, hw.pe.depth = pe.depth;
    hw.pe.weight_bits = pe.weight_bits, hw.pe.activation_bits = pe.activation_bits;
    hw.clock_mhz = design.design.clock_mhz;
    return point;
}

Budget read_budget(const std::string& text) {
    const auto budget = parse_budget(text);
    if (!budget) throw refusal("--budget", fmt::format("got {}", text), std::string(kBudgetForms));
    return *budget;
}

}  // namespace

Allocator::Allocator(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set, const Interrupt& interrupt)
    : request_(request), make_task_set_(make_task_set), interrupt_(interrupt), budget_(read_budget(request.budget)),
      space_(layers, parse_widths(request.widths), budget_.is_latency()), design_(resolve_design(point.base, point.costs.at(point.base.cost_table))),
      point_(with_fixed_hardware(point, design_)), clock_is_automatic_(point.base.hw.clock_mhz == 0) {
    if (budget_.is_latency() && !design_.infeasible.empty()) throw refusal("--budget", fmt::format("got {}, but the point is infeasible: {}", budget_.text, design_.infeasible), "a design that fits its device");
}

std::optional<std::vector<Candidate>> Allocator::run() {
    if (!budget_.is_latency()) (void)weight_budget(weight_problem(space_, {}));  // out of reach: said before anything is measured
    if (budget_.is_latency()) {
        const auto timings = time_pairs();
        return timings && measure_damages() ? by_latency(*timings) : std::nullopt;
    }
    return measure_damages() ? std::optional(by_weights()) : std::nullopt;
}

bool Allocator::measure_damages() {
    const auto clean = clean_settings(point_.base.quant);
    const DamageStudy study(clean, layers_of(design_.graph, clean), space_);
    const auto measured = run_study(clean_point(point_), study.variants(), request_.study, make_task_set_, interrupt_);
    if (!measured) return false;
    damages_ = study.damages(*measured);
    WidthChoice rest;  // what has a choice at 16 bits, all else as configured
    for (const auto& layer : space_.layers()) {
        const auto wide = [](const std::vector<int>& widths) { return widths.size() > 1 ? 16 : 0; };
        rest[layer.node] = {.weight_bits = wide(space_.weight_widths(layer)), .activation_bits = wide(space_.activation_widths(layer))};
    }
    const auto undecided = run_study(point_, {{.layers = with_widths(point_.base.quant, space_.layers(), rest)}}, request_.study, make_task_set_, interrupt_);
    if (!undecided) return false;
    damages_.rest_error = undecided->front().damage.error;
    return true;
}

void Allocator::settle_clock(const std::vector<WidthPair>& pairs) {
    auto settings = point_.base;
    if (clock_is_automatic_) settings.hw.clock_mhz = 0;
    for (const auto& pair : pairs) {
        settings.quant.layers = with_widths(point_.base.quant, space_.layers(), space_.uniform(pair));
        const auto design = resolve_design(settings, point_.costs.at(settings.cost_table));
        if (!design.infeasible.empty()) {
            throw refusal("--widths", fmt::format("got {}, but W{}A{} is infeasible on this array: {}", fmt::join(space_.widths(), ","), pair.first, pair.second, design.infeasible),
                          "widths that all fit the device; a latency budget compares them on one array");
        }
        point_.base.hw.clock_mhz = std::min(point_.base.hw.clock_mhz, design.design.clock_mhz);
    }
}

std::optional<Allocator::Timings> Allocator::time_pairs() {
    const auto pairs = width_pairs(space_);
    settle_clock(pairs);
    std::vector<Variant> variants;
    for (const auto& pair : pairs) variants.push_back({.layers = with_widths(point_.base.quant, space_.layers(), space_.uniform(pair)), .damage = false, .timing = true});
    const auto measured = run_study(point_, variants, request_.study, make_task_set_, interrupt_);
    if (!measured) return std::nullopt;
    Timings timings;
    for (std::size_t i = 0; i < pairs.size(); ++i) timings[pairs[i]] = (*measured)[i].timing;
    refuse_without_reward(timings);
    return timings;
}

/// Bits of weights that may be spent.
std::int64_t Allocator::weight_budget(const AllocationProblem& problem) const {
    double bits = 0;
    if (budget_.kind == Budget::Kind::weight_bytes) {
        bits = 8 * budget_.amount;
    } else {
        for (const auto& layer : space_.layers())
            bits += static_cast<double>(layer.num_weights) * (space_.weight_widths(layer).empty() ? layer.weights.bits : layer.weights.held.empty() ? budget_.amount : std::max<double>(budget_.amount, layer.weights.floor));
    }
    const auto reach = problem.reach();
    if (bits < static_cast<double>(reach.least))
        throw refusal("--budget", fmt::format("got {}, which is {:.0f} bytes of weights", budget_.text, bits / 8),
                      fmt::format("{} bytes or more, with widths {}; {} bytes are the most that help", (reach.least + 7) / 8, fmt::join(space_.widths(), ","), (reach.most + 7) / 8),
                      "layers are held at quant.edge_bits, quant.decoder_bits and what quant.layers says");
    return static_cast<std::int64_t>(std::min(bits, static_cast<double>(reach.most)));
}

std::vector<Candidate> Allocator::by_weights() const {
    const auto problem = weight_problem(space_, damages_);
    const auto bits = weight_budget(problem);
    const auto solution = problem.solve(bits);
    models::check(solution.has_value(), "a budget within reach has no solution");
    return {uniform_weights(bits), {.name = "allocated", .choice = solution->choice, .predicted = predicted(solution->choice)}};
}

/// All layers at the widest width that fits; the narrowest where none does.
Candidate Allocator::uniform_weights(std::int64_t bits) const {
    WidthChoice choice;
    int widest = 2;
    for (const int width : {2, 3, 4, 5, 6, 7, 8, 16}) {
        WidthChoice candidate;
        for (const auto& layer : space_.layers())
            if (!space_.weight_widths(layer).empty()) candidate[layer.node] = {.weight_bits = std::max(width, layer.weights.floor), .activation_bits = 0};
        if (!choice.empty() && weight_bytes(space_.layers(), candidate) * 8 > static_cast<double>(bits)) break;
        choice = std::move(candidate);
        widest = width;
    }
    return {.name = fmt::format("uniform W{}", widest), .choice = choice, .predicted = predicted(choice)};
}

std::optional<std::int64_t> Allocator::cycles_of(const WidthChoice& choice) const {
    const auto measured = run_study(point_, {{.layers = with_widths(point_.base.quant, space_.layers(), choice), .damage = false, .timing = true}}, request_.study, make_task_set_, interrupt_);
    if (!measured) return std::nullopt;
    return total_cycles(measured->front().timing);
}

std::optional<std::int64_t> Allocator::latency_budget() const {
    if (budget_.kind == Budget::Kind::cycles) return static_cast<std::int64_t>(budget_.amount);
    if (budget_.kind == Budget::Kind::milliseconds) return static_cast<std::int64_t>(budget_.amount * point_.base.hw.clock_mhz * 1e3);
    const auto configured = cycles_of({});
    if (!configured) return std::nullopt;
    return static_cast<std::int64_t>(budget_.amount * static_cast<double>(*configured));
}

/// Before anything else is measured: a datapath that takes as long whatever the widths are.
void Allocator::refuse_without_reward(const Timings& timings) const {
    const auto narrow = total_cycles(timings.begin()->second), wide = total_cycles(timings.at(space_.widest()));
    if (static_cast<double>(narrow) > (1 - kLeastReward) * static_cast<double>(wide))
        throw refusal("--budget", fmt::format("got {}, but the network takes {:.3f} ms at W{}A{} and {:.3f} ms at W{}A{}", budget_.text, milliseconds(narrow), space_.widths().front(),
                                              space_.widths().front(), milliseconds(wide), space_.widths().back(), space_.widths().back()),
                      "a datapath that narrower operands make faster: hw.pe.precision packed (DSP slices, up to 4 bits) or fused (hw.pe.multiplier: lut)",
                      "there is nothing to gain here by widths; a weight_bits budget still saves bytes");
}

std::optional<std::vector<Candidate>> Allocator::by_latency(const Timings& timings) const {
    const auto cycles = latency_budget();
    if (!cycles) return std::nullopt;
    const auto problem = latency_problem(space_, damages_, timings);
    const auto reach = problem.reach();
    const auto out_of_reach = [&](std::int64_t least) {
        return refusal("--budget", fmt::format("got {}, which is {} cycles", budget_.text, *cycles),
                       fmt::format("{} cycles ({:.3f} ms) or more, with widths {}; {} cycles ({:.3f} ms) are the most that help", least, milliseconds(least),
                                   fmt::join(space_.widths(), ","), reach.most, milliseconds(reach.most)));
    };
    if (*cycles < reach.least) throw out_of_reach(reach.least);
    std::optional<Candidate> best;
    auto target = *cycles;
    std::vector<WidthChoice> tried;
    for (int round = 0; round < kMaxRounds; ++round) {
        const auto solution = problem.solve(target);
        if (!solution || std::ranges::find(tried, solution->choice) != tried.end()) break;
        tried.push_back(solution->choice);
        const auto whole = cycles_of(solution->choice);
        if (!whole) return std::nullopt;
        Candidate candidate{.name = "allocated", .choice = solution->choice, .predicted = predicted(solution->choice), .predicted_cycles = solution->cost};
        if (*whole <= *cycles && (!best || candidate.predicted < best->predicted)) best = candidate;
        target += *cycles - *whole;
    }
    if (!best) throw out_of_reach(total_cycles(timings.begin()->second));
    return std::vector{uniform_pair(timings, *cycles), *best};
}

/// The pair of widths for all layers of least predicted error that is fast enough; the fastest where none is.
Candidate Allocator::uniform_pair(const Timings& timings, std::int64_t cycles) const {
    std::optional<Candidate> best, fastest;
    for (const auto& [pair, timing] : timings) {
        const auto choice = space_.uniform(pair);
        const auto taken = total_cycles(timing);
        Candidate candidate{.name = fmt::format("uniform W{}A{}", pair.first, pair.second), .choice = choice, .predicted = predicted(choice), .predicted_cycles = taken};
        if (!fastest || taken < fastest->predicted_cycles) fastest = candidate;
        if (taken <= cycles && (!best || candidate.predicted < best->predicted)) best = std::move(candidate);
    }
    return best ? *best : *fastest;
}

bool Allocator::evaluate(std::vector<Candidate>& candidates, std::optional<PairedComparison>& comparison) const {
    std::vector<Variant> variants;
    std::vector<std::vector<quant::LayerOverride>> values;
    for (const auto& candidate : candidates) {
        values.push_back(with_widths(point_.base.quant, space_.layers(), candidate.choice));
        variants.push_back({.layers = values.back()});
    }
    const auto measured = run_study(point_, variants, request_.study, make_task_set_, interrupt_);
    if (!measured) return false;
    for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].measured = (*measured)[i].damage.error;

    const auto configuration = with_layer_axis(point_, values);
    const Grid grid(configuration);
    const auto task_set = make_task_set_({});
    const auto info = info_of(configuration, grid, task_set);
    const auto summary = run_sweep(grid, task_set, info, {.out = request_.out, .num_jobs = request_.study.num_jobs, .shard = {}, .quiet = request_.study.quiet, .strict = {}}, interrupt_);
    if (summary.interrupted) return false;
    const auto store = Store::open_existing(store_path(request_.out, {}), true);
    const auto rows = store.rows(false);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        candidates[i].row = rows.at(i);
        if (text_in(rows[i], "status") == "failed") throw StudyFailed(fmt::format("{}: {}", candidates[i].name, text_in(rows[i], "reason")));
    }
    if (values[0] != values[1]) comparison = compare(info, rows, scores_in(store), "quant.layers");
    return true;
}

}  // namespace prelude::experiments
