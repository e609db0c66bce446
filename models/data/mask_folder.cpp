// SPDX-License-Identifier: Apache-2.0
#include "models/data/mask_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "models/checkpoint/problems.hpp"
#include "models/data/coco_json.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = std::size_t{1} << 20;
constexpr std::uint32_t kWhite = 255;

std::string lower_extension(const fs::path& path) {
    auto extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return extension;
}

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

/// Names the file from the folder on, as it may be printed.
void add_problem(DataProblems& problems, const fs::path& folder, const fs::path& path, std::string_view what) {
    problems.add(fmt::format("{}: {}", in_quotes(path.lexically_relative(folder).generic_string()), what));
}

/// The same from an error that begins with the path.
void add_problem(DataProblems& problems, const fs::path& folder, const fs::path& path, const DataError& error) {
    std::string_view what = error.what();
    if (const auto prefix = path.string() + ": "; what.starts_with(prefix)) what.remove_prefix(prefix.size());
    add_problem(problems, folder, path, what);
}

class Lister {
  public:
    explicit Lister(const fs::path& folder) : folder_(folder), problems_(folder.string()) {}

    MaskFolder list() {
        for (const auto& path : entries(folder_ / "images")) take_picture(path);
        auto masks = entries(folder_ / "masks");
        const auto folders = std::ranges::stable_partition(masks, [](const auto& path) { return !is_folder(path); });
        for (const auto& path : std::ranges::subrange(masks.begin(), folders.begin())) take_mask(path, owner_of(path.stem().string()));
        for (const auto& path : folders) take_folder(path);
        problems_.throw_if_any();
        MaskFolder result{.folder = folder_, .pictures = {}};
        for (auto& [name, picture] : pictures_) result.pictures.push_back(std::move(picture));
        return result;
    }

  private:
    /// What is in a folder, by name, without hidden files.
    std::vector<fs::path> entries(const fs::path& folder) {
        std::vector<fs::path> paths;
        std::error_code failure;
        for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
            if (entry->path().filename().string().starts_with(".")) continue;
            if (++num_files_ > kMaxFiles) problems_.fail(fmt::format("more than {} files", kMaxFiles));
            paths.push_back(entry->path());
        }
        if (failure) problem(folder, fmt::format("cannot be listed ({})", failure.message()));
        std::ranges::sort(paths);
        return paths;
    }

    void problem(const fs::path& path, std::string_view what) { add_problem(problems_, folder_, path, what); }

    void take_picture(const fs::path& path) {
        const auto extension = lower_extension(path);
        if (is_folder(path) || (extension != ".png" && extension != ".jpg" && extension != ".jpeg"))
            return problem(path, "not a picture, allowed .png, .jpg, .jpeg");
        const auto name = path.stem().string();
        const auto [place, is_new] = pictures_.emplace(name, MaskedPicture{.name = name, .picture = path, .masks = {}});
        if (!is_new) problem(path, fmt::format("another picture of that name is {}", in_quotes(place->second.picture.filename().string())));
    }

    /// The picture that a mask of this stem belongs to.
    MaskedPicture* owner_of(const std::string& stem) {
        for (auto length = stem.size(); length != std::string::npos && length > 0; length = stem.rfind('_', length - 1))
            if (const auto found = pictures_.find(stem.substr(0, length)); found != pictures_.end()) return &found->second;
        return nullptr;
    }

    void take_folder(const fs::path& folder) {
        const auto owner = pictures_.find(folder.filename().string());
        if (owner == pictures_.end()) return problem(folder, "belongs to no picture");
        for (const auto& path : entries(folder)) take_mask(path, &owner->second);
    }

    void take_mask(const fs::path& path, MaskedPicture* owner) {
        if (is_folder(path) || lower_extension(path) != ".png") problem(path, "not a mask, allowed .png");
        else if (owner == nullptr) problem(path, "belongs to no picture");
        else owner->masks.push_back(path);
    }

    fs::path folder_;
    DataProblems problems_;
    std::map<std::string, MaskedPicture> pictures_;  ///< by name
    std::size_t num_files_ = 0;
};

/// The objects of a mask file. Throws DataError when it is broken or of other sides than its picture.
MaskObjects read_mask(const fs::path& path, ImageSides sides, const MaskReading& reading) {
    const auto name = path.string();
    const auto own = image_sides(path);
    if (own.width != sides.width || own.height != sides.height)
        throw DataError(fmt::format("{}: {} x {} pixels, its picture has {} x {}", name, own.width, own.height, sides.width, sides.height));
    return objects_in(read_labels(path), reading, name);
}

