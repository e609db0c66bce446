// SPDX-License-Identifier: Apache-2.0
#include "experiments/hash.hpp"

#include "models/error.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;

class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        models::check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "SHA-256");
    }

    void add(std::string_view bytes) { models::check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "SHA-256"); }

    [[nodiscard]] std::string finish() {
        std::array<unsigned char, 32> digest{};
        models::check(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1, "SHA-256");
        std::string text;
        for (const auto byte : digest) text += fmt::format("{:02x}", byte);
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string of_file(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw fs::filesystem_error("cannot be read", path, std::make_error_code(std::errc::io_error));
    Sha256 hash;
    std::vector<char> buffer(std::size_t{1} << 20);
    while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0)
        hash.add({buffer.data(), static_cast<std::size_t>(stream.gcount())});
    return hash.finish();
}

}  // namespace

std::string sha256(std::string_view bytes) {
    Sha256 hash;
    hash.add(bytes);
    return hash.finish();
}

std::string sha256_of_path(const fs::path& path) {
    if (!fs::is_directory(path)) return of_file(path);
    std::vector<std::string> entries;
    for (const auto& entry : fs::recursive_directory_iterator(path))
        if (entry.is_regular_file())
            entries.push_back(fmt::format("{} {}\n", fs::relative(entry.path(), path).string(), entry.file_size()));
    std::sort(entries.begin(), entries.end());
    Sha256 hash;
    for (const auto& entry : entries) hash.add(entry);
    return hash.finish();
}

std::string remembered_as(std::string_view what, const std::string& state, const std::function<std::string()>& compute) {
    static std::map<std::pair<std::string, std::string>, std::string> known;
    const auto key = std::pair(std::string(what), state);
    const auto found = known.find(key);
    return found != known.end() ? found->second : known[key] = compute();
}

std::string remembered(std::string_view what, const fs::path& file, const std::function<std::string()>& compute) {
    std::error_code failure;
    const auto stamp = fs::is_regular_file(file, failure) ? stamp_of(file) : std::string{};
    return stamp.empty() ? compute() : remembered_as(what, stamp, compute);
}

std::string stamp_of(const fs::path& file) {
    std::error_code failure;
    const auto size = fs::file_size(file, failure);
    if (failure) return {};
    const auto changed = fs::last_write_time(file, failure);
    if (failure) return {};
    return fmt::format("{} {} {}\n", file.string(), size, changed.time_since_epoch().count());
}

}  // namespace prelude::experiments
