// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one interface to a model's float weights: canonical (Meta) name -> row-major float32, whatever the file was.
// Limits: all tensors of a file are present after open(); float32 safetensors stay mapped and are not read until used.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint/tensor_file.hpp"
#include "models/graph/sam_config.hpp"
#include "models/tensor.hpp"

namespace prelude::models {

/// Reads any checkpoint; the format is recognised by its first bytes, never by the name.
///
/// Limits    safetensors and PyTorch zip files; legacy PyTorch files, Git LFS pointers and others are refused by what they are
/// Throws    CheckpointError with every problem of the file
[[nodiscard]] TensorFile read_checkpoint(const std::filesystem::path& path);

/// A tensor of a Weights: valid as long as that Weights or a copy of it lives.
struct WeightView {
    Shape shape;
    std::span<const float> values;  ///< row-major
};

/// Named float32 tensors.
///
/// **Contract**
/// - copies share the values, which nobody writes; using one Weights from several threads or forked processes is safe
/// - F32 in a safetensors file is viewed in the mapping; F16, BF16 and F64 were converted (F64 to the nearest) by open()
/// - integer and boolean tensors are listed with their shape, but have no float values
class Weights final {
  public:
    using Shapes = std::map<std::string, Shape, std::less<>>;

    explicit Weights(std::string file = "weights") : file_(std::move(file)) {}

    /// Throws    CheckpointError: see read_checkpoint(); also if two names of the file mean the same tensor
    [[nodiscard]] static Weights open(const std::filesystem::path& path);
    /// The same from a file that was read already.
    [[nodiscard]] static Weights from(const TensorFile& file);
    /// Weights made by a function, tensor by tensor in the given order: `fill(name, values)`.
    [[nodiscard]] static Weights generate(const std::vector<NamedShape>& tensors,
                                          const std::function<void(const std::string&, std::span<float>)>& fill);

    /// Adds a tensor; the name must be new (else a programming error).
    void insert(std::string name, Tensor tensor);
    /// Other values for a tensor of this copy; the shape must be the same (else a programming error).
    void replace(std::string_view name, Tensor tensor);

    [[nodiscard]] const std::string& file() const noexcept { return file_; }  ///< for messages
    [[nodiscard]] const TensorFile::Metadata& metadata() const noexcept { return metadata_; }
    [[nodiscard]] bool contains(std::string_view name) const { return entries_.find(name) != entries_.end(); }
    [[nodiscard]] std::vector<std::string> names() const;  ///< ascending
    [[nodiscard]] Shapes shapes() const;
    // Throw CheckpointError if there is no such tensor; tensor() also if it is stored as integers.
    [[nodiscard]] const Shape& shape(std::string_view name) const;
    [[nodiscard]] ElementType stored_type(std::string_view name) const;
    [[nodiscard]] WeightView tensor(std::string_view name) const;
    [[nodiscard]] std::span<const float> values(std::string_view name) const { return tensor(name).values; }

  private:
    struct Entry {
        Shape shape;
        ElementType stored_type = ElementType::f32;
        std::span<const float> values;
        std::shared_ptr<const void> owner;  ///< of converted or inserted values
    };
    [[nodiscard]] const Entry& entry(std::string_view name) const;
    void insert_entry(std::string name, Entry entry);

    std::string file_;
    TensorFile::Metadata metadata_;
    std::map<std::string, Entry, std::less<>> entries_;
    std::vector<std::shared_ptr<const void>> owners_;  ///< of the file's bytes
};

}  // namespace prelude::models
