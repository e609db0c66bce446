// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/export_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "experiments/dumps/word_writer.hpp"
#include "experiments/handoff/selection.hpp"
#include "experiments/hash.hpp"
#include "experiments/store/cache.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

constexpr std::array kSubfolders{"tensors", "bin", "hex", "dat", "real", "cosim", "header", "hls"};

/// Empties an earlier export; refuses what is none.
void clear(const fs::path& folder) {
    if (!fs::exists(folder)) return;
    if (!fs::is_directory(folder)) throw models::InputError(fmt::format("{}: not a folder", folder.string()));
    if (fs::is_empty(folder)) return;
    const auto is_ours = [](const fs::path& entry) {
        const auto name = entry.filename().string();
        return name == kManifestFile || name == kOperationsFile || name == kExpectedFile || name == kConfigurationFile ||
               std::ranges::find(kSubfolders, name) != kSubfolders.end();
    };
    for (const auto& entry : fs::directory_iterator(folder))
        if (!is_ours(entry.path()))
            throw models::InputError(
                fmt::format("{}: holds {}, which is no part of an export; give an empty folder, or one that does not exist",
                            folder.string(), entry.path().filename().string()));
    fs::remove(folder / kManifestFile);  // first: from here on it is unfinished
    for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry.path());
}

/// Everything that was written is on the disk: thousands of files at once, where one by one would take minutes.
void sync_files(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::syncfs(descriptor) == 0;
    if (descriptor >= 0) ::close(descriptor);
    if (!synced) throw fs::filesystem_error("cannot be synchronized", folder, std::make_error_code(std::errc::io_error));
}

}  // namespace

ExportFolder::ExportFolder(fs::path folder, std::set<DumpFormat> formats, const Packing& packing)
    : folder_(std::move(folder)), formats_(std::move(formats)), packing_(packing) {
    formats_.insert(DumpFormat::npy);
    clear(folder_);
    fs::create_directories(folder_ / "tensors");
}

std::string ExportFolder::write(const std::string& name, const std::string& text) {
    const auto file = folder_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream stream(file, std::ios::binary);
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.close();
    if (!stream) throw fs::filesystem_error("cannot be written", file, std::make_error_code(std::errc::io_error));
    num_bytes_ += text.size();
    return sha256(text);
}

void ExportFolder::add_file(const std::string& name, const std::string& text) {
    files_[name] = {.bytes = text.size(), .sha256 = write(name, text)};
}

void ExportFolder::note_file(const std::string& name) {
    const auto bytes = fs::file_size(folder_ / name);
    num_bytes_ += bytes;
    files_[name] = {.bytes = bytes, .sha256 = sha256_of_path(folder_ / name)};
}

void ExportFolder::add_tensor(ExportedTensor&& tensor) {
    auto& description = tensor.description;
    const auto name_in_c = c_name(description.name);
    models::check(c_names_.insert(name_in_c).second, "two tensors of an export have one name: " + description.name);
    const DumpTensor dump{.name = name_in_c, .word = description.word, .shape = description.shape, .words = tensor.words,
                          .real = [&](std::uint64_t index, std::int64_t word) { return *description.real_value(index, word); }};
    ManifestTensor entry{.name = description.name, .description = fmt::format("tensors/{}.json", description.name)};
    for (const auto format : formats_) {
        if (format == DumpFormat::real && !description.has_real_values()) continue;
        const auto name =
            format == DumpFormat::npy ? fmt::format("tensors/{}.npy", description.name)
            : format == DumpFormat::cosim
                ? fmt::format("cosim/c.top.autotv{}_{}.dat",
                              description.role == TensorRole::output || description.role == TensorRole::accumulator ? "out" : "in",
                              name_in_c)
            : format == DumpFormat::header ? fmt::format("header/{}.h", name_in_c)
                                           : fmt::format("{}/{}{}", name_of(format), description.name, extension_of(format));
        const auto digest = write(name, dump_text(format, dump, packing_));
        if (format == DumpFormat::npy) description.sha256 = digest;
        entry.files.emplace(name_of(format), name);
    }
    (void)write(entry.description, to_json(description).dump(1) + "\n");
    tensors_.push_back(std::move(entry));
}

void ExportFolder::finish(Manifest manifest) {
    manifest.packing = packing_;
    manifest.tensors = std::move(tensors_);
    manifest.files = std::move(files_);
    sync_files(folder_);
    write_atomically(folder_ / kManifestFile, to_json(manifest).dump(1) + "\n");
}

}  // namespace prelude::experiments
