// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/allocation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "experiments/commands/sweep.hpp"
#include "experiments/compare/comparison.hpp"
#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/output/csv.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sensitivity/allocation.hpp"
#include "experiments/store/cache.hpp"
#include "experiments/sweep/pareto.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

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

/// One of the two points that are evaluated side by side.
struct Candidate {
    std::string name;
    WidthChoice choice;
    double predicted = 0;  ///< error
    double measured = 0;
    std::int64_t predicted_cycles = 0;  ///< 0: not asked for
    Row row = {};
};

class Allocator {
  public:
    Allocator(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set, const Interrupt& interrupt)
        : request_(request), make_task_set_(make_task_set), interrupt_(interrupt), budget_(read_budget(request.budget)),
          space_(layers, parse_widths(request.widths), budget_.is_latency()), design_(resolve_design(point.base, point.costs.at(point.base.cost_table))),
          point_(with_fixed_hardware(point, design_)) {
        if (budget_.is_latency() && !design_.infeasible.empty()) throw refusal("--budget", fmt::format("got {}, but the point is infeasible: {}", budget_.text, design_.infeasible), "a design that fits its device");
    }

    /// The two points: uniform, allocated; nothing after Ctrl-C.
    std::optional<std::vector<Candidate>> run() {
        if (!budget_.is_latency()) (void)weight_budget(weight_problem(space_, {}));  // out of reach: said before anything is measured
        if (budget_.is_latency()) {
            const auto timings = time_pairs();
            return timings && measure_damages() ? by_latency(*timings) : std::nullopt;
        }
        return measure_damages() ? std::optional(by_weights()) : std::nullopt;
    }

    [[nodiscard]] const WidthSpace& space() const noexcept { return space_; }
    [[nodiscard]] const DamageTable& damages() const noexcept { return damages_; }
    [[nodiscard]] const Configuration& point() const noexcept { return point_; }
    [[nodiscard]] const Budget& budget() const noexcept { return budget_; }

  private:
    static Budget read_budget(const std::string& text) {
        const auto budget = parse_budget(text);
        if (!budget) throw refusal("--budget", fmt::format("got {}", text), std::string(kBudgetForms));
        return *budget;
    }

