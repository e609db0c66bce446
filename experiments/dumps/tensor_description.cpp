// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/tensor_description.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/dumps/token_source.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kFormat = "prelude.tensor/1";
constexpr std::array<std::string_view, 4> kRoles{"input", "output", "accumulator", "constant"};
constexpr std::size_t kMaxName = 256, kMaxRank = 8;
constexpr std::int64_t kMaxWords = std::int64_t{1} << 40;
constexpr std::size_t kMaxDepth = 16;

/// Reads members of an object; problems are collected.
class Members {
  public:
    Members(const json& object, std::vector<std::string>& problems) : object_(object), problems_(problems) {}

    [[nodiscard]] const json* find(const char* key) const {
        const auto found = object_.find(key);
        return found == object_.end() ? nullptr : &*found;
    }
    void problem(const char* key, std::string_view what) { problems_.push_back(fmt::format("{}: {}", key, what)); }

    [[nodiscard]] std::string text(const char* key, bool needed = true) {
        const auto* value = find(key);
        if (value == nullptr && !needed) return {};
        if (value != nullptr && value->is_string() && value->get_ref<const std::string&>().size() <= kMaxName)
            return value->get<std::string>();
        problem(key, fmt::format("a text of up to {} characters is needed", kMaxName));
        return {};
    }
    [[nodiscard]] std::int64_t integer(const char* key, std::int64_t lo, std::int64_t hi) {
        const auto* value = find(key);
        if (value != nullptr && value->is_number_integer()) {
            const auto number = value->get<std::int64_t>();
            if (number >= lo && number <= hi) return number;
        }
        problem(key, fmt::format("a whole number from {} to {} is needed", lo, hi));
        return lo;
    }
    template <class T>
    [[nodiscard]] std::vector<T> numbers(const char* key, std::size_t max_size) {
        const auto* value = find(key);
        if (value == nullptr) return {};
        const auto good = [](const json& entry) {
            if constexpr (std::is_floating_point_v<T>)
                return entry.is_number();
            else
                return entry.is_number_integer() && entry.get<std::int64_t>() >= std::numeric_limits<T>::min() &&
                       entry.get<std::int64_t>() <= std::numeric_limits<T>::max();
        };
        if (value->is_array() && value->size() <= max_size && std::ranges::all_of(*value, good)) return value->get<std::vector<T>>();
        problem(key, fmt::format("a list of up to {} numbers is needed", max_size));
        return {};
    }

  private:
    const json& object_;
    std::vector<std::string>& problems_;
};

/// [["token", 256], ...]
template <class Entry>
std::vector<Entry> named_extents(Members& members, const char* key) {
    std::vector<Entry> entries;
    const auto* list = members.find(key);
    if (list == nullptr) return entries;
    const auto good = [](const json& entry) {
        return entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[0].get_ref<const std::string&>().size() <= kMaxName &&
               entry[1].is_number_integer() && entry[1].get<std::int64_t>() >= 1 && entry[1].get<std::int64_t>() <= kMaxWords;
    };
    if (!list->is_array() || list->size() > kMaxRank || !std::ranges::all_of(*list, good)) {
        members.problem(key, fmt::format("a list of up to {} pairs of a name and an extent is needed", kMaxRank));
        return entries;
    }
    for (const auto& entry : *list) entries.push_back({entry[0].get<std::string>(), entry[1].get<std::int64_t>()});
    return entries;
}

template <class Extents>
std::int64_t product_of(const Extents& extents) {
    std::int64_t product = 1;
    for (const std::int64_t extent : extents) {
        if (extent > 0 && product > kMaxWords / extent) return kMaxWords + 1;
        product *= extent;
    }
    return product;
}

void read_meaning(Members& members, TensorDescription& tensor, std::size_t channels) {
    constexpr std::size_t kMaxValues = 1 << 16;
    auto& meaning = tensor.meaning;
    tensor.has_meaning = members.find("scale") != nullptr;
    if (!tensor.has_meaning) return;
    meaning.scale = members.numbers<double>("scale", std::max<std::size_t>(channels, 2));
    meaning.zero_point = members.numbers<std::int32_t>("zero_point", channels);
    meaning.group_of = members.numbers<std::int32_t>("group_of", channels);
    meaning.values = members.numbers<double>("values", kMaxValues);
    if (!meaning.values.empty()) return;
    if (meaning.zero_point.empty()) meaning.zero_point.assign(meaning.scale.size(), 0);
    if (meaning.scale.empty() || meaning.zero_point.size() != meaning.scale.size())
        members.problem("zero_point", "as many entries as scale are needed");
    else if (meaning.group_of.empty() ? meaning.scale.size() != 1
                                      : meaning.group_of.size() != channels || std::ranges::any_of(meaning.group_of, [&](auto g) {
                                            return g < 0 || static_cast<std::size_t>(g) >= meaning.scale.size();
                                        }))
        members.problem("group_of", "the group of every channel is needed, each below the number of scales");
}

}  // namespace

