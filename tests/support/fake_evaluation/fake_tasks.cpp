// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_evaluation/fake_tasks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <omp.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "experiments/base64.hpp"
#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/samples.hpp"
#include "experiments/hash.hpp"
#include "experiments/process/descriptor.hpp"
#include "experiments/store/cache.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

std::string content_of_nothing(const std::string& path) {
    return path;
}

std::string key_of(TaskKind kind, const std::string& text) {
    return sha256(fmt::format("fake {}\n{}", name_of(kind), text));
}

std::vector<Task> tasks_of_point(const Grid& grid, std::int64_t index, bool shapes_only) {
    const auto settings = grid.combination(index).settings;
    const std::array<std::string_view, 2> data{"model", "data"}, calibration{"model", "quant.calibration"};
    const auto numeric = numeric_text(settings, content_of_nothing), hardware = hardware_text(settings, content_of_nothing);
    const auto reference = key_of(TaskKind::reference, section_text(settings, data, content_of_nothing));
    const auto ranges = key_of(TaskKind::ranges, section_text(settings, calibration, content_of_nothing));
    const auto accuracy = key_of(TaskKind::accuracy, numeric), timing = key_of(TaskKind::timing, numeric + hardware);
    if (shapes_only) return {{TaskKind::timing, timing, index, {}}};
    return {
        {TaskKind::reference, reference, index, {}},
        {TaskKind::ranges, ranges, index, {}},
        {TaskKind::accuracy, accuracy, index, {reference, ranges}},
        {TaskKind::timing, timing, index, {}},
        {TaskKind::bit_check, key_of(TaskKind::bit_check, numeric), index, {ranges}},
    };
}

