// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "experiments/handoff/actual_files.hpp"
#include "experiments/hash.hpp"
#include "models/error.hpp"
#include "models/graph/subgraph.hpp"
#include "quant/glob.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 5> kVerdicts{"equal", "differs", "missing", "left_out", "broken"};

/// The exported part, read when the first tensor differs.
class ExportedPart {
  public:
    ExportedPart(const fs::path& folder, const Manifest& manifest)
        : quantized_(quant::load_part(folder / kOperationsFile, manifest.workload, manifest.nodes)),
          part_(part_of(quantized_.config, manifest)) {}
    [[nodiscard]] const models::Graph& graph() const noexcept { return part_; }
    [[nodiscard]] const quant::QuantizedGraph& quantized() const noexcept { return quantized_; }

  private:
    static models::Graph part_of(const models::SamConfig& config, const Manifest& manifest) {
        const auto whole = models::build_sam(config, manifest.workload);
        return models::subgraph(whole, models::nodes_named(whole, manifest.nodes));
    }
    quant::QuantizedGraph quantized_;
    models::Graph part_;
};

class Verifier {
  public:
    Verifier(const VerificationOptions& options, const ReportBytes& report)
        : options_(options), report_(report), files_(options.actual, options.format) {
        result_.manifest = read_manifest(options.golden);
    }

    Verification run() {
        find_dumps();
        for (auto& tensor : result_.tensors)
            if (!tensor.actual.empty()) compare(tensor);
        if (options_.diagnose)
            for (auto& tensor : result_.tensors)
                if (tensor.verdict == TensorVerdict::differs) diagnose_tensor(tensor);
        for (const auto& file : files_.unclaimed())
            result_.notes.push_back(fmt::format("{}: no tensor of the export is called so; not compared", file.string()));
        return std::move(result_);
    }

  private:
    [[nodiscard]] bool is_wanted(const std::string& name) const {
        return options_.only.empty() ||
               std::ranges::any_of(options_.only, [&](const auto& pattern) { return quant::glob_matches(pattern, name); });
    }

    void find_dumps() {
        for (const auto& entry : result_.manifest.tensors) {
            if (!is_wanted(entry.name)) continue;
            auto& tensor = result_.tensors.emplace_back();
            tensor.description = read_tensor_description(options_.golden / entry.description);
            if (tensor.description.name != entry.name)
                throw models::InputError(fmt::format("{}: describes {}, not {}", (options_.golden / entry.description).string(),
                                                     tensor.description.name, entry.name));
            tensor.golden = options_.golden / entry.files.at("npy");
            if (const auto file = files_.file_of(entry.name)) {
                tensor.actual = *file;
                total_ += fs::file_size(*file) + 2 * (fs::exists(tensor.golden) ? fs::file_size(tensor.golden) : 0);
            } else if (tensor.description.role == TensorRole::output) {
                tensor.verdict = TensorVerdict::missing;
            }
        }
        if (result_.tensors.empty())
            throw models::InputError(fmt::format("{}: no tensor of the export matches --only", options_.golden.string()));
        for (std::size_t i = 0; i < result_.tensors.size(); ++i) by_name_.emplace(result_.tensors[i].description.name, i);
    }

    void show(std::uint64_t bytes, const std::string& name) const {
        if (report_) report_(done_ + bytes, total_, name);
    }

    /// Packed as the export's where nothing else is said, which packs hexadecimal files alone.
    [[nodiscard]] DumpSource source_of(const TensorResult& tensor) const {
        const auto format = options_.format ? *options_.format : detect_format(tensor.actual);
        const auto packing = options_.packing ? *options_.packing : format == DumpFormat::hex ? result_.manifest.packing : Packing{};
        DumpSource source{.word = tensor.description.word, .format = format, .packing = packing, .word_of = {}, .num_words = tensor.description.num_words()};
        if (tensor.description.has_real_values())
            source.word_of = [&description = tensor.description](std::uint64_t index, double value) { return description.word_of(index, value); };
        return source;
    }

