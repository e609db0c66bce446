// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "models/checkpoint/mapped_file.hpp"
#include "models/checkpoint/problems.hpp"
#include "models/checkpoint/pth.hpp"
#include "models/checkpoint/safetensors.hpp"
#include "models/checkpoint/sam_names.hpp"

namespace prelude::models {

namespace {

enum class Format { safetensors, pytorch_zip };

Format recognise(std::span<const std::byte> bytes, Problems& problems) {
    const std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 512));
    auto starts_with = [&](std::string_view beginning) { return head.substr(0, beginning.size()) == beginning; };
    if (starts_with("PK\x03\x04") || starts_with("PK\x05\x06")) return Format::pytorch_zip;
    if (head.size() > 8 && head[8] == '{') return Format::safetensors;
    if (head.empty()) problems.fail("empty file");
    if (starts_with("version https://git-lfs.github.com/spec/"))
        problems.fail("a Git LFS pointer, not the file itself; fetch it with git lfs pull");
    if (starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")) {
        problems.fail("a legacy PyTorch file (before 1.6, not a zip archive); load it in PyTorch and torch.save it again");
    }
    if (head.size() > 261 && head.substr(257, 5) == "ustar")
        problems.fail("a tar archive (legacy PyTorch or packed files); safetensors and PyTorch zip files can be read");
    if (starts_with("\x80")) problems.fail("a bare pickle, not a PyTorch zip file; safetensors and PyTorch zip files can be read");
    if (starts_with("\x1f\x8b")) problems.fail("gzip-compressed; unpack it first");
    if (starts_with("<!DOCTYPE") || starts_with("<!doctype") || starts_with("<html"))
        problems.fail("a web page, not a checkpoint; the download failed?");
    std::string first;
    for (const char character : head.substr(0, 9)) first += fmt::format(" {:02x}", static_cast<unsigned char>(character));
    problems.fail(fmt::format("neither a safetensors nor a PyTorch zip file (first bytes{})", first));
}

/// Converts stored floats to float32.
void convert(const RawTensor& raw, std::span<float> values) {
    const auto* source = raw.bytes.data();
    const auto width = size_in_bytes(raw.type);
    for (auto& value : values) {
        if (raw.type == ElementType::f64) {
            double wide = 0;
            std::memcpy(&wide, source, width);
            value = static_cast<float>(wide);
        } else {
            std::uint16_t bits = 0;
            std::memcpy(&bits, source, width);
            value = raw.type == ElementType::f16 ? half_to_float(bits) : bfloat16_to_float(bits);
        }
        source += width;
    }
}

}  // namespace

TensorFile read_checkpoint(const std::filesystem::path& path) {
    const auto format = [&] {
        const MappedFile mapping(path);
        Problems problems(path.string());
        return recognise(mapping.bytes(), problems);
    }();
    return format == Format::safetensors ? read_safetensors(path) : read_pth(path);
}

Weights Weights::open(const std::filesystem::path& path) {
    return from(read_checkpoint(path));
}

Weights Weights::from(const TensorFile& file) {
    Problems problems(file.file());
    std::vector<std::string> file_names;
    for (const auto& [name, raw] : file.tensors()) file_names.push_back(name);
    const auto canonical = canonical_names(file_names, problems);
    for (const auto& [copy, original] : canonical.copies) {
        const auto found = std::find_if(canonical.names.begin(), canonical.names.end(),
                                        [&, &original = original](const auto& name) { return name.second == original; });
        const auto& first = file.tensor(copy);
        const auto& second = file.tensor(found->first);
        const bool is_equal = first.type == second.type && first.shape == second.shape &&
                              std::equal(first.bytes.begin(), first.bytes.end(), second.bytes.begin());
        if (!is_equal)
            problems.add(fmt::format("{} and {} hold one matrix of the model, but differ", in_quotes(copy), in_quotes(found->first)));
    }
    problems.throw_if_any();

    Weights weights(file.file());
    weights.metadata_ = file.metadata();
    bool views_file = false;
    for (const auto& [file_name, name] : canonical.names) {
        const auto& raw = file.tensor(file_name);
        Entry entry{raw.shape, raw.type, {}, nullptr};
        if (raw.type == ElementType::f32) {
            entry.values = file.view<float>(file_name);
            views_file = true;
        } else if (is_floating_point(raw.type)) {
            auto tensor = std::make_shared<Tensor>(raw.shape);
            convert(raw, tensor->values());
            entry.values = std::as_const(*tensor).values();
            entry.owner = std::move(tensor);
        }
        weights.insert_entry(name, std::move(entry));
    }
    if (views_file) weights.owners_ = file.owners();
    return weights;
}

Weights Weights::generate(const std::vector<NamedShape>& tensors, const std::function<void(const std::string&, std::span<float>)>& fill) {
    Weights weights("generated weights");
    for (const auto& [name, shape] : tensors) {
        Tensor tensor(shape);
        fill(name, tensor.values());
        weights.insert(name, std::move(tensor));
    }
    return weights;
}

void Weights::insert(std::string name, Tensor tensor) {
    auto owner = std::make_shared<const Tensor>(std::move(tensor));
    insert_entry(std::move(name), {owner->shape(), ElementType::f32, owner->values(), owner});
}

void Weights::replace(std::string_view name, Tensor tensor) {
    const auto found = entries_.find(name);
    check(found != entries_.end() && found->second.shape == tensor.shape(), "weights: replaced by another shape");
    auto owner = std::make_shared<const Tensor>(std::move(tensor));
    found->second = {owner->shape(), ElementType::f32, owner->values(), owner};
}

void Weights::insert_entry(std::string name, Entry entry) {
    check(entries_.emplace(std::move(name), std::move(entry)).second, "weights: name used twice");
}

std::vector<std::string> Weights::names() const {
    std::vector<std::string> result;
    for (const auto& [name, entry] : entries_) result.push_back(name);
    return result;
}

Weights::Shapes Weights::shapes() const {
    Shapes result;
    for (const auto& [name, entry] : entries_) result.emplace(name, entry.shape);
    return result;
}

const Weights::Entry& Weights::entry(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) Problems(file_).fail(fmt::format("no tensor {}", in_quotes(name)));
    return found->second;
}

const Shape& Weights::shape(std::string_view name) const {
    return entry(name).shape;
}

ElementType Weights::stored_type(std::string_view name) const {
    return entry(name).stored_type;
}

WeightView Weights::tensor(std::string_view name) const {
    const auto& found = entry(name);
    if (!is_floating_point(found.stored_type)) {
        Problems(file_).fail(fmt::format("{}: stored as {}, not as floating point", in_quotes(name), name_of(found.stored_type)));
    }
    return {found.shape, found.values};
}

}  // namespace prelude::models