void append_line(const std::string& file, const std::string& line) {
    const Descriptor log(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (::write(log.get(), line.data(), line.size()) < 0) throw std::runtime_error("the log cannot be written");
}

std::string fake_bytes(const Task& task) {
    return std::string(100'000, task.key.front()) + task.key;
}

constexpr int kPictureSide = 32;

/// The left `share` of the picture.
models::Mask left_part(double share) {
    models::Mask mask(kPictureSide, kPictureSide);
    for (int i = 0; i < kPictureSide * kPictureSide; ++i) mask.values[static_cast<std::size_t>(i)] = i % kPictureSide < share * kPictureSide;
    return mask;
}

/// One sample asked for with a box, one with a point.
std::vector<Sample> fake_samples() {
    std::vector<Sample> samples;
    for (const auto grey : {std::uint8_t{60}, std::uint8_t{180}}) {
        const models::Image picture{kPictureSide, kPictureSide, std::vector<std::uint8_t>(3 * kPictureSide * kPictureSide, grey)};
        Sample sample{.name = fmt::format("grey <{}>", grey),
                      .png = base64(models::encode_png(picture)),
                      .box = {},
                      .point = {},
                      .truth = left_part(0.5),
                      .reference = left_part(0.6),
                      .reference_iou = 5.0 / 6};
        if (samples.empty())
            sample.box = models::Box{0, 0, 16, 32};
        else
            sample.point = models::Point{8, 16};
        samples.push_back(std::move(sample));
    }
    return samples;
}

double miou_of(const Settings& settings) {
    const double bits = 0.45 * settings.quant.weight_bits + 0.55 * settings.quant.activation_bits;
    const double groups = settings.quant.groups == 1 ? 1.0 : settings.quant.groups == 0 ? 0.55 : 0.7;
    const double base = settings.quant.softmax.log_base == Settings{}.quant.softmax.log_base ? 0.0 : 0.006;
    return 0.86 + base - groups * std::pow(2.0, 2.1 - bits);
}

json accuracy_of(const Settings& settings, const std::filesystem::path& cache, const Task& task) {
    for (const auto& need : task.needs)
        if (const auto bytes = read_sealed(cache / (need + ".bin")); !bytes || !bytes->ends_with(need))
            throw std::runtime_error("a shared part is missing");
    const double miou = miou_of(settings);
    const auto answer = to_json(SampleAnswer{.mask = left_part(miou), .iou = miou});
    // Sixteen pictures of four prompts around the mean: points of another log base differ from picture to picture, others by a constant.
    json iou = json::array();
    const double spread = settings.quant.softmax.log_base == Settings{}.quant.softmax.log_base ? 0.01 : 0.03;
    for (int picture = 0; picture < 16; ++picture) {
        const double center = miou + spread * (picture % 4 - 1.5);
        iou.push_back({center + 0.02, center - 0.02, center + 0.01, center - 0.01});
    }
    return {{"miou", miou}, {"iou", iou}, {"asked", "the same"}, {"sqnr_db", 6.02 * settings.quant.activation_bits - 9}, {"samples", {answer, answer}}};
}

json timing_of(const Settings& settings) {
    constexpr std::array kNames = {"qkv", "scores", "values", "proj", "lin1", "gelu", "lin2"};
    const std::array<double, 7> work{3, 1.5, 1.5, 1, 4, 0.6, 4};
    const double macs_per_cycle = 65536.0 / (settings.quant.weight_bits * settings.quant.activation_bits);
    json layers = json::array();
    double cycles = 0;
    for (int block = 0; block < 6; ++block)
        for (std::size_t k = 0; k < kNames.size(); ++k) {
            const double compute = std::ceil(work[k] * 4e6 / macs_per_cycle),
                         memory = std::ceil(work[k] * 1100.0 * settings.quant.weight_bits);
            const bool vector = kNames[k] == std::string_view("gelu");
            const double layer_cycles = vector ? 9000 : std::max(compute, memory);
            layers.push_back({fmt::format("encoder.block{}.{}", block, kNames[k]),
                              vector              ? "vector"
                              : compute >= memory ? "compute"
                                                  : "memory",
                              layer_cycles});
            cycles += layer_cycles;
        }
    return {{"cycles", cycles}, {"layers", layers}};
}

std::string decimal(double number) {
    return fmt::format("{}", number);
}

Row row_of(const Grid& grid, std::int64_t index, const TaskResults& results, const FakeBehaviour& behaviour) {
    const auto settings = grid.combination(index).settings;
    Row row{index, {}, {}};
    auto& cells = row.cells;
    cells["status"] = "ok";
    json timing, accuracy;
    for (const auto& task : tasks_of_point(grid, index, behaviour.shapes_only)) {
        const auto result = results.find(task.key);
        if (result == results.end()) throw std::runtime_error("a result is missing");
        if (!result->second.ok) {
            cells["status"] = "failed";
            cells["reason"] = result->second.reason;
            return row;
        }
        if (task.kind == TaskKind::timing) timing = result->second.value;
        if (task.kind == TaskKind::accuracy) accuracy = result->second.value;
        if (task.kind == TaskKind::bit_check) {
            cells["bits_checked"] = result->second.value.at("equal").get<bool>() ? "true" : "false";
            if (cells["bits_checked"] == "false") {
                cells["status"] = "failed";
                cells["reason"] = "the datapath differs from the engine, \"first\" word 17";
            }
        }
        if (task.kind == TaskKind::accuracy) cells["numeric_hash"] = task.key;
        if (task.kind == TaskKind::timing) cells["hardware_hash"] = task.key;
    }
    if (accuracy.is_object()) {
        cells["miou"] = decimal(accuracy.at("miou").get<double>());
        cells["miou_fp32"] = "0.8612";
        cells["miou_ci95_low"] = decimal(accuracy.at("miou").get<double>() - 0.021);
        cells["miou_ci95_high"] = decimal(accuracy.at("miou").get<double>() + 0.019);
        cells["sqnr_db"] = decimal(accuracy.at("sqnr_db").get<double>());
        cells["num_images"] = "16";
        cells["num_prompts"] = "64";
    } else {
        cells["reason"] = "no weights: accuracy is unknown";
    }
    const double cycles = timing.at("cycles").get<double>(), latency = cycles / 250e3;
    const int bits = settings.quant.weight_bits + settings.quant.activation_bits;
    const double power = 2.4 + 0.12 * bits + (settings.quant.groups == 0 ? 0.5 : settings.quant.groups > 1 ? 0.2 : 0.0);
    cells["cycles"] = decimal(cycles);
    cells["latency_ms"] = decimal(latency);
    cells["latency_ms_low"] = decimal(latency * 0.9);
    cells["latency_ms_high"] = decimal(latency * 1.2);
    cells["fps"] = decimal(1000 / latency);
    cells["bound"] = "compute";
    cells["power_w"] = decimal(power);
    cells["power_w_low"] = decimal(power * 0.8);
    cells["power_w_high"] = decimal(power * 1.3);
    cells["static_w"] = "0.6";
    cells["dynamic_w"] = decimal(power - 0.6);
    cells["energy_mj"] = decimal(power * latency);
    const int lut = 38'000 + 3'400 * bits, dsp = 1'024;
    cells["lut"] = std::to_string(lut);
    cells["lut_low"] = std::to_string(lut * 8 / 10);
    cells["lut_high"] = std::to_string(lut * 13 / 10);
    cells["ff"] = std::to_string(lut * 3 / 2);
    cells["dsp"] = std::to_string(dsp);
    cells["bram36"] = "120";
    cells["uram"] = "48";
    const bool fits = !behaviour.nothing_fits && lut < 95'000;
    cells["fits"] = fits ? "true" : "false";
    cells["max_util_pct"] = decimal(std::round(1000.0 * lut / 117'120) / 10);
    cells["limiting_resource"] = "LUT";
    for (const auto* status : {"latency_status", "power_status", "resource_status"}) cells[status] = behaviour.status;
    cells["warnings"] = bits <= 8 ? "narrow codes <4 & 4>, \"check\" the masks" : "";
    if (!fits && cells["status"] == "ok") {
        cells["status"] = "infeasible";
        cells["reason"] = "LUT: more than the device closes timing with";
    }
    for (const auto& layer : timing.at("layers"))
        row.layers.push_back({layer[0].get<std::string>(), "256", "128", "384", "64x128x32", decimal(layer[2].get<double>()),
                              layer[1].get<std::string>(), "0.81", "98304", "0.0123", "31.4"});
    return row;
}

}  // namespace

FakeBehaviour behaviour_from_environment() {
    FakeBehaviour behaviour;
    const auto text = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    behaviour.sleep_ms = std::atoi(text("PRELUDE_FAKE_SLEEP_MS").c_str());
    behaviour.crash = text("PRELUDE_FAKE_CRASH");
    behaviour.refuse = text("PRELUDE_FAKE_REFUSE");
    behaviour.grandchild = text("PRELUDE_FAKE_GRANDCHILD");
    behaviour.log = text("PRELUDE_FAKE_LOG");
    behaviour.mismatch = !text("PRELUDE_FAKE_MISMATCH").empty();
    behaviour.nothing_fits = !text("PRELUDE_FAKE_NOTHING_FITS").empty();
    behaviour.shapes_only = !text("PRELUDE_FAKE_SHAPES_ONLY").empty();
    if (const auto status = text("PRELUDE_FAKE_STATUS"); !status.empty()) behaviour.status = status;
    return behaviour;
}

TaskSet fake_task_set(const FakeBehaviour& behaviour) {
    TaskSet tasks;
    tasks.tasks_of = [behaviour](const Grid& grid, std::int64_t index) { return tasks_of_point(grid, index, behaviour.shapes_only); };
    tasks.run_task = [behaviour](const Task& task, const Grid& grid, const std::filesystem::path& cache, const models::ReportProgress& report) -> json {
        const auto kind = name_of(task.kind);
        if (!behaviour.log.empty()) append_line(behaviour.log, fmt::format("{} {} {}\n", kind, task.key, ::omp_get_max_threads()));
        if (behaviour.grandchild == kind) {
            if (const auto process = ::fork(); process == 0) {
                ::sleep(60);
                ::_exit(0);
            } else {
                append_line(behaviour.log, fmt::format("grandchild {}\n", process));
            }
        }
        models::report_step(report, 1, 4);
        if (behaviour.sleep_ms > 0) ::usleep(static_cast<useconds_t>(behaviour.sleep_ms) * 1000);
        models::report_step(report, 3, 4);
        if (behaviour.crash == kind) {
            ::write(STDERR_FILENO, "about to crash\n", 15);
            ::raise(SIGSEGV);
        }
        if (behaviour.refuse == kind) throw models::InputError("the fake refuses, as asked");
        const auto settings = grid.combination(task.combination).settings;
        switch (task.kind) {
            case TaskKind::reference: save_samples(fake_samples(), samples_file(cache, task.key)); [[fallthrough]];
            case TaskKind::quantized: [[fallthrough]];
            case TaskKind::ranges: write_sealed(cache / (task.key + ".bin"), fake_bytes(task)); return {{"written", true}};
            case TaskKind::accuracy: return accuracy_of(settings, cache, task);
            case TaskKind::timing: return timing_of(settings);
            case TaskKind::bit_check: return {{"equal", !(behaviour.mismatch && settings.quant.weight_bits == 4)}};
            case TaskKind::bound: break;  // of sweeps that prune
            case TaskKind::calibration_answers:
            case TaskKind::damage: break;  // of studies, which have tasks of their own
        }
        return {};
    };
    tasks.make_row = [behaviour](const Grid& grid, std::int64_t index, const TaskResults& results) {
        return row_of(grid, index, results, behaviour);
    };
    tasks.layer_columns = {"layer", "M", "K", "N", "tile", "cycles", "bound", "utilisation", "bytes", "energy_mj", "sqnr_db"};
    return tasks;
}

}  // namespace prelude::experiments
