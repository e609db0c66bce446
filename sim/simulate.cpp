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

#include "sim/bounds.hpp"
#include "sim/datapath/session.hpp"
#include "sim/mapping/build_program.hpp"
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

const Mapping* pinned(const Options& options, const Segment& segment) {
    const auto found = options.pinned.find(segment.name);
    return found == options.pinned.end() ? nullptr : &found->second;
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
            entry->second = map_attention(hardware, attention_shape(context, segment)).infeasible.empty();
        }
        if (entry->second || hardware.attention == AttentionFusion::fused_row) fused.push_back(segment.main);
    }
    return fused;
}

/// Everything known before simulating.
SegmentStats describe(const Graph& graph, const quant::FormatPlan& plan, const Program& program) {
    const auto& segment = program.segment;
    SegmentStats stats{.name = segment.name,
                       .kind = segment.operator_name,
                       .part = segment.part,
                       .block = segment.block,
                       .mapping = program.mapping.to_string()};
    for (auto id : segment.nodes) stats.nodes.push_back(graph.node(id).name);
    if (!program.products.empty()) {
        stats.m = program.rows, stats.n = program.cols, stats.k = program.depth, stats.batch = program.batch;
        stats.left_bits = program.products[0].form.left_word_bits, stats.right_bits = program.products[0].form.right_bits;
    }
    const auto& output = graph.value(segment.output);
    stats.bytes_produced = packed_bytes(output, plan.format(output.name).bits);
    stats.compulsory_bytes = stats.bytes_produced;
    for (const auto& operand : program.operands) {
        std::int64_t bytes = 0;
        if (operand.map) {
            std::int64_t words = 0;
            for (auto source : operand.map->sources()) words += graph.value(source).shape.num_elements();
            bytes =
                (std::min(words, operand.map->overlaps() ? words : operand.map->batches() * operand.map->rows() * operand.map->depth()) *
                 operand.bits) /
                8;
        } else if (!operand.resident) {
            std::int64_t words = 0;
            if (operand.kind == OperandSource::Kind::weights && operand.row_words > 0) words = program.cols * operand.row_words;
            if (operand.kind == OperandSource::Kind::tables) words = models::num_parameters(graph, graph.node(operand.node));
            bytes = words * operand.bits / 8;
            stats.weight_bytes += bytes;
        }
        stats.compulsory_bytes += bytes;
    }
    return stats;
}

/// A segment and, where weights are prefetched across segments, its neighbours.
struct Step {
    const Segment* segment = nullptr;
    bool has_predecessor = false;
    const Segment* next = nullptr;
};

struct Work {
    const Graph& graph;
    const quant::FormatPlan& plan;
    const Hardware& hardware;
    const Options& options;
    const FunctionalInput* input;
    const Layout& layout;
    std::vector<Step> steps;  ///< those to simulate
};