WordFormat word_format_of(const quant::Format& format) noexcept {
    using quant::FormatKind;
    const bool is_unsigned = format.kind == FormatKind::pixel || format.kind == FormatKind::code ||
                             format.kind == FormatKind::probability || format.kind == FormatKind::hybrid;
    return {.bits = format.bits, .is_signed = !is_unsigned};
}

std::string_view name_of(TensorRole role) noexcept {
    return kRoles[static_cast<std::size_t>(role)];
}

std::string TensorDescription::place_of(std::uint64_t index) const {
    std::vector<std::string> parts, tiles;
    std::uint64_t inner = num_words();
    for (const auto& coordinate : coordinates) {
        inner /= static_cast<std::uint64_t>(std::max<std::int64_t>(1, coordinate.extent));
        const auto digit = inner == 0 ? 0 : index / inner;
        index = inner == 0 ? 0 : index % inner;
        if (coordinate.extent > 1) parts.push_back(fmt::format("{} {}", coordinate.name, digit));
        const auto found = std::ranges::find(tile, coordinate.name, &TileExtent::coordinate);
        if (found != tile.end()) tiles.push_back(fmt::format("{}", digit / static_cast<std::uint64_t>(found->extent)));
    }
    auto text = parts.empty() ? fmt::format("word {}", index) : fmt::format("{}", fmt::join(parts, ", "));
    if (!tiles.empty()) text += fmt::format(" (tile {})", fmt::join(tiles, ", "));
    return text;
}

std::size_t TensorDescription::channel_of(std::uint64_t index) const noexcept {
    std::uint64_t inner = 1;
    for (auto axis = channel_axis + 1; axis < shape.rank(); ++axis) inner *= static_cast<std::uint64_t>(shape[axis]);
    return shape.rank() == 0 ? 0 : static_cast<std::size_t>(index / inner % static_cast<std::uint64_t>(shape[channel_axis]));
}

std::optional<double> TensorDescription::real_value(std::uint64_t index, std::int64_t value) const {
    if (!has_meaning || value < word.lowest() || value > word.highest()) return std::nullopt;
    if (!meaning.values.empty() && (value < 0 || static_cast<std::size_t>(value) >= meaning.values.size())) return std::nullopt;
    return quant::value_of(meaning, channel_of(index), static_cast<std::int32_t>(value));
}

bool TensorDescription::has_real_values() const {
    auto values = meaning.values;
    std::ranges::sort(values);
    return has_meaning && std::ranges::adjacent_find(values) == values.end();
}

std::optional<std::int64_t> TensorDescription::word_of(std::uint64_t index, double value) const {
    constexpr double kOffGrid = 0.01, kLargest = 4503599627370496.0;  // 2^52
    if (!has_meaning) return std::nullopt;
    if (!meaning.values.empty()) {
        const auto nearest = std::ranges::min_element(meaning.values, {}, [&](double v) { return std::abs(v - value); });
        if (std::abs(*nearest - value) > 1e-6 * std::max(1.0, std::abs(value))) return std::nullopt;
        return nearest - meaning.values.begin();
    }
    const auto group = meaning.group_of.empty() ? std::size_t{0} : static_cast<std::size_t>(meaning.group_of[channel_of(index)]);
    const double steps = value / meaning.scale[group];
    if (!(std::abs(steps) < kLargest) || std::abs(steps - std::nearbyint(steps)) > kOffGrid) return std::nullopt;
    return static_cast<std::int64_t>(std::nearbyint(steps)) + meaning.zero_point[group];
}

