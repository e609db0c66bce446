// SPDX-License-Identifier: Apache-2.0
// How long one image takes through the encoder of a full-size SAM, in integers and in float, in one process; and what the quantization costs before:
//   full_size_benchmark [--method M] [--bits B] [--repeats N] [--calibration-images N] [--write-checkpoint FILE]
// SAM ViT-B at 1024 x 1024 with weights by formula (tests/data/formula) and generated pictures. The float walk has oneDNN's f32
// products, the integer walk is the bit-exact engine; both use OMP_NUM_THREADS threads. --write-checkpoint leaves the weights as a safetensors file, for `explore`, and ends.

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>

#include "experiments/config/methods.hpp"
#include "models/checkpoint/safetensors.hpp"
#include "models/data/evaluation_set.hpp"
#include "models/graph/sam.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/predictor.hpp"
#include "quant/quantize.hpp"
#include "tests/benchmarks/float_walk.hpp"
#include "tests/paths.hpp"
#include "tests/support/formula_sam.hpp"

using namespace prelude;

namespace {

struct Options {
    std::string method = "ahcq_sam", checkpoint;
    int bits = 4, repeats = 2, calibration_images = 1;
};

int number(const char* text) {
    int value = 0;
    const auto end = text + std::strlen(text);
    if (const auto [rest, error] = std::from_chars(text, end, value); error != std::errc() || rest != end || value < 1) throw std::invalid_argument(fmt::format("{}: a number above 0 is expected", text));
    return value;
}

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = words[i];
        if (i + 1 == count) throw std::invalid_argument(fmt::format("{}: a value is missing", option));
        const char* value = words[++i];
        if (option == "--method") options.method = value;
        else if (option == "--bits") options.bits = number(value);
        else if (option == "--repeats") options.repeats = number(value);
        else if (option == "--calibration-images") options.calibration_images = number(value);
        else if (option == "--write-checkpoint") options.checkpoint = value;
        else throw std::invalid_argument(fmt::format("{}: --method, --bits, --repeats, --calibration-images or --write-checkpoint are allowed", option));
    }
    const auto methods = experiments::all_methods();
    if (std::ranges::find(methods, options.method, &experiments::Method::name) == methods.end()) throw std::invalid_argument(fmt::format("{}: no such method", options.method));
    return options;
}

class Stopwatch {
  public:
    /// Seconds since the last call.
    double lap() {
        const auto now = Clock::now();
        const double seconds = std::chrono::duration<double>(now - start_).count();
        start_ = now;
        return seconds;
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_ = Clock::now();
};

/// Peak resident memory since the last call in 10^9 bytes.
double peak_memory() {
    double peak = 0;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) peak = std::stod(line.substr(6)) * 1024e-9;
    std::ofstream("/proc/self/clear_refs") << "5";
    return peak;
}

/// Seconds by kind of operator, as a walk's hook sees its values appear.
class Profile {
  public:
    explicit Profile(const models::Graph& graph) : graph_(graph) {}
    void value(models::ValueId id) {
        const auto* node = graph_.producer(id);
        seconds_[node ? std::string(models::operator_name(node->op)) : "inputs"] += watch_.lap();
    }
    [[nodiscard]] const std::map<std::string, double>& seconds() const noexcept { return seconds_; }

  private:
    const models::Graph& graph_;
    std::map<std::string, double> seconds_;
    Stopwatch watch_;
};

void print_line(const std::string& name, double floats, double integers) {
    fmt::print("{:<20}{:>10.2f}{:>10.2f}{:>10}\n", name, floats, integers, floats > 0 ? fmt::format("{:.2f}", integers / floats) : "");
}

void run(const Options& options) {
    std::ifstream stream(PRELUDE_SOURCE_DIR "/tests/data/formula/sam_vit_b.json");
    const auto weights = formula::make_weights(nlohmann::json::parse(stream));
    if (!options.checkpoint.empty()) {
        std::vector<models::TensorToWrite> tensors;
        for (const auto& name : weights.names()) tensors.push_back(models::to_write<float>(name, weights.shape(name), weights.values(name)));
        models::write_safetensors(options.checkpoint, tensors, {{"origin", "weights by formula, not trained"}});
        return;
    }
    const auto config = *models::sam_preset("sam_vit_b");
    const auto graph = models::build_sam(config);
    experiments::Settings settings;
    experiments::apply_method(options.method, settings);
    auto& point = settings.quant;
    point.weight_bits = point.activation_bits = options.bits;
    const auto images = [&](models::Split split, int count) {
        return models::generated_set({models::DataKind::scene}, split, 1, count, static_cast<int>(config.image_size), {.limit = 1});
    };
    fmt::print("SAM ViT-B, weights by formula; {} W{}A{}; {} threads; exact u8 x s8 products of oneDNN: {}\n", options.method, options.bits, options.bits,
               omp_get_max_threads(), quant::fast_products_are_exact() ? "yes" : "no");

    Stopwatch watch;
    models::Predictor floats(config, weights);
    auto ranges = quant::calibrate(floats, *images(models::Split::train, options.calibration_images), point);
    fmt::print("calibration on {} images: {:.1f} s, peak memory {:.2f} GB\n", options.calibration_images, watch.lap(), peak_memory());
    const auto quantized = quant::quantize(config, graph, weights, point, std::move(ranges));
    fmt::print("integers of all layers: {:.1f} s, peak memory {:.2f} GB\n", watch.lap(), peak_memory());

    quant::IntegerPredictor integers(quantized);
    const auto image = images(models::Split::test, 1)->image(0).image;
    struct Walk {
        double seconds = 0, memory = 0;
    } of_floats, of_integers;
    benchmarks::FloatWalk fast_floats(graph, weights);
    std::map<std::string, double> float_kinds;
    const auto embedding = *graph.find_value(models::sam_values::kImageEmbedding);
    const auto encode_floats = [&] {
        models::ReferenceExecutor::Values given;
        given.emplace(*graph.find_value(models::sam_values::kImage), models::preprocess(image, static_cast<int>(config.image_size)).image);
        float_kinds.clear();
        return fast_floats.run(std::move(given), embedding, float_kinds);
    };
    const auto measure = [](const auto& encode, Walk& walk) {
        peak_memory();
        Stopwatch stopwatch;
        (void)encode();
        const double seconds = stopwatch.lap();
        walk.memory = std::max(walk.memory, peak_memory());
        walk.seconds = walk.seconds == 0 ? seconds : std::min(walk.seconds, seconds);
    };
    for (int i = 0; i < options.repeats; ++i) {
        measure(encode_floats, of_floats);
        measure([&] { return integers.encode(image); }, of_integers);
    }
    Profile integer_profile(graph);
    (void)integers.encode(image, [&](const models::Graph&, models::ValueId id, models::IntTensor&) { integer_profile.value(id); });
    fmt::print("\n{:<20}{:>10}{:>10}{:>10}\n", "encoder", "float", "integer", "ratio");
    print_line("seconds", of_floats.seconds, of_integers.seconds);
    print_line("peak memory, GB", of_floats.memory, of_integers.memory);
    fmt::print("seconds by operator, each on its own (attention in one go has no times of its parts):\n");
    for (const auto& [kind, seconds] : integer_profile.seconds()) {
        print_line(kind, float_kinds.contains(kind) ? float_kinds.at(kind) : 0, seconds);
    }
}

}  // namespace

int main(int count, char** words) {
    try {
        run(parse(count, words));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "full_size_benchmark: {}\n", error.what());
        return 3;
    }
}
