// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/pth.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>

#include "models/checkpoint/mapped_file.hpp"
#include "models/checkpoint/pickle.hpp"
#include "models/checkpoint/problems.hpp"

namespace prelude::models {

namespace {

constexpr std::uint64_t kMaxExpansion = 16;  // trained weights hardly compress at all
constexpr std::uint64_t kFreeExpansion = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxViewFactor = 4;
constexpr std::uint64_t kFreeViewBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kReleaseBytes = std::uint64_t{16} << 20;  // file bytes kept resident while storages are copied out

struct Buffer {
    std::shared_ptr<std::byte[]> bytes;
    std::size_t size = 0;
    [[nodiscard]] std::span<const std::byte> span() const { return {bytes.get(), size}; }
};

Buffer make_buffer(std::uint64_t size) {
    return {std::shared_ptr<std::byte[]>(new std::byte[size]), size};
}

/// The members of a zip archive after every declared size was checked against the archive's own.
class Archive final {
  public:
    Archive(std::span<const std::byte> bytes, Problems& problems) : problems_(problems) {
        zip_error_t error;
        zip_error_init(&error);
        zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
        if (source != nullptr) archive_.reset(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
        if (!archive_) {
            if (source != nullptr) zip_source_free(source);
            const std::string reason = zip_error_strerror(&error);
            zip_error_fini(&error);
            problems_.fail(fmt::format("the zip archive cannot be read ({}); truncated or damaged?", reason));
        }
        zip_error_fini(&error);
        list(bytes.size());
    }

    struct Member {
        zip_uint64_t index;
        std::uint64_t size;
    };

    [[nodiscard]] const Member* find(const std::string& name) const {
        const auto found = members_.find(name);
        return found == members_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] const std::map<std::string, Member>& members() const noexcept { return members_; }

    /// The member's bytes; libzip checks the checksum at the end. A failure is returned as a sentence.
    std::optional<Buffer> read(const Member& member, std::string& failure) {
        std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive_.get(), member.index, 0), &zip_fclose);
        if (!file) {
            failure = zip_strerror(archive_.get());
            return std::nullopt;
        }
        auto buffer = make_buffer(member.size);
        std::uint64_t position = 0;
        while (position < member.size) {
            const auto got = zip_fread(file.get(), buffer.bytes.get() + position, member.size - position);
            if (got <= 0) {
                failure = got == 0 ? "ends before its declared size" : zip_file_strerror(file.get());
                return std::nullopt;
            }
            position += static_cast<std::uint64_t>(got);
        }
        std::byte rest{};
        const auto got = zip_fread(file.get(), &rest, 1);  // the end: makes libzip compare the checksum
        if (got != 0) {
            failure = got > 0 ? "is longer than its declared size" : zip_file_strerror(file.get());
            return std::nullopt;
        }
        return buffer;
    }

  private:
    static bool is_safe(std::string_view name) {
        if (name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos) return false;
        for (std::size_t begin = 0; begin <= name.size();) {
            const auto end = std::min(name.find('/', begin), name.size());
            if (name.substr(begin, end - begin) == "..") return false;
            begin = end + 1;
        }
        return true;
    }

