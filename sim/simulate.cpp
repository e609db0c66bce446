// SPDX-License-Identifier: Apache-2.0
#include "sim/simulate.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <optional>
#include <set>

#include "sim/datapath/session.hpp"
#include "sim/lower_bound.hpp"
#include "sim/mapping/build_program.hpp"
#include "sim/segment_runner.hpp"
#include "sim/serialise.hpp"

namespace prelude::sim {

using models::Graph;
using models::NodeId;

namespace {

/// What the child sends, one after the other.
enum class Frame : std::uint8_t { segment_begins, segment_done, infeasible, broken, output, trace, end };

/// Child's side of the pipe: length-prefixed frames.
class Sender {
  public:
    explicit Sender(int descriptor) : descriptor_(descriptor) {}
    template <class... T>
    void send(Frame frame, T&&... fields) {
        Archive archive;
        archive(frame);
        archive(fields...);
        const auto size = static_cast<std::uint64_t>(archive.bytes().size());
        write_all(reinterpret_cast<const char*>(&size), sizeof size);
        write_all(archive.bytes().data(), archive.bytes().size());
    }

  private:
    void write_all(const char* data, std::size_t size) {
        while (size > 0) {
            const auto written = ::write(descriptor_, data, size);
            if (written <= 0) ::_exit(1);  // the parent is gone
            data += written;
            size -= static_cast<std::size_t>(written);
        }
    }
    int descriptor_;
};

bool read_all(int descriptor, char* data, std::size_t size) {
    while (size > 0) {
        const auto count = ::read(descriptor, data, size);
        if (count <= 0) return false;
        data += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

std::optional<Archive> receive(int descriptor) {
    std::uint64_t size = 0;
    if (!read_all(descriptor, reinterpret_cast<char*>(&size), sizeof size)) return std::nullopt;
    std::string bytes(size, '\0');
    if (!read_all(descriptor, bytes.data(), bytes.size())) return std::nullopt;
    return Archive(std::move(bytes));
}

/// Resident weights live in the weight buffer and leave the rest of it to tiles. `auto`: where they take no more than half.
/// Returns the reason when they do not fit.
std::string place_weights(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options,
                          Hardware& hardware) {
    if (design.weights == WeightPlacement::stream) return {};
    const auto need = weight_bits_of(graph, plan, options.parts);
    hardware.weights_resident = design.weights == WeightPlacement::resident || 2 * need <= hardware.weight_bits;
    if (!hardware.weights_resident) return {};
    if (need >= hardware.weight_bits) {
        return fmt::format("hw.weights: resident needs {} KiB, hw.buffers.weight_kib is {}", (need + 8191) / 8192,
                           hardware.weight_bits / 8192);
    }
    hardware.weight_bits -= need;
    return {};
}

/// Attention cores that run fused: where whole score rows fit on chip, unless the design says otherwise.
std::vector<NodeId> fused_attention(const Graph& graph, const quant::FormatPlan& plan, const Hardware& hardware) {
    std::vector<NodeId> fused;
    if (hardware.attention == AttentionFusion::unfused) return fused;
    std::map<std::string, bool> known;
    for (const auto& segment : Partitioner::attention_candidates(graph)) {
        const auto [entry, is_new] = known.try_emplace(segment_key(graph, plan, segment), false);
        if (is_new) {
            const Layout layout{graph};
            const BuildContext context{graph, plan, hardware, layout};
            entry->second = candidates(hardware, attention_shape(context, segment)).front().infeasible.empty();
        }
        if (entry->second || hardware.attention != AttentionFusion::automatic) fused.push_back(segment.main);
    }
    return fused;
}

/// A design resolved for a graph: what runs, in which order.
struct Network {
    Hardware hardware;
    std::string infeasible;
    Partition partition;
};

Network prepare(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options) {
    Network network{.hardware = resolve(design, plan), .infeasible = {}, .partition = {}};
    network.infeasible = place_weights(graph, plan, design, options, network.hardware);
    if (network.infeasible.empty()) network.partition = Partitioner(graph, plan, options.parts).run(fused_attention(graph, plan, network.hardware));
    return network;
}

/// A segment and, where weights are prefetched across segments, its neighbours.
struct Step {
    const Segment* segment = nullptr;
    bool has_predecessor = false;
    const Segment* next = nullptr;
};

/// The segments that have to be simulated, and for every segment of the network which of them it equals.
struct Steps {
    std::vector<Step> distinct;
    std::vector<std::size_t> of_segment;
};

/// Segments of equal identities take equal cycles.
std::string identity_of(const Graph& graph, const quant::FormatPlan& plan, const Options& options, const Segment& segment) {
    const auto* given = pinned(options, segment);
    return segment_key(graph, plan, segment) + (given ? "\npinned " + given->mapping.to_string() : "");
}

Steps distinct_steps(const Graph& graph, const quant::FormatPlan& plan, const Network& network, const Options& options, bool reuse) {
    Steps steps;
    std::map<std::string, std::size_t> known;
    const auto identity = [&](const Segment& segment) { return identity_of(graph, plan, options, segment); };
    const auto& segments = network.partition.segments;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        Step step{&segments[i]};
        auto key = reuse ? identity(segments[i]) : segments[i].name;
        if (network.hardware.layer_overlap) {
            step.has_predecessor = i > 0;
            if (i + 1 < segments.size()) step.next = &segments[i + 1];
            key += fmt::format("\nafter {} before {}", step.has_predecessor, step.next ? identity(*step.next) : "");
        }
        const auto [entry, is_new] = known.try_emplace(key, steps.distinct.size());
        if (is_new) steps.distinct.push_back(step);
        steps.of_segment.push_back(entry->second);
    }
    return steps;
}

struct Work {
    const Graph& graph;
    const quant::FormatPlan& plan;
    const Hardware& hardware;
    const Options& options;
    const FunctionalInput* input;
    const Layout& layout;
    std::vector<Step> steps;     ///< those to simulate
    bool only_mappings = false;  ///< nothing beyond what choosing takes
};

/// What the child says of a step.
struct StepResult {
    Mapping mapping;
    std::vector<MappingProblem> problems;
    SegmentStats stats;
};

/// Simulates a step in full, unless choosing its mapping did. Prefetches across segments change the cycles.
SegmentStats run_step(const Work& work, const Step& step, SegmentRunner& runner, SegmentRunner::Choice& choice) {
    if (step.has_predecessor || step.next) {
        std::optional<Program> next;
        if (step.next) next = runner.choose(*step.next).program;
        overlap(choice.program, step.has_predecessor, next ? &*next : nullptr);
    } else if (choice.stats && !work.input && !work.options.timeline) {
        return *choice.stats;
    }
    return runner.run(choice.program, Session::Words::all);
}

/// The child: simulates every segment and reports. Never returns.
[[noreturn]] void child(const Work& work, int descriptor) {
    Sender sender(descriptor);
    std::unique_ptr<Session> session;  // never destroyed: processes that are stuck cannot be taken down
    try {
        session = std::make_unique<Session>(work.layout, work.plan, work.hardware, work.input, work.options.timeline);
        bool feasible = true;
        SegmentRunner runner(work.layout, work.plan, work.hardware, work.options, *session);
        for (const auto& step : work.steps) {
            std::string name = step.segment->name;
            sender.send(Frame::segment_begins, name);
            auto choice = runner.choose(*step.segment);
            StepResult result{.mapping = choice.program.mapping, .problems = choice.program.mapping_problems, .stats = {}};
            if (!work.only_mappings) {
                if (!result.mapping.infeasible.empty()) {
                    std::string reason = name + ": " + result.mapping.infeasible;
                    sender.send(Frame::infeasible, reason);
                    feasible = false;  // and nothing behind it has words
                    break;
                }
                result.stats = run_step(work, step, runner, choice);
            }
            sender.send(Frame::segment_done, result.mapping, result.problems, result.stats);
            if (work.options.timeline && !work.only_mappings) {
                auto events = session->take_trace();
                sender.send(Frame::trace, events);
            }
        }
        if (work.input && feasible) {
            for (auto id : work.input->wanted) {
                auto words = session->words(id);
                sender.send(Frame::output, id, words);
            }
        }
        sender.send(Frame::end);
    } catch (const std::exception& error) {
        std::string text = error.what();
        sender.send(Frame::broken, text);
    }
    ::close(descriptor);
    ::_exit(0);
}

/// Forks, simulates, collects. Results arrive in the order of work.steps.
std::vector<StepResult> run_in_child(const Work& work, NetworkResult& result) {
    int ends[2];
    models::check(::pipe(ends) == 0, "simulate: no pipe");
    std::fflush(nullptr);
    const auto pid = ::fork();
    models::check(pid >= 0, "simulate: fork failed");
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody is left to read the result
        ::close(ends[0]);
        child(work, ends[1]);
    }
    ::close(ends[1]);
    std::vector<StepResult> steps;
    std::string current = "start-up", problem;
    bool ended = false;
    while (auto archive = receive(ends[0])) {
        Frame frame{};
        (*archive)(frame);
        switch (frame) {
            case Frame::segment_begins: (*archive)(current); break;
            case Frame::segment_done: {
                auto& step = steps.emplace_back();
                (*archive)(step.mapping, step.problems, step.stats);
                break;
            }
            case Frame::infeasible: (*archive)(result.infeasible); break;
            case Frame::broken: (*archive)(problem); break;
            case Frame::trace: (*archive)(result.timeline.simulations.emplace_back()); break;
            case Frame::output: {
                models::ValueId id{};
                (*archive)(id);
                (*archive)(result.outputs[id]);
                break;
            }
            case Frame::end: ended = true; break;
            default: break;
        }
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (!problem.empty()) throw SimulationError(fmt::format("{}: {}", current, problem));
    if (!ended) {
        const auto how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("exit {}", WEXITSTATUS(status));
        throw SimulationError(fmt::format("{}: the simulation died ({})", current, how));
    }
    return steps;
}

void add_up(NetworkResult& result) {
    for (const auto& segment : result.segments) {
        result.total.add(segment);
        result.parts[segment.part].add(segment);
    }
    Cycle cycles = 0;
    for (const auto& [part, totals] : result.parts) cycles += totals.cycles;
    models::check(cycles == result.total.cycles, "simulate: parts do not sum to the total");
}

/// How often a segment runs per image.
std::int64_t repeats_of(const Segment& segment, const Options& options) { return segment.part == models::Part::encoder ? 1 : options.prompts_per_image; }

}  // namespace

NetworkResult simulate(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options,
                       const FunctionalInput* input) {
    NetworkResult result;
    const auto network = prepare(graph, plan, design, options);
    result.hardware = network.hardware;
    result.infeasible = network.infeasible;
    if (!result.infeasible.empty()) return result;
    result.constants = network.partition.constants;
    result.host_ops = network.partition.host_ops;

    const Layout layout{graph, network.partition.written};
    const auto steps = distinct_steps(graph, plan, network, options, options.reuse && !input);
    const auto simulated = run_in_child({graph, plan, network.hardware, options, input, layout, steps.distinct}, result);
    if (!result.infeasible.empty()) return result;
    if (options.timeline) result.timeline.of_segment = steps.of_segment;
    for (std::size_t i = 0; i < network.partition.segments.size(); ++i) {
        const auto& segment = network.partition.segments[i];
        const auto step = steps.of_segment[i];
        auto& own = result.segments.emplace_back(simulated[step].stats);
        own.reused = steps.distinct[step].segment != &segment;
        own.name = segment.name, own.part = segment.part, own.block = segment.block;
        own.nodes.clear();
        for (auto id : segment.nodes) own.nodes.push_back(graph.node(id).name);
        own.repeats = repeats_of(segment, options);
    }
    add_up(result);
    return result;
}

std::vector<SegmentMapping> plan_mappings(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options) {
    const auto network = prepare(graph, plan, design, options);
    const Layout layout{graph, network.partition.written};
    auto alone = network;  // prefetches across segments have no part in choosing
    alone.hardware.layer_overlap = false;
    const auto steps = distinct_steps(graph, plan, alone, options, true);
    NetworkResult unused;
    const auto chosen = run_in_child({graph, plan, network.hardware, options, nullptr, layout, steps.distinct, true}, unused);
    std::vector<SegmentMapping> mappings;
    for (std::size_t i = 0; i < alone.partition.segments.size(); ++i) {
        const auto& segment = alone.partition.segments[i];
        const auto& step = chosen[steps.of_segment[i]];
        mappings.push_back({segment.name, step.mapping, step.problems, pinned(options, segment)});
    }
    return mappings;
}

std::vector<SegmentMapping> check_mappings(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options) {
    const auto network = prepare(graph, plan, design, options);
    const Layout layout{graph, network.partition.written};
    std::vector<SegmentMapping> mappings;
    for (const auto& segment : network.partition.segments) {
        auto& entry = mappings.emplace_back(SegmentMapping{.segment = segment.name, .mapping = {}, .problems = {}, .pinned = pinned(options, segment)});
        if (!entry.pinned) continue;
        auto program = build_program({.graph = graph, .plan = plan, .hardware = network.hardware, .layout = layout, .pinned = &entry.pinned->mapping, .shapes_only = true}, segment);
        entry.mapping = std::move(program.mapping);
        entry.problems = std::move(program.mapping_problems);
    }
    return mappings;
}

Cycle lower_bound(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options) {
    const auto network = prepare(graph, plan, design, options);
    const Layout layout{graph, network.partition.written};
    std::map<std::string, Cycle> known;
    Cycle cycles = 0;
    for (const auto& segment : network.partition.segments) {
        const auto* given = pinned(options, segment);
        const auto [entry, is_new] = known.try_emplace(identity_of(graph, plan, options, segment), 0);
        if (is_new) {
            const auto program = build_program({.graph = graph, .plan = plan, .hardware = network.hardware, .layout = layout, .pinned = given ? &given->mapping : nullptr, .shapes_only = true}, segment);
            entry->second = lower_bound(network.hardware, graph, plan, program, given ? 1 : network.hardware.slots);
        }
        cycles += repeats_of(segment, options) * entry->second;
    }
    return cycles;
}

}  // namespace prelude::sim
