// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/run_record.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <sys/utsname.h>

#include <CLI/Version.hpp>
#include <Eigen/Core>
#include <boost/version.hpp>
#include <fstream>
#include <sstream>

#include "experiments/hash.hpp"
#include "experiments/process/launcher.hpp"
#include "quant/onednn_version.hpp"
#include "sim/systemc_version.hpp"

namespace prelude::experiments {

using nlohmann::json;

namespace {

struct Processor {
    std::string model;
    std::vector<std::string> extensions;  ///< those that choose between code paths
};

Processor processor() {
    Processor found;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line) && !line.empty();) {
        const auto colon = line.find(": ");
        if (colon == std::string::npos) continue;
        const auto value = line.substr(colon + 2);
        if (line.starts_with("model name")) found.model = value;
        if (!line.starts_with("flags")) continue;
        std::istringstream flags(value);
        for (std::string flag; flags >> flag;)
            for (const auto* known : {"sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"})
                if (flag == known) found.extensions.push_back(flag);
    }
    return found;
}

}  // namespace

json run_record(const Results& results, const SweepSummary* summary, int num_jobs, const RunTimes& times,
                const std::vector<std::string>& arguments) {
    utsname system{};
    ::uname(&system);
    const auto cpu = processor();
    json counts = {{"points", results.rows.size()},
                   {"feasible", results.ranking.num_feasible},
                   {"pareto", results.ranking.num_on_front},
                   {"lacking_an_objective", results.ranking.num_lacking}};
    for (const auto* status : {"ok", "infeasible", "failed", "cancelled"}) counts[status] = results.num_with_status(status);
    json record = {
        {"format", "prelude.run/1"},
        {"versions",
         {{"prelude", PRELUDE_VERSION},
          {"compiler", __VERSION__},
          {"systemc", sim::systemc_version()},
          {"onednn", quant::onednn_version()},
          {"eigen", fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)},
          {"boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100'000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
          {"yaml_cpp", PRELUDE_YAML_CPP_VERSION},
          {"sqlite", sqlite3_libversion()},
          {"cli11", CLI11_VERSION},
          {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10'000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)}}},
        {"architecture_level", PRELUDE_ARCH},
        {"host",
         {{"name", system.nodename},
          {"system", fmt::format("{} {}", system.sysname, system.release)},
          {"processor", cpu.model},
          {"cores", num_cores()}}},
        {"instruction_set", cpu.extensions},
        {"configuration", {{"source", results.info.source}, {"sha256", sha256(results.info.resolved_yaml)}}},
        {"arguments", arguments},
        {"seeds", results.info.seeds},
        {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(times.started)))},
        {"wall_s", times.wall_s},
        {"counts", counts},
    };
    if (summary != nullptr) {
        record["jobs"] = num_jobs;
        record["threads_per_job"] = summary->num_threads;
        record["interrupted"] = summary->interrupted;
        for (const auto& [name, kind] : summary->kinds)
            record["tasks"][name] = {{"distinct", kind.distinct},
                                     {"reused", kind.reused},
                                     {"computed", kind.computed},
                                     {"failed", kind.failed},
                                     {"compute_s", kind.seconds}};
    }
    return record;
}

}  // namespace prelude::experiments
