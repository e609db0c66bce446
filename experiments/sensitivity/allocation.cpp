// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/allocation.hpp"

#include <algorithm>
#include <set>

namespace prelude::experiments {

WidthSpace::WidthSpace(std::vector<Layer> layers, std::vector<int> widths, bool move_activations)
    : layers_(std::move(layers)), widths_(std::move(widths)), move_activations_(move_activations) {
    std::ranges::sort(widths_);
    models::check(!widths_.empty(), "no widths to choose from");
}

int WidthSpace::group_floor(const Layer& layer) const {
    int floor = 0;
    for (const auto& other : layers_)
        if (other.group == layer.group) floor = std::max(floor, other.activations.floor);
    return floor;
}

bool WidthSpace::group_may_move(const Layer& layer) const {
    bool is_studied = false;
    for (const auto& other : layers_) {
        if (other.group != layer.group) continue;
        if (other.activations.pinned) return false;
        is_studied |= other.studied;
    }
    return is_studied;
}

std::vector<int> WidthSpace::weight_widths(const Layer& layer) const {
    std::vector<int> allowed;
    if (!layer.studied || !layer.weights.exists() || layer.weights.pinned) return allowed;
    std::ranges::copy_if(widths_, std::back_inserter(allowed), [&](int bits) { return bits >= layer.weights.floor; });
    return allowed;
}

std::vector<int> WidthSpace::activation_widths(const Layer& layer) const {
    std::vector<int> allowed;
    if (!move_activations_ || !layer.activations.exists() || !group_may_move(layer)) return allowed;
    std::ranges::copy_if(widths_, std::back_inserter(allowed), [floor = group_floor(layer)](int bits) { return bits >= floor; });
    return allowed;
}

quant::LayerBits WidthSpace::clipped(const Layer& layer, WidthPair pair) const {
    const auto nearest = [](const std::vector<int>& allowed, int bits) {
        if (allowed.empty()) return 0;  // as configured
        const auto found = std::ranges::lower_bound(allowed, bits);
        return found == allowed.end() ? allowed.back() : *found;
    };
    return {.weight_bits = nearest(weight_widths(layer), pair.first), .activation_bits = nearest(activation_widths(layer), pair.second)};
}

WidthChoice WidthSpace::uniform(WidthPair pair) const {
    WidthChoice choice;
    for (const auto& layer : layers_) choice[layer.node] = clipped(layer, pair);
    return choice;
}

double DamageTable::damage_of(const WidthSpace& space, const WidthChoice& choice) const {
    double sum = 0;
    std::set<std::size_t> groups;
    for (const auto& layer : space.layers()) {
        const auto found = choice.find(layer.node);
        if (found == choice.end()) continue;
        if (const auto damage = weights.find({layer.node, found->second.weight_bits}); damage != weights.end()) sum += damage->second;
        if (!groups.insert(layer.group).second) continue;
        if (const auto damage = activations.find({layer.group, found->second.activation_bits}); damage != activations.end()) sum += damage->second;
    }
    return sum;
}

std::vector<SegmentCycles> segment_cycles(const nlohmann::json& timing) {
    std::vector<SegmentCycles> segments;
    for (const auto& segment : timing.at("segments"))
        segments.push_back({segment.at("nodes").get<std::vector<std::string>>(), segment.at("repeats").get<std::int64_t>() * segment.at("cycles").get<std::int64_t>()});
    return segments;
}

std::int64_t total_cycles(const nlohmann::json& timing) {
    std::int64_t sum = 0;
    for (const auto& segment : segment_cycles(timing)) sum += segment.cycles;
    return sum;
}

std::vector<WidthPair> width_pairs(const WidthSpace& space) {
    std::vector<WidthPair> pairs;
    for (const int weights : space.widths())
        for (const int activations : space.widths()) pairs.emplace_back(weights, activations);
    return pairs;
}

DamageStudy::DamageStudy(const quant::Settings& clean, const std::vector<Layer>& layers, const WidthSpace& space) {
    const auto add = [&](const WidthChoice& choice, Variant variant) {
        variant.layers = with_widths(clean, layers, choice);
        variants_.push_back(std::move(variant));
        return variants_.size() - 1;
    };
    const auto base = add({}, {.layers = {}, .damage = false, .is_shared = true});
    std::map<int, std::size_t> narrow;  // all weights at one width
    for (const int bits : space.widths()) {
        WidthChoice choice;
        for (const auto& layer : space.layers()) choice[layer.node] = {.weight_bits = space.clipped(layer, {bits, bits}).weight_bits, .activation_bits = 0};
        narrow[bits] = add(choice, {.layers = {}, .damage = false, .is_shared = true});
    }
    std::set<std::size_t> groups;
    for (const auto& layer : space.layers()) {
        if (const auto widths = space.weight_widths(layer); widths.size() > 1) {
            for (const int bits : widths)
                weights_[{layer.node, bits}] = add({{layer.node, {.weight_bits = bits, .activation_bits = 0}}},
                                                   {.layers = {}, .against = base, .swap = Variant::Swap{.base = base, .other = narrow.at(bits), .swapped = {layer.node}}});
        }
        const auto widths = space.activation_widths(layer);
        if (widths.size() < 2 || !groups.insert(layer.group).second) continue;
        for (const int bits : widths) {
            WidthChoice choice;
            for (const auto& other : space.layers())
                if (other.group == layer.group) choice[other.node] = {.weight_bits = 0, .activation_bits = bits};
            activations_[{layer.group, bits}] = add(choice, {.layers = {}, .against = base});
        }
    }
}

DamageTable DamageStudy::damages(const std::vector<Measured>& measured) const {
    DamageTable table;
    const auto increases = [&](const auto& variants, auto& damages) {
        for (auto entry = variants.rbegin(); entry != variants.rend(); ++entry) {  // of a layer, the wider first
            const auto& [key, variant] = *entry;
            const auto wider = entry == variants.rbegin() ? variants.rend() : std::prev(entry);
            const double least = wider != variants.rend() && wider->first.first == key.first ? damages.at(wider->first) : 0.0;
            damages[key] = std::max(measured[variant].damage.error, least);
        }
    };
    increases(weights_, table.weights);
    increases(activations_, table.activations);
    return table;
}

CostRange AllocationProblem::reach() const {
    auto range = cost_range(items);
    range.least += fixed_cost;
    range.most += fixed_cost;
    return range;
}

std::optional<AllocationProblem::Solution> AllocationProblem::solve(std::int64_t budget) const {
    const auto selection = select_within(items, budget - fixed_cost);
    if (!selection) return std::nullopt;
    Solution solution{.choice = {}, .cost = selection->cost + fixed_cost, .damage = selection->damage};
    for (std::size_t i = 0; i < items.size(); ++i) solution.choice.insert(choices[i][selection->chosen[i]].begin(), choices[i][selection->chosen[i]].end());
    return solution;
}

AllocationProblem weight_problem(const WidthSpace& space, const DamageTable& damages) {
    AllocationProblem problem;
    for (const auto& layer : space.layers()) {
        const auto widths = space.weight_widths(layer);
        if (widths.empty()) {
            problem.fixed_cost += layer.num_weights * layer.weights.bits;
            continue;
        }
        auto& item = problem.items.emplace_back();
        auto& choices = problem.choices.emplace_back();
        for (const int bits : widths) {
            const WidthChoice choice{{layer.node, {.weight_bits = bits, .activation_bits = 0}}};
            item.push_back({layer.num_weights * bits, damages.damage_of(space, choice)});
            choices.push_back(choice);
        }
    }
    return problem;
}

namespace {

/// Numbers of the items that layers belong to: what shares codes or a segment moves together.
std::map<std::string, std::size_t> items_of(const WidthSpace& space, const std::map<WidthPair, nlohmann::json>& timings) {
    std::map<std::string, std::size_t> item;
    const auto join = [&](std::size_t from, std::size_t to) {
        for (auto& [node, number] : item)
            if (number == from) number = to;
    };
    for (const auto& layer : space.layers())
        if (space.weight_widths(layer).size() > 1 || space.activation_widths(layer).size() > 1) item[layer.node] = layer.group;
    for (const auto& [pair, timing] : timings) {
        for (const auto& segment : segment_cycles(timing)) {
            std::optional<std::size_t> first;
            for (const auto& node : segment.nodes) {
                const auto found = item.find(node);
                if (found == item.end()) continue;
                if (!first) first = found->second;
                else if (found->second != *first) join(found->second, *first);
            }
        }
    }
    return item;
}

}  // namespace

AllocationProblem latency_problem(const WidthSpace& space, const DamageTable& damages, const std::map<WidthPair, nlohmann::json>& timings) {
    const auto item_of = items_of(space, timings);
    std::map<std::size_t, std::vector<const Layer*>> members;
    for (const auto& layer : space.layers())
        if (const auto found = item_of.find(layer.node); found != item_of.end()) members[found->second].push_back(&layer);
    std::map<std::pair<std::size_t, WidthPair>, std::int64_t> cycles;
    AllocationProblem problem;
    for (const auto& [pair, timing] : timings) {
        for (const auto& segment : segment_cycles(timing)) {
            const auto node = std::ranges::find_if(segment.nodes, [&](const std::string& name) { return item_of.contains(name); });
            if (node != segment.nodes.end()) cycles[{item_of.at(*node), pair}] += segment.cycles;
            else if (pair == space.widest()) problem.fixed_cost += segment.cycles;
        }
    }
    for (const auto& [number, layers] : members) {
        auto& item = problem.items.emplace_back();
        auto& choices = problem.choices.emplace_back();
        for (const auto& [pair, timing] : timings) {
            WidthChoice choice;
            for (const auto* layer : layers) choice[layer->node] = space.clipped(*layer, pair);
            if (std::ranges::find(choices, choice) != choices.end()) continue;
            item.push_back({cycles.at({number, pair}), damages.damage_of(space, choice)});
            choices.push_back(std::move(choice));
        }
    }
    return problem;
}

}  // namespace prelude::experiments