/// The child: simulates every segment and reports. Never returns.
[[noreturn]] void child(const Work& work, int descriptor) {
    Sender sender(descriptor);
    std::unique_ptr<Session> session;  // never destroyed: processes that are stuck cannot be taken down
    try {
        session = std::make_unique<Session>(work.layout, work.plan, work.hardware, work.input, work.options.timeline);
        bool feasible = true;
        for (const auto& step : work.steps) {
            const auto& segment = *step.segment;
            std::string name = segment.name;
            sender.send(Frame::segment_begins, name);
            const auto build = [&](const Segment& which) {
                return build_program({work.graph, work.plan, work.hardware, work.layout, pinned(work.options, which)}, which);
            };
            auto program = build(segment);
            if (!program.mapping.infeasible.empty()) {
                std::string reason = name + ": " + program.mapping.infeasible;
                sender.send(Frame::infeasible, reason);
                feasible = false;  // and nothing behind it has words
                break;
            }
            std::optional<Program> next;
            if (step.next) next = build(*step.next);
            if (step.has_predecessor || next) overlap(program, step.has_predecessor, next ? &*next : nullptr);
            auto stats = describe(work.graph, work.plan, program);
            session->run(program, stats);
            stats.roofline_cycles = roofline_cycles(work.hardware, stats);
            if (auto problem = broken_invariant(program, stats); !problem.empty()) {
                sender.send(Frame::broken, problem);
                break;
            }
            sender.send(Frame::segment_done, stats);
            if (work.options.timeline) {
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
std::vector<SegmentStats> run_in_child(const Work& work, NetworkResult& result) {
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
    std::vector<SegmentStats> stats;
    std::string current = "start-up", problem;
    bool ended = false;
    while (auto archive = receive(ends[0])) {
        Frame frame{};
        (*archive)(frame);
        switch (frame) {
            case Frame::segment_begins: (*archive)(current); break;
            case Frame::segment_done: (*archive)(stats.emplace_back()); break;
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
    return stats;
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

}  // namespace

NetworkResult simulate(const Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options,
                       const FunctionalInput* input) {
    NetworkResult result;
    result.hardware = resolve(design, plan);
    result.infeasible = place_weights(graph, plan, design, options, result.hardware);
    if (!result.infeasible.empty()) return result;
    const auto partition = Partitioner(graph, plan, options.parts).run(fused_attention(graph, plan, result.hardware));
    result.constants = partition.constants;
    result.host_ops = partition.host_ops;

    const Layout layout{graph, partition.written};
    Work work{graph, plan, result.hardware, options, input, layout, {}};
    std::vector<std::size_t> simulated_as;  // per segment: index into work.steps
    std::map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < partition.segments.size(); ++i) {
        const auto& segment = partition.segments[i];
        Step step{&segment};
        bool shared = options.reuse && !input && !pinned(options, segment);
        auto key = shared ? segment_key(graph, plan, segment) : segment.name;
        if (result.hardware.layer_overlap) {
            step.has_predecessor = i > 0;
            if (i + 1 < partition.segments.size()) step.next = &partition.segments[i + 1];
            if (step.next && pinned(options, *step.next)) key = segment.name;
            key += fmt::format("\nafter {} before {}", step.has_predecessor, step.next ? segment_key(graph, plan, *step.next) : "");
        }
        const auto [entry, is_new] = known.try_emplace(key, work.steps.size());
        if (is_new) work.steps.push_back(step);
        simulated_as.push_back(entry->second);
    }
    const auto stats = run_in_child(work, result);
    if (!result.infeasible.empty()) return result;
    if (options.timeline) result.timeline.of_segment = simulated_as;
    for (std::size_t i = 0; i < partition.segments.size(); ++i) {
        const auto& segment = partition.segments[i];
        auto& own = result.segments.emplace_back(stats[simulated_as[i]]);
        own.reused = work.steps[simulated_as[i]].segment != &segment;
        own.name = segment.name, own.part = segment.part, own.block = segment.block;
        own.nodes.clear();
        for (auto id : segment.nodes) own.nodes.push_back(graph.node(id).name);
        own.repeats = segment.part == models::Part::encoder ? 1 : options.prompts_per_image;
    }
    add_up(result);
    return result;
}

std::map<std::string, Mapping, std::less<>> plan_mappings(const Graph& graph, const quant::FormatPlan& plan, const Design& design,
                                                          const Options& options) {
    auto hardware = resolve(design, plan);
    std::map<std::string, Mapping, std::less<>> mappings;
    if (!place_weights(graph, plan, design, options, hardware).empty()) return mappings;
    const auto partition = Partitioner(graph, plan, options.parts).run(fused_attention(graph, plan, hardware));
    const Layout layout{graph, partition.written};
    for (const auto& segment : partition.segments) {
        mappings[segment.name] = build_program({graph, plan, hardware, layout, pinned(options, segment)}, segment).mapping;
    }
    return mappings;
}

}  // namespace prelude::sim