    void list(std::uint64_t file_bytes) {
        const auto count = zip_get_num_entries(archive_.get(), 0);
        std::uint64_t stored_bytes = 0;
        for (zip_int64_t index = 0; index < count; ++index) {
            zip_stat_t status;
            if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(index), ZIP_FL_ENC_RAW, &status) != 0) {
                problems_.add(fmt::format("member {}: {}", index, zip_strerror(archive_.get())));
                continue;
            }
            const std::string name = status.name;
            constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
            if ((status.valid & kNeeded) != kNeeded) {
                problems_.add(fmt::format("member {}: sizes are not declared", in_quotes(name)));
            } else if (!is_safe(name)) {
                problems_.add(fmt::format("member {}: the path leaves the archive; nothing was written", in_quotes(name)));
            } else if (status.encryption_method != ZIP_EM_NONE) {
                problems_.add(fmt::format("member {}: encrypted", in_quotes(name)));
            } else if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE) {
                problems_.add(fmt::format("member {}: compression method {}; stored and deflated members are supported", in_quotes(name),
                                          status.comp_method));
            } else if (status.comp_size > file_bytes - std::min(stored_bytes, file_bytes)) {
                problems_.add(fmt::format("member {}: {} bytes, more than the file has left; members overlap or sizes are wrong",
                                          in_quotes(name), status.comp_size));
            } else if (status.comp_method == ZIP_CM_STORE && status.comp_size != status.size) {
                problems_.add(fmt::format("member {}: stored, but {} bytes become {}", in_quotes(name), status.comp_size, status.size));
            } else if (status.size > kFreeExpansion && status.size / kMaxExpansion > status.comp_size) {
                problems_.add(fmt::format("member {}: {} bytes expand to {}, more than {}-fold: a zip bomb?", in_quotes(name),
                                          status.comp_size, status.size, kMaxExpansion));
            } else {
                stored_bytes += status.comp_size;
                if (!members_.emplace(name, Member{static_cast<zip_uint64_t>(index), status.size}).second) {
                    problems_.add(fmt::format("member {}: appears twice", in_quotes(name)));
                }
            }
        }
    }

    struct Discard {
        void operator()(zip_t* archive) const { zip_discard(archive); }
    };

    Problems& problems_;
    std::unique_ptr<zip_t, Discard> archive_;
    std::map<std::string, Member> members_;
};

/// What stands before `data.pkl`: torch.save puts everything below one folder named after the file.
std::string find_prefix(const Archive& archive, Problems& problems) {
    constexpr std::string_view kPickle = "data.pkl";
    std::vector<std::string> prefixes;
    bool is_torchscript = false;
    for (const auto& [name, member] : archive.members()) {
        const auto folder = name.rfind('/') + 1;  // 0 without a slash
        if (std::string_view(name).substr(folder) == kPickle) prefixes.push_back(name.substr(0, folder));
        is_torchscript |= std::string_view(name).substr(folder) == "constants.pkl";
    }
    if (is_torchscript)
        problems.fail("a TorchScript archive (constants.pkl); save the state dictionary instead: torch.save(model.state_dict(), file)");
    if (prefixes.empty()) problems.fail("no member data.pkl: not a PyTorch checkpoint");
    if (prefixes.size() > 1) problems.fail(fmt::format("{} members data.pkl; which one is meant is not clear", prefixes.size()));
    return prefixes.front();
}

bool is_contiguous(const PickledTensor& tensor) {
    std::int64_t expected = 1;
    for (std::size_t axis = tensor.extents.size(); axis-- > 0;) {
        if (tensor.extents[axis] != 1 && tensor.strides[axis] != expected) return false;
        expected *= tensor.extents[axis];
    }
    return true;
}

std::uint64_t num_bytes(const PickledTensor& tensor) {
    return checked_num_bytes(tensor.extents, size_in_bytes(tensor.type)).value();  // read_pickled_tensors() let no other through
}

/// Copies a strided view into row-major order.
void gather(const PickledTensor& tensor, std::span<const std::byte> storage, std::byte* target) {
    const auto width = size_in_bytes(tensor.type);
    const auto rank = tensor.extents.size();
    const auto inner = tensor.extents[rank - 1];  // not 0-d: that is contiguous
    const auto inner_stride = tensor.strides[rank - 1];
    std::vector<std::int64_t> position(rank, 0);
    std::int64_t source = tensor.offset;
    while (true) {
        for (std::int64_t element = 0; element < inner; ++element) {
            std::memcpy(target, storage.data() + static_cast<std::size_t>(source + element * inner_stride) * width, width);
            target += width;
        }
        std::size_t axis = rank - 1;
        while (axis > 0) {
            --axis;
            source += tensor.strides[axis];
            if (++position[axis] < tensor.extents[axis]) break;
            source -= tensor.strides[axis] * tensor.extents[axis];
            position[axis] = 0;
            if (axis == 0) return;
        }
        if (rank == 1) return;
    }
}