    /// False after Ctrl-C.
    bool measure_damages() {
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

    /// Cycles of every pair of widths; nothing after Ctrl-C.
    std::optional<std::map<WidthPair, nlohmann::json>> time_pairs() {
        const auto pairs = width_pairs(space_);
        std::vector<Variant> variants;
        for (const auto& pair : pairs) variants.push_back({.layers = with_widths(point_.base.quant, space_.layers(), space_.uniform(pair)), .damage = false, .timing = true});
        const auto measured = run_study(point_, variants, request_.study, make_task_set_, interrupt_);
        if (!measured) return std::nullopt;
        std::map<WidthPair, nlohmann::json> timings;
        for (std::size_t i = 0; i < pairs.size(); ++i) timings[pairs[i]] = (*measured)[i].timing;
        refuse_without_reward(timings);
        return timings;
    }

    [[nodiscard]] double predicted(const WidthChoice& choice) const { return damages_.rest_error + damages_.damage_of(space_, choice); }

    /// Bits of weights that may be spent.
    [[nodiscard]] std::int64_t weight_budget(const AllocationProblem& problem) const {
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

    std::vector<Candidate> by_weights() {
        const auto problem = weight_problem(space_, damages_);
        const auto bits = weight_budget(problem);
        const auto solution = problem.solve(bits);
        models::check(solution.has_value(), "a budget within reach has no solution");
        return {uniform_weights(bits), {.name = "allocated", .choice = solution->choice, .predicted = predicted(solution->choice)}};
    }

    /// All layers at the widest width that fits; the narrowest where none does.
    [[nodiscard]] Candidate uniform_weights(std::int64_t bits) const {
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

    [[nodiscard]] double milliseconds(std::int64_t cycles) const { return static_cast<double>(cycles) / (point_.base.hw.clock_mhz * 1e3); }

    /// Cycles of a choice as a whole; nothing after Ctrl-C.
    std::optional<std::int64_t> cycles_of(const WidthChoice& choice) {
        const auto measured = run_study(point_, {{.layers = with_widths(point_.base.quant, space_.layers(), choice), .damage = false, .timing = true}}, request_.study, make_task_set_, interrupt_);
        if (!measured) return std::nullopt;
        return total_cycles(measured->front().timing);
    }

    /// The budget in cycles; nothing after Ctrl-C.
    std::optional<std::int64_t> latency_budget() {
        if (budget_.kind == Budget::Kind::cycles) return static_cast<std::int64_t>(budget_.amount);
        if (budget_.kind == Budget::Kind::milliseconds) return static_cast<std::int64_t>(budget_.amount * point_.base.hw.clock_mhz * 1e3);
        const auto configured = cycles_of({});
        if (!configured) return std::nullopt;
        return static_cast<std::int64_t>(budget_.amount * static_cast<double>(*configured));
    }

    /// Before anything else is measured: a datapath that takes as long whatever the widths are.
    void refuse_without_reward(const std::map<WidthPair, nlohmann::json>& timings) const {
        const auto narrow = total_cycles(timings.begin()->second), wide = total_cycles(timings.at(space_.widest()));
        if (static_cast<double>(narrow) > (1 - kLeastReward) * static_cast<double>(wide))
            throw refusal("--budget", fmt::format("got {}, but the network takes {:.3f} ms at W{}A{} and {:.3f} ms at W{}A{}", budget_.text, milliseconds(narrow), space_.widths().front(),
                                                  space_.widths().front(), milliseconds(wide), space_.widths().back(), space_.widths().back()),
                          "a datapath that narrower operands make faster: hw.pe.precision packed (DSP slices, up to 4 bits) or fused (hw.pe.multiplier: lut)",
                          "there is nothing to gain here by widths; a weight_bits budget still saves bytes");
    }

    std::optional<std::vector<Candidate>> by_latency(const std::map<WidthPair, nlohmann::json>& timings) {
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
    [[nodiscard]] Candidate uniform_pair(const std::map<WidthPair, nlohmann::json>& timings, std::int64_t cycles) const {
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

    const AllocationRequest& request_;
    const MakeTaskSet& make_task_set_;
    const Interrupt& interrupt_;
    Budget budget_;
    WidthSpace space_;
    DesignPoint design_;
    Configuration point_;
    DamageTable damages_;
};

/// Error on the calibration pictures and the full evaluation of both candidates; false after Ctrl-C.
bool evaluate(const Configuration& point, const WidthSpace& space, std::vector<Candidate>& candidates, const AllocationRequest& request, const MakeTaskSet& make_task_set,
              const Interrupt& interrupt, std::optional<PairedComparison>& comparison) {
    std::vector<Variant> variants;
    std::vector<std::vector<quant::LayerOverride>> values;
    for (const auto& candidate : candidates) {
        values.push_back(with_widths(point.base.quant, space.layers(), candidate.choice));
        variants.push_back({.layers = values.back()});
    }
    const auto measured = run_study(point, variants, request.study, make_task_set, interrupt);
    if (!measured) return false;
    for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].measured = (*measured)[i].damage.error;

    const auto configuration = with_layer_axis(point, values);
    const Grid grid(configuration);
    const auto task_set = make_task_set({});
    const auto info = info_of(configuration, grid, task_set);
    const auto summary = run_sweep(grid, task_set, info, {.out = request.out, .num_jobs = request.study.num_jobs, .shard = {}, .quiet = request.study.quiet, .strict = {}}, interrupt);
    if (summary.interrupted) return false;
    const auto store = Store::open_existing(store_path(request.out, {}), true);
    const auto rows = store.rows(false);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        candidates[i].row = rows.at(i);
        if (text_in(rows[i], "status") == "failed") throw StudyFailed(fmt::format("{}: {}", candidates[i].name, text_in(rows[i], "reason")));
    }
    if (values[0] != values[1]) comparison = compare(info, rows, scores_in(store), "quant.layers");
    return true;
}

std::string shortened(const Row& row, std::string_view column, std::string_view format) {
    const auto text = text_in(row, column);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error != std::errc{} || end == text.data() ? std::string(text) : fmt::format(fmt::runtime(format), value);
}

std::string print_candidates(const std::vector<Candidate>& candidates, const WidthSpace& space) {
    const bool latency = space.moves_activations();
    std::vector<TextTable::Head> heads{{"point", false}, {"weight bytes"}, {"predicted error_%"}, {"error_%"}, {"miou"}};
    if (latency) heads.push_back({"predicted ms"});
    for (const auto* title : {"latency_ms", "energy_mj", "dsp", "bram36"}) heads.push_back({title});
    TextTable table(heads);
    for (const auto& candidate : candidates) {
        const auto& row = candidate.row;
        std::vector<std::string> cells{candidate.name, fmt::format("{:.0f}", weight_bytes(space.layers(), candidate.choice)), fmt::format("{:.4f}", candidate.predicted * 100),
                                       fmt::format("{:.4f}", candidate.measured * 100), shortened(row, "miou", "{:.4f}")};
        if (latency) {
            double ms = 0, cycles = 1;
            const auto number = [&](std::string_view column, double& value) {
                const auto text = text_in(row, column);
                std::from_chars(text.data(), text.data() + text.size(), value);
            };
            number("latency_ms", ms), number("cycles", cycles);
            cells.push_back(fmt::format("{:.4g}", static_cast<double>(candidate.predicted_cycles) * ms / cycles));
        }
        cells.insert(cells.end(), {shortened(row, "latency_ms", "{:.4g}"), shortened(row, "energy_mj", "{:.4g}"), std::string(text_in(row, "dsp")), std::string(text_in(row, "bram36"))});
        table.add(std::move(cells));
    }
    return table.print("");
}

int bits_in(const WidthChoice& choice, const Layer& layer, int quant::LayerBits::*field, const Width& width) {
    const auto found = choice.find(layer.node);
    return found == choice.end() || found->second.*field == 0 ? width.bits : found->second.*field;
}

/// Which widths were chosen, and what they were chosen by.
std::string print_choice(const WidthSpace& space, const std::vector<Candidate>& candidates, const DamageTable& damages) {
    std::vector<TextTable::Head> heads{{"layer", false}, {"weights"}, {"uniform"}, {"chosen"}};
    for (const int bits : space.widths()) heads.push_back({fmt::format("w{}", bits)});
    if (space.moves_activations())
        for (const int bits : space.widths()) heads.push_back({fmt::format("a{}", bits)});
    TextTable table(heads);
    std::size_t held = 0;
    for (const auto& layer : space.layers()) {
        const auto weights = space.weight_widths(layer), activations = space.activation_widths(layer);
        if (weights.size() < 2 && activations.size() < 2) {
            ++held;
            continue;
        }
        const auto widths = [&](const WidthChoice& choice) {
            const auto text = [](int bits) { return bits > 0 ? std::to_string(bits) : std::string("-"); };
            return text(bits_in(choice, layer, &quant::LayerBits::weight_bits, layer.weights)) + " x " + text(bits_in(choice, layer, &quant::LayerBits::activation_bits, layer.activations));
        };
        std::vector<std::string> cells{layer.node, layer.num_weights > 0 ? std::to_string(layer.num_weights) : "", widths(candidates[0].choice), widths(candidates[1].choice)};
        const auto add = [&](const auto& table_of, const auto& key) {
            for (const int bits : space.widths()) {
                const auto found = table_of.find({key, bits});
                cells.push_back(found != table_of.end() ? fmt::format("{:.4f}", found->second * 100) : "");
            }
        };
        add(damages.weights, layer.node);
        if (space.moves_activations()) add(damages.activations, layer.group);
        table.add(std::move(cells));
    }
    return table.print("") + (held > 0 ? fmt::format("{} layers stay as configured\n", held) : "");
}

std::string choice_csv(const WidthSpace& space, const std::vector<Candidate>& candidates, const DamageTable& damages) {
    std::string text = csv_line(std::vector<std::string>{"layer", "operand", "bits", "damage", "weights", "uniform", "allocated", "held_by"});
    const auto lines = [&](const Layer& layer, const char* operand, const Width& width, const std::vector<int>& allowed, const auto& damage, int quant::LayerBits::*field) {
        if (!width.exists()) return;
        const auto chosen = [&](std::size_t i) { return std::to_string(bits_in(candidates[i].choice, layer, field, width)); };
        const auto line = [&](int bits, const std::string& value, const std::string& held) {
            text += csv_line(std::vector<std::string>{layer.node, operand, std::to_string(bits), value, std::to_string(layer.num_weights), chosen(0), chosen(1), held});
        };
        if (allowed.size() < 2) return line(bits_in(candidates[1].choice, layer, field, width), "", width.pinned ? "quant.layers" : width.held);
        for (const int bits : allowed) line(bits, fmt::format("{}", damage(bits)), "");
    };
    for (const auto& layer : space.layers()) {
        lines(layer, "weights", layer.weights, space.weight_widths(layer), [&](int bits) { return damages.weights.at({layer.node, bits}); }, &quant::LayerBits::weight_bits);
        lines(layer, "activations", layer.activations, space.activation_widths(layer), [&](int bits) { return damages.activations.at({layer.group, bits}); }, &quant::LayerBits::activation_bits);
    }
    return text;
}

std::string layers_yaml(const Budget& budget, const std::vector<quant::LayerOverride>& layers) {
    auto text = fmt::format("# Widths for --budget {}: paste into a configuration.\nquant:\n  layers:\n", budget.text);
    Settings settings;
    for (const auto& layer : layers) {
        settings.quant.layers = {layer};
        auto entry = find_key("quant.layers")->print(settings);
        text += "    - " + entry.substr(1, entry.size() - 2) + "\n";
    }
    return layers.empty() ? text + "    []\n" : text;
}

}  // namespace

int allocate_widths(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set) {
    const Interrupt interrupt;
    Allocator allocator(point, layers, request, make_task_set, interrupt);
    auto candidates = allocator.run();
    const auto& space = allocator.space();
    std::optional<PairedComparison> comparison;
    if (!candidates || !evaluate(allocator.point(), space, *candidates, request, make_task_set, interrupt, comparison)) {
        std::fputs("prelude: interrupted; the same command resumes\n", stderr);
        return kInterruptedExitCode;
    }
    auto allocated = allocator.point();
    allocated.base.quant.layers = with_widths(allocated.base.quant, space.layers(), (*candidates)[1].choice);
    write_atomically(request.out / "allocated.yaml", fmt::format("# explore sensitivity --budget {}\n", allocator.budget().text) + resolved_yaml(allocated));
    write_atomically(request.out / "quant_layers.yaml", layers_yaml(allocator.budget(), allocated.base.quant.layers));
    write_atomically(request.out / "allocation.csv", choice_csv(space, *candidates, allocator.damages()));

    std::string text = fmt::format("budget {}; error of the mask logits on {} calibration pictures, in % of their energy; what the width of one layer adds where all others have 16 bits:\n\n", allocator.budget().text,
                                   request.study.num_images);
    text += print_choice(space, *candidates, allocator.damages()) + "\n" + print_candidates(*candidates, space);
    if (comparison && !comparison->settings.empty() && !comparison->settings[0].pairs.empty()) {
        const auto& pair = comparison->settings[0].pairs[0];
        text += fmt::format("miou of allocated - uniform over the same {} prompts: {:+.4f}, 95 % {:+.4f} .. {:+.4f}: {}\n", pair.num_prompts, pair.difference.mean, pair.difference.interval.low,
                            pair.difference.interval.high, pair.verdict());
    }
    std::fputs((text + fmt::format("{}\n{}\n", (request.out / "allocated.yaml").string(), (request.out / "quant_layers.yaml").string())).c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