/// Adds what is wrong with a picture and its masks. Returns whether they hold an object.
bool check_picture(const MaskedPicture& picture, const fs::path& folder, const MaskReading& reading, DataProblems& problems) {
    std::optional<ImageSides> sides;
    try {
        sides = image_sides(picture.picture);
    } catch (const DataError& error) {
        add_problem(problems, folder, picture.picture, error);
        return true;
    }
    bool any = false;
    for (const auto& path : picture.masks) {
        try {
            any = !read_mask(path, *sides, reading).labels.empty() || any;
        } catch (const DataError& error) {
            add_problem(problems, folder, path, error);
            any = true;
        }
    }
    return any;
}

}  // namespace

Mask MaskObjects::mask_of(std::uint32_t label) const {
    Mask mask(map.width, map.height);
    std::ranges::transform(map.values, mask.values.begin(), [&](auto value) { return value == label ? std::uint8_t{1} : std::uint8_t{0}; });
    return mask;
}

MaskObjects objects_in(LabelMap map, const MaskReading& reading, const std::string& name) {
    if (reading.form == MaskForm::binary) {
        const auto largest = map.values.empty() ? 0 : *std::ranges::max_element(map.values);
        for (auto& value : map.values) value = value > largest / 2 ? 1 : 0;
        return {.map = std::move(map), .labels = largest > 0 ? std::vector<std::uint32_t>{1} : std::vector<std::uint32_t>{}};
    }
    std::set<std::uint32_t> labels;
    std::uint32_t last = 0;
    for (auto& value : map.values) {
        if (std::ranges::find(reading.void_labels, value) != reading.void_labels.end()) value = 0;
        if (value == last || value == 0) continue;
        last = value;
        labels.insert(value);
        if (labels.size() > kMaxLabels) throw DataError(fmt::format("{}: more than {} values, too many for labels of objects", name, kMaxLabels));
    }
    if (reading.form == MaskForm::automatic && labels.size() > 1 && labels.contains(kWhite))
        throw DataError(fmt::format("{}: {} values besides 0, among them 255: a mask with a soft edge, or labels with a void one? Say which",
                                    name, labels.size()));
    return {.map = std::move(map), .labels = {labels.begin(), labels.end()}};
}

MaskFolder read_mask_folder(const fs::path& folder) { return Lister(folder).list(); }

MaskFolderSet::MaskFolderSet(MaskFolder folder, MaskReading reading, int num_images, PromptSchedule schedule)
    : folder_(std::move(folder)), reading_(std::move(reading)), schedule_(std::move(schedule)) {
    check(num_images >= 1 && !schedule_.kinds.empty(), "MaskFolderSet: no images or no kinds of prompts");
    DataProblems problems(folder_.folder.string());
    for (std::size_t i = 0; i < folder_.pictures.size() && size() < num_images; ++i) {
        const auto& picture = folder_.pictures[i];
        if (picture.masks.empty()) ++skipped_.without_mask;
        else if (!check_picture(picture, folder_.folder, reading_, problems)) ++skipped_.empty;
        else shown_.push_back(i);
    }
    if (shown_.empty())
        problems.add(fmt::format("no object to ask for: {} pictures, {} without a mask file, {} whose masks are empty", folder_.pictures.size(),
                                 skipped_.without_mask, skipped_.empty));
    problems.throw_if_any();
}

std::vector<std::string> MaskFolderSet::left_out() const {
    if (skipped_.without_mask + skipped_.empty == 0) return {};
    return {fmt::format("{} left out: pictures without a mask file {}, whose masks are empty {}", folder_.folder.filename().string(),
                        skipped_.without_mask, skipped_.empty)};
}

EvaluationImage MaskFolderSet::image(int index) const {
    const auto& picture = folder_.pictures[shown_[static_cast<std::size_t>(index)]];
    EvaluationImage result{.name = picture.name, .image = read_image(picture.picture), .prompts = {}};
    for (const auto& path : picture.masks) {
        const auto objects = read_mask(path, {.width = result.image.width, .height = result.image.height}, reading_);
        for (const auto label : objects.labels) {
            const auto truth = objects.mask_of(label);
            if (!ask(result, schedule_, tight_box(truth), truth)) return result;
        }
    }
    return result;
}

}  // namespace prelude::models