void check_storages(const std::vector<PickledTensor>& tensors, const Archive& archive, const std::string& prefix, Problems& problems) {
    std::uint64_t viewed_bytes = 0;
    std::unordered_map<std::string_view, std::uint64_t> storages;
    for (const auto& tensor : tensors) {
        const auto* member = archive.find(prefix + "data/" + tensor.storage);
        const auto needed = static_cast<std::uint64_t>(tensor.storage_elements) * size_in_bytes(tensor.type);
        if (tensor.storage.find('/') != std::string::npos || member == nullptr) {
            problems.add(fmt::format("{}: storage {} is not in the archive", in_quotes(tensor.name), in_quotes(tensor.storage)));
        } else if (member->size != needed) {
            problems.add(fmt::format("{}: storage {} has {} bytes, {} x {} elements need {}", in_quotes(tensor.name),
                                     in_quotes(tensor.storage), member->size, tensor.storage_elements, name_of(tensor.type), needed));
        } else {
            storages[tensor.storage] = needed;
            if (__builtin_add_overflow(viewed_bytes, num_bytes(tensor), &viewed_bytes)) viewed_bytes = ~std::uint64_t{0};
        }
    }
    std::uint64_t stored_bytes = 0;
    for (const auto& [key, bytes] : storages) stored_bytes += bytes;
    if (viewed_bytes > kFreeViewBytes && viewed_bytes / kMaxViewFactor > stored_bytes) {
        problems.add(fmt::format("tensors add up to {} bytes, more than {} times the {} bytes of their storages", viewed_bytes,
                                 kMaxViewFactor, stored_bytes));
    }
}

TensorFile read_archive(std::string file_name, std::span<const std::byte> bytes, const MappedFile* mapping) {
    Problems problems(file_name);
    Archive archive(bytes, problems);
    problems.throw_if_any();
    const auto prefix = find_prefix(archive, problems);
    auto read = [&](const std::string& name) {
        std::string failure;
        auto buffer = archive.read(*archive.find(name), failure);
        if (!buffer) problems.fail(fmt::format("member {}: {}", in_quotes(name), failure));
        return *buffer;
    };
    if (const auto* order = archive.find(prefix + "byteorder"); order != nullptr) {
        const auto text = order->size > 16 ? std::string("?") : [&] {
            const auto buffer = read(prefix + "byteorder");
            return std::string(reinterpret_cast<const char*>(buffer.bytes.get()), buffer.size);
        }();
        if (text != "little") problems.fail(fmt::format("byte order {}; only 'little' is supported", in_quotes(text)));
    }
    const auto pickle = read(prefix + "data.pkl");
    const auto tensors = read_pickled_tensors(pickle.span(), problems);
    check_storages(tensors, archive, prefix, problems);
    problems.throw_if_any();

    // Storage by storage: a storage that only non-contiguous views use is let go after they are copied.
    std::map<std::string_view, std::vector<const PickledTensor*>> users;
    for (const auto& tensor : tensors) users[tensor.storage].push_back(&tensor);
    TensorFile file(std::move(file_name));
    std::uint64_t num_read = 0;
    for (const auto& [key, views] : users) {
        std::string failure;
        const auto storage = archive.read(*archive.find(prefix + "data/" + std::string(key)), failure);
        if (!storage) {
            problems.add(fmt::format("{}: storage {}: {}", in_quotes(views.front()->name), in_quotes(key), failure));
            continue;
        }
        num_read += storage->size;
        if (mapping != nullptr && num_read >= kReleaseBytes) {
            mapping->release();
            num_read = 0;
        }
        bool is_shared = false;
        for (const auto* tensor : views) {
            const auto size = num_bytes(*tensor);
            RawTensor raw{tensor->type, Shape(tensor->extents), {}};
            if (size != 0 && is_contiguous(*tensor)) {
                raw.bytes = storage->span().subspan(static_cast<std::size_t>(tensor->offset) * size_in_bytes(tensor->type), size);
                is_shared = true;
            } else if (size != 0) {
                const auto copy = make_buffer(size);
                gather(*tensor, storage->span(), copy.bytes.get());
                raw.bytes = copy.span();
                file.keep_alive(copy.bytes);
            }
            file.add(tensor->name, std::move(raw));
        }
        if (is_shared) file.keep_alive(storage->bytes);
    }
    problems.throw_if_any();
    return file;
}

}  // namespace

TensorFile read_pth(std::string file, std::span<const std::byte> bytes) {
    return read_archive(std::move(file), bytes, nullptr);
}

TensorFile read_pth(const std::filesystem::path& path) {
    const MappedFile mapping(path);
    return read_archive(path.string(), mapping.bytes(), &mapping);
}

}  // namespace prelude::models
