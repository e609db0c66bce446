// SPDX-License-Identifier: Apache-2.0
#include "sim/trace.hpp"

#include <fmt/format.h>
#include <fmt/os.h>

#include <nlohmann/json.hpp>

#include "sim/mapping/program.hpp"

namespace prelude::sim {

namespace {

/// Slices of one file, each with the comma that JSON wants between them.
class TraceFile {
  public:
    TraceFile(const std::filesystem::path& path, double clock_mhz) : file_(fmt::output_file(path.string())), clock_mhz_(clock_mhz) {
        file_.print(R"({{"displayTimeUnit":"ns","otherData":{{"clock_mhz":{}}},"traceEvents":[)", clock_mhz);
        name("process_name", 0, "datapath");
        name("thread_name", 0, "segments");
        for (std::size_t u = 0; u < kNumUnits; ++u) name("thread_name", u + 1, kUnitNames[u]);
    }
    void slice(std::size_t row, std::string_view category, std::string_view what, Cycle begin, Cycle end, const nlohmann::json& arguments = nullptr) {
        file_.print(R"({}{{"name":"{}","cat":"{}","ph":"X","pid":0,"tid":{},"ts":{},"dur":{})", separator(), what, category, row, time(begin), time(end - begin));
        if (!arguments.is_null()) file_.print(R"(,"args":{})", arguments.dump());
        file_.print("}}");
    }
    void close() {
        file_.print("\n]}}\n");
        file_.close();
    }

  private:
    void name(std::string_view kind, std::size_t row, std::string_view text) {
        file_.print(R"({}{{"name":"{}","ph":"M","pid":0,"tid":{},"args":{{"name":"{}"}}}})", separator(), kind, row, text);
    }
    std::string_view separator() { return std::exchange(is_first_, false) ? "\n" : ",\n"; }
    [[nodiscard]] std::string time(Cycle cycles) const { return fmt::format("{:.6f}", static_cast<double>(cycles) / clock_mhz_); }

    fmt::ostream file_;
    double clock_mhz_;
    bool is_first_ = true;
};

}  // namespace

void write_trace(const std::filesystem::path& path, const NetworkResult& result, double clock_mhz) {
    auto unfinished = path;
    unfinished += ".part";
    TraceFile file(unfinished, clock_mhz);
    Cycle begin = 0;
    const auto write_segment = [&](std::size_t index) {
        const auto& segment = result.segments[index];
        const nlohmann::json arguments{{"cycles", segment.cycles}, {"bound", kBoundNames[static_cast<std::size_t>(segment.bounds.limiting())]}, {"mapping", segment.mapping}};
        file.slice(0, "segment", segment.name, begin, begin + segment.cycles, arguments);
        for (const auto& event : result.timeline.simulations[result.timeline.of_segment[index]]) {
            const std::string what = event.waits ? fmt::format("waits for {}", kStallNames[event.what]) : kOpcodeNames[event.what];
            file.slice(static_cast<std::size_t>(event.unit) + 1, event.waits ? "wait" : "busy", what, begin + event.begin, begin + event.end);
        }
        begin += segment.cycles;
    };
    std::int64_t repeats = 0;
    for (const auto& segment : result.segments) repeats = std::max(repeats, segment.repeats);
    for (std::int64_t repeat = 0; repeat < repeats; ++repeat)
        for (std::size_t i = 0; i < result.segments.size(); ++i)
            if (repeat < result.segments[i].repeats) write_segment(i);
    file.close();
    std::filesystem::rename(unfinished, path);
}

}  // namespace prelude::sim