    void compare(TensorResult& tensor) {
        const auto& description = tensor.description;
        show(0, description.name);
        try {
            if (sha256_of_path(tensor.golden) != description.sha256)
                throw models::InputError(
                    fmt::format("{}: not the file that was exported (its SHA-256 is another one)", tensor.golden.string()));
            const auto golden = open_words(tensor.golden, {.word = description.word, .format = DumpFormat::npy});
            if (const auto shape = golden->shape(); !shape || *shape != description.shape)
                throw models::InputError(fmt::format("{}: another shape than its description's", tensor.golden.string()));
            const auto hashed = fs::file_size(tensor.golden);
            const auto actual = open_words(tensor.actual, source_of(tensor));
            tensor.comparison =
                compare_dumps(*golden, *actual, description, [&](std::uint64_t bytes) { show(hashed + bytes, description.name); });
            tensor.verdict = tensor.comparison.equal() ? TensorVerdict::equal : TensorVerdict::differs;
        } catch (const models::InputError& error) {
            tensor.verdict = TensorVerdict::broken;
            tensor.problem = error.what();
        } catch (const fs::filesystem_error& error) {
            tensor.verdict = TensorVerdict::broken;
            tensor.problem = error.what();
        }
        done_ += fs::file_size(tensor.actual) + (fs::exists(tensor.golden) ? 2 * fs::file_size(tensor.golden) : 0);
    }

    [[nodiscard]] std::optional<std::vector<std::int64_t>> words_of(const std::string& name, bool golden) const {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) return std::nullopt;
        const auto& tensor = result_.tensors[found->second];
        const auto count = tensor.description.num_words();
        if (count > Diagnosis::kMaxWords || tensor.verdict == TensorVerdict::broken || (!golden && tensor.actual.empty()))
            return std::nullopt;
        if (golden) return read_words(tensor.golden, {.word = tensor.description.word, .format = DumpFormat::npy}, count);
        if (tensor.comparison.num_actual != count) return std::nullopt;
        return read_words(tensor.actual, source_of(tensor), count);
    }

    /// Without the integers of the export, causes that the words alone show are left.
    void load_part() {
        if (part_ || !part_problem_.empty()) return;
        try {
            part_.emplace(options_.golden, result_.manifest);
        } catch (const models::InputError& error) {
            part_problem_ = error.what();
            result_.notes.push_back(fmt::format("{}; mismatches are diagnosed by their words alone", part_problem_));
        }
    }

    void diagnose_tensor(TensorResult& tensor) {
        load_part();
        const DiagnosisContext context{.part = part_ ? &part_->graph() : nullptr,
                                       .quantized = part_ ? &part_->quantized() : nullptr,
                                       .golden = [&](const std::string& name) { return words_of(name, true); },
                                       .actual = [&](const std::string& name) { return words_of(name, false); }};
        tensor.diagnosis = diagnose(context, tensor.description);
    }

    const VerificationOptions& options_;
    const ReportBytes& report_;
    ActualFiles files_;
    Verification result_;
    std::map<std::string, std::size_t> by_name_;
    std::optional<ExportedPart> part_;
    std::string part_problem_;
    std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

std::string_view name_of(TensorVerdict verdict) noexcept {
    return kVerdicts[static_cast<std::size_t>(verdict)];
}

std::size_t Verification::count(TensorVerdict verdict) const noexcept {
    return static_cast<std::size_t>(std::ranges::count(tensors, verdict, &TensorResult::verdict));
}

bool Verification::passed() const noexcept {
    return count(TensorVerdict::equal) > 0 && count(TensorVerdict::differs) == 0 && count(TensorVerdict::missing) == 0 &&
           count(TensorVerdict::broken) == 0;
}

Verification verify_dumps(const VerificationOptions& options, const ReportBytes& report) {
    return Verifier(options, report).run();
}

}  // namespace prelude::experiments