ordered_json to_json(const TensorDescription& tensor) {
    const auto pairs = [](const auto& entries) {
        auto list = ordered_json::array();
        for (const auto& [name, extent] : entries) list.push_back({name, extent});
        return list;
    };
    ordered_json result{{"format", kFormat},
                        {"name", tensor.name},
                        {"node", tensor.node},
                        {"role", name_of(tensor.role)},
                        {"shape", tensor.shape.extents()},
                        {"layout", "C order"},
                        {"channel_axis", tensor.channel_axis},
                        {"coordinates", pairs(tensor.coordinates)},
                        {"bits", tensor.word.bits},
                        {"signed", tensor.word.is_signed},
                        {"kind", tensor.kind}};
    if (!tensor.tile.empty()) result["tile"] = pairs(tensor.tile);
    if (!tensor.format.is_null()) result["parameters"] = tensor.format;
    if (tensor.has_meaning) {
        result["scale"] = tensor.meaning.scale;
        result["zero_point"] = tensor.meaning.zero_point;
        if (!tensor.meaning.group_of.empty()) result["group_of"] = tensor.meaning.group_of;
        if (!tensor.meaning.values.empty()) result["values"] = tensor.meaning.values;
    }
    result["sha256"] = tensor.sha256;
    return result;
}

TensorDescription tensor_description_of(const json& object, const std::string& file) {
    std::vector<std::string> problems;
    TensorDescription tensor;
    if (!object.is_object()) throw models::InputError(fmt::format("{}: not a JSON object", file));
    Members members(object, problems);
    if (const auto format = members.text("format"); format != kFormat)
        throw models::InputError(fmt::format("{}: format '{}'; this version reads {}", file, format, kFormat));
    tensor.name = members.text("name");
    tensor.node = members.text("node", false);
    const auto role = members.text("role");
    const auto found = std::ranges::find(kRoles, role);
    if (found == kRoles.end())
        members.problem("role", fmt::format("got '{}'; allowed: {}", role, fmt::join(kRoles, ", ")));
    else
        tensor.role = static_cast<TensorRole>(found - kRoles.begin());
    const auto extents = members.numbers<std::int64_t>("shape", kMaxRank);
    const auto count = product_of(extents);
    if (members.find("shape") == nullptr || std::ranges::any_of(extents, [](auto e) { return e < 1; }) || count > kMaxWords)
        members.problem("shape", fmt::format("extents of at least 1 are needed, of up to {} words in all", kMaxWords));
    else
        tensor.shape = models::Shape(extents);
    tensor.channel_axis = static_cast<std::size_t>(
        members.integer("channel_axis", 0, std::max<std::int64_t>(0, static_cast<std::int64_t>(tensor.shape.rank()) - 1)));
    tensor.coordinates = named_extents<Coordinate>(members, "coordinates");
    tensor.tile = named_extents<TileExtent>(members, "tile");
    std::vector<std::int64_t> digits;
    for (const auto& coordinate : tensor.coordinates) digits.push_back(coordinate.extent);
    if (product_of(digits) != tensor.shape.num_elements())
        members.problem("coordinates", "their extents do not multiply to the words of the shape");
    tensor.word.bits = static_cast<int>(members.integer("bits", 1, kMaxWordBits));
    if (const auto* is_signed = members.find("signed"); is_signed != nullptr && is_signed->is_boolean())
        tensor.word.is_signed = is_signed->get<bool>();
    else
        members.problem("signed", "true or false is needed");
    tensor.kind = members.text("kind");
    const auto channels = tensor.shape.rank() == 0 ? std::size_t{1} : static_cast<std::size_t>(tensor.shape[tensor.channel_axis]);
    read_meaning(members, tensor, channels);
    if (const auto* parameters = members.find("parameters")) tensor.format = *parameters;
    tensor.sha256 = members.text("sha256");
    if (!problems.empty()) throw models::InputError(fmt::format("{}:\n    {}", file, fmt::join(problems, "\n    ")));
    return tensor;
}

json read_json(const std::filesystem::path& file, std::size_t max_bytes) {
    ByteSource source(file);
    if (source.size() > max_bytes)
        throw models::InputError(fmt::format("{}: {} bytes; a JSON file of up to {} is read", source.name(), source.size(), max_bytes));
    std::string text(static_cast<std::size_t>(source.size()), '\0');
    text.resize(source.read(text));
    try {
        return json::parse(text, [](int depth, json::parse_event_t, json&) {
            if (static_cast<std::size_t>(depth) > kMaxDepth) throw models::InputError("nested too deeply");
            return true;
        });
    } catch (const json::parse_error& error) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size())), '\n');
        throw models::InputError(fmt::format("{}:{}: not JSON: {}", source.name(), line, error.what()));
    } catch (const models::InputError& error) {
        throw models::InputError(fmt::format("{}: JSON {}", source.name(), error.what()));
    }
}

TensorDescription read_tensor_description(const std::filesystem::path& file) {
    return tensor_description_of(read_json(file), file.string());
}

}  // namespace prelude::experiments
