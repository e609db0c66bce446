// SPDX-License-Identifier: Apache-2.0
#include "formula_sam.hpp"

#include <cmath>

namespace prelude::formula {

Formula::Formula(const std::string& seed, const std::string& name) : key_(0xcbf29ce484222325ULL) {
    for (const char character : seed + ":" + name) key_ = (key_ ^ static_cast<unsigned char>(character)) * 0x100000001b3ULL;
}

float Formula::operator()(std::uint64_t index) const noexcept {
    auto z = key_ + (index + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return static_cast<float>(static_cast<std::int64_t>(z >> 40) - (1 << 23)) * 0x1p-23F;
}

models::Weights make_weights(const nlohmann::json& document, const CheckTensor& check) {
    const auto& tensors = document.at("tensors");
    std::vector<models::NamedShape> shapes;
    for (const auto& [name, entry] : tensors.items()) shapes.push_back({name, models::Shape(entry.at("shape").get<std::vector<std::int64_t>>())});
    const auto seed = document.at("seed").get<std::string>();
    return models::Weights::generate(shapes, [&](const std::string& name, std::span<float> values) {
        const auto& entry = tensors.at(name);
        const Formula formula(seed, name);
        const auto offset = entry.at("offset").get<float>();
        const float scale = std::ldexp(1.0F, entry.at("log2_scale").get<int>());
        for (std::size_t index = 0; index < values.size(); ++index) values[index] = offset + formula(index) * scale;
        if (check) check(name, values);
    });
}

}  // namespace prelude::formula
