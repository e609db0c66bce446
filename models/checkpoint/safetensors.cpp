// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/safetensors.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <unordered_set>

#include "models/checkpoint/mapped_file.hpp"
#include "models/checkpoint/problems.hpp"

namespace prelude::models {

namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the cap of the format's own library
constexpr std::size_t kMaxTensors = std::size_t{1} << 20;
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kLengthBytes = 8;

/// An entry of the header as it stands there; `complete` says which keys were seen and well formed.
struct HeaderEntry {
    std::string name;
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::vector<std::uint64_t> offsets;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    bool broken = false;  ///< a problem of this entry was already reported
};

/// Receives the header's JSON as events, so that duplicate names are seen and depth and memory stay bounded.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit HeaderReader(Problems& problems) : problems_(problems) {}

    std::vector<HeaderEntry> entries;
    TensorFile::Metadata metadata;

    bool null() override { return scalar("null"); }
    bool boolean(bool) override { return scalar("a boolean"); }
    bool number_integer(number_integer_t) override { return scalar("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { return scalar("a fraction or a number beyond 64 bits"); }
    bool binary(binary_t&) override { return scalar("binary data"); }

    bool number_unsigned(number_unsigned_t value) override {
        if (place_ != Place::array) return scalar("a number");
        auto& entry = entries.back();
        if (key_ == "shape") {
            if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                return entry_problem("shape: an extent does not fit 63 bits");
            if (entry.shape.size() == kMaxRank) return entry_problem(fmt::format("shape: more than {} extents", kMaxRank));
            entry.shape.push_back(static_cast<std::int64_t>(value));
        } else if (key_ == "data_offsets") {
            if (entry.offsets.size() == 2) return entry_problem("data_offsets: more than two numbers");
            entry.offsets.push_back(value);
        }
        return true;
    }

    bool string(string_t& value) override {
        if (place_ == Place::metadata) {
            metadata[key_] = value;
            return true;
        }
        if (place_ == Place::entry && key_ == "dtype") {
            entries.back().dtype = value;
            entries.back().has_dtype = true;
            return true;
        }
        return scalar("a string");
    }

    bool start_object(std::size_t) override {
        if (place_ == Place::outside) {
            place_ = Place::top;
        } else if (place_ == Place::top) {
            if (key_ == "__metadata__") {
                place_ = Place::metadata;
            } else {
                if (entries.size() == kMaxTensors) return stop(fmt::format("header: more than {} tensors", kMaxTensors));
                entries.push_back({});
                entries.back().name = key_;
                entry_keys_.clear();
                place_ = Place::entry;
            }
        } else {
            return stop("header: objects nested too deep" + where());
        }
        return true;
    }

    bool end_object() override {
        place_ = place_ == Place::top ? Place::outside : Place::top;
        return true;
    }

    bool key(string_t& value) override {
        key_ = value;
        if (place_ == Place::top) {
            if (!names_.insert(value).second) problems_.add(fmt::format("{}: appears twice in the header", in_quotes(value)));
            name_ = value;
        } else if (place_ == Place::metadata) {
            if (metadata.size() >= kMaxTensors) return stop("__metadata__: too many entries");
            if (metadata.count(value) != 0) problems_.add(fmt::format("__metadata__: key {} appears twice", in_quotes(value)));
        } else if (place_ == Place::entry) {
            if (value != "dtype" && value != "shape" && value != "data_offsets") return entry_problem("unknown key " + in_quotes(value));
            if (!entry_keys_.insert(value).second) return entry_problem("key " + in_quotes(value) + " appears twice");
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (place_ == Place::array) return stop("header: lists nested too deep" + where());
        if (place_ != Place::entry || (key_ != "shape" && key_ != "data_offsets"))
            return stop("header: a list where none belongs" + where());
        (key_ == "shape" ? entries.back().has_shape : entries.back().has_offsets) = true;
        place_ = Place::array;
        return true;
    }

    bool end_array() override {
        place_ = Place::entry;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
        return stop(fmt::format("header: not valid JSON at byte {}", kLengthBytes + position));
    }

  private:
    enum class Place { outside, top, metadata, entry, array };

    std::string where() const {
        return place_ == Place::top ? " (" + in_quotes(key_) + ")" : " (" + in_quotes(name_) + ", key " + in_quotes(key_) + ")";
    }

    bool stop(std::string problem) {
        problems_.add(std::move(problem));
        return false;
    }

    bool entry_problem(std::string problem) {
        if (!entries.back().broken) problems_.add(fmt::format("{}: {}", in_quotes(entries.back().name), problem));
        entries.back().broken = true;
        return true;
    }

    /// A scalar that the format does not have at this place.
    bool scalar(std::string_view what) {
        switch (place_) {
            case Place::outside: return stop(fmt::format("header: {} instead of an object", what));
            case Place::top: problems_.add(fmt::format("{}: {} instead of an object", in_quotes(key_), what)); return true;
            case Place::metadata:
                problems_.add(fmt::format("__metadata__: {} is {}; only strings are allowed", in_quotes(key_), what));
                return true;
            case Place::entry:
            case Place::array: return entry_problem(fmt::format("{}: {} is not allowed here", key_, what));
        }
        return true;
    }

    Problems& problems_;
    Place place_ = Place::outside;
    std::string name_;
    std::string key_;
    std::unordered_set<std::string> names_;
    std::set<std::string> entry_keys_;
};

/// An entry whose type, shape and range were found consistent.
struct Checked {
    const HeaderEntry* entry;
    ElementType type;
    std::uint64_t begin, end;
};

std::optional<Checked> check_entry(const HeaderEntry& entry, std::uint64_t data_bytes, Problems& problems) {
    if (entry.broken) return std::nullopt;
    auto problem = [&](const std::string& text) {
        problems.add(fmt::format("{}: {}", in_quotes(entry.name), text));
        return std::nullopt;
    };
    if (!entry.has_dtype) return problem("no dtype");
    if (!entry.has_shape) return problem("no shape");
    if (!entry.has_offsets || entry.offsets.size() != 2) return problem("data_offsets: two numbers are needed");
    const auto type = element_type_named(entry.dtype);
    if (!type) {
        return problem(fmt::format("dtype {} is not supported (F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL are)",
                                   in_quotes(entry.dtype)));
    }
    const auto begin = entry.offsets[0];
    const auto end = entry.offsets[1];
    const auto shape = Shape(entry.shape).to_string();
    const auto bytes = checked_num_bytes(entry.shape, size_in_bytes(*type));
    if (!bytes) return problem(fmt::format("shape {} has more bytes than 63 bits can count", shape));
    if (begin > end) return problem(fmt::format("data_offsets [{}, {}] run backwards", begin, end));
    if (end > data_bytes) return problem(fmt::format("data_offsets [{}, {}] leave the file's {} data bytes", begin, end, data_bytes));
    if (end - begin != *bytes) {
        return problem(
            fmt::format("{} {} needs {} bytes, data_offsets [{}, {}] hold {}", entry.dtype, shape, *bytes, begin, end, end - begin));
    }
    return Checked{&entry, *type, begin, end};
}

/// The ranges must tile the data: the format allows neither overlaps nor holes (a hole could carry another file).
void check_tiling(std::vector<Checked>& tensors, std::uint64_t data_bytes, Problems& problems) {
    std::sort(tensors.begin(), tensors.end(), [](const Checked& a, const Checked& b) {
        return std::tie(a.begin, a.end, a.entry->name) < std::tie(b.begin, b.end, b.entry->name);
    });
    std::uint64_t covered = 0;
    const Checked* previous = nullptr;
    for (const auto& tensor : tensors) {
        if (tensor.begin < covered) {
            problems.add(fmt::format("{}: data_offsets [{}, {}] overlap {} [{}, {}]", in_quotes(tensor.entry->name), tensor.begin,
                                     tensor.end, in_quotes(previous->entry->name), previous->begin, previous->end));
        } else if (tensor.begin > covered) {
            problems.add(
                fmt::format("{}: data bytes {} to {} before it belong to no tensor", in_quotes(tensor.entry->name), covered, tensor.begin));
        }
        if (tensor.end >= covered) {
            covered = tensor.end;
            previous = &tensor;
        }
    }
    if (covered != data_bytes) problems.add(fmt::format("data bytes {} to {} at the end belong to no tensor", covered, data_bytes));
}

/// Gives `file` the tensors of `bytes`; those that are not aligned to their elements move into one new buffer.
void add_tensors(TensorFile& file, const std::vector<Checked>& tensors, std::span<const std::byte> data) {
    auto is_aligned = [&](const Checked& tensor) {
        return reinterpret_cast<std::uintptr_t>(data.data() + tensor.begin) % size_in_bytes(tensor.type) == 0;
    };
    auto padded = [](std::uint64_t bytes) { return (bytes + 7) / 8 * 8; };
    std::uint64_t num_copied = 0;
    for (const auto& tensor : tensors) {
        if (!is_aligned(tensor)) num_copied += padded(tensor.end - tensor.begin);
    }
    std::shared_ptr<std::byte[]> copies;
    if (num_copied > 0) {
        copies = std::shared_ptr<std::byte[]>(new std::byte[num_copied]);
        file.keep_alive(copies);
    }
    std::uint64_t position = 0;
    for (const auto& tensor : tensors) {
        auto bytes = data.subspan(tensor.begin, tensor.end - tensor.begin);
        if (!is_aligned(tensor)) {
            if (!bytes.empty()) std::memcpy(copies.get() + position, bytes.data(), bytes.size());
            bytes = {copies.get() + position, bytes.size()};
            position += padded(bytes.size());
        }
        file.add(tensor.entry->name, {tensor.type, Shape(tensor.entry->shape), bytes});
    }
}

}  // namespace

TensorFile read_safetensors(std::string file_name, std::span<const std::byte> bytes) {
    Problems problems(file_name);
    if (bytes.size() < kLengthBytes) problems.fail(fmt::format("{} bytes are too few for a safetensors file", bytes.size()));
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
    if (header_bytes > kMaxHeaderBytes)
        problems.fail(fmt::format("header length {} is above the limit of {}", header_bytes, kMaxHeaderBytes));
    if (header_bytes > bytes.size() - kLengthBytes) {
        problems.fail(fmt::format("header length {} leaves the file, which has {} bytes; truncated?", header_bytes, bytes.size()));
    }
    const auto* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
    if (header_bytes == 0 || text[0] != '{') problems.fail("header does not start with '{'");

    HeaderReader header(problems);
    nlohmann::json::sax_parse(text, text + header_bytes, &header);
    problems.throw_if_any();

    const auto data = bytes.subspan(kLengthBytes + header_bytes);
    std::vector<Checked> tensors;
    for (const auto& entry : header.entries) {
        if (auto checked = check_entry(entry, data.size(), problems)) tensors.push_back(*checked);
    }
    // With an entry missing, its bytes would be reported as a hole as well: one problem is told once.
    if (problems.empty()) check_tiling(tensors, data.size(), problems);
    problems.throw_if_any();

    TensorFile file(std::move(file_name));
    file.set_metadata(std::move(header.metadata));
    add_tensors(file, tensors, data);
    return file;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
    auto mapping = std::make_shared<const MappedFile>(path);
    auto file = read_safetensors(path.string(), mapping->bytes());
    file.keep_alive(std::move(mapping));
    return file;
}

namespace {

/// A file under a temporary name beside its target; removed unless commit() was reached.
class PendingFile final {
  public:
    explicit PendingFile(const std::filesystem::path& target) : target_(target), problems_(target.string()) {
        static std::atomic<unsigned> counter{0};
        do {  // a name may be left over from a killed process that had our id
            temporary_ = target;
            temporary_ += fmt::format(".{}.{}.tmp", ::getpid(), counter++);
            descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (descriptor_ < 0 && errno == EEXIST);
        if (descriptor_ < 0) fail("cannot be created");
    }
    ~PendingFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
        if (!committed_) ::unlink(temporary_.c_str());
    }
    PendingFile(const PendingFile&) = delete;
    PendingFile& operator=(const PendingFile&) = delete;

    void write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const auto written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0) {
                if (errno == EINTR) continue;
                fail("cannot be written");
            }
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }

    void commit() {
        if (::fsync(descriptor_) != 0) fail("cannot be written");
        if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be written");
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed from its temporary name");
        committed_ = true;
        const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
        const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {  // makes the rename durable where the file system can
            ::fsync(directory);
            ::close(directory);
        }
    }

  private:
    [[noreturn]] void fail(std::string_view what) { problems_.fail(fmt::format("{}: {}", what, std::strerror(errno))); }

    std::filesystem::path target_;
    std::filesystem::path temporary_;
    Problems problems_;
    int descriptor_ = -1;
    bool committed_ = false;
};

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors, const TensorFile::Metadata& metadata) {
    std::vector<const TensorToWrite*> order;
    std::unordered_set<std::string_view> names;
    for (const auto& tensor : tensors) {
        check(tensor.name != "__metadata__" && names.insert(tensor.name).second, "write_safetensors: tensor name used twice or reserved");
        check(checked_num_bytes(tensor.shape.extents(), size_in_bytes(tensor.type)) == tensor.bytes.size(),
              "write_safetensors: bytes differ from shape");
        order.push_back(&tensor);
    }
    std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return size_in_bytes(a->type) > size_in_bytes(b->type); });

    std::string text = "{";
    if (!metadata.empty()) text += fmt::format("\"__metadata__\":{},", nlohmann::json(metadata).dump());
    std::uint64_t position = 0;
    for (const auto* tensor : order) {
        const auto end = position + tensor->bytes.size();
        text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},", nlohmann::json(tensor->name).dump(),
                            name_of(tensor->type), fmt::join(tensor->shape.extents(), ","), position, end);
        position = end;
    }
    if (text.back() == ',') text.pop_back();
    text += '}';
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t header_bytes = text.size();

    PendingFile file(path);
    file.write(std::as_bytes(std::span(&header_bytes, 1)));
    file.write(std::as_bytes(std::span(text)));
    for (const auto* tensor : order) file.write(tensor->bytes);
    file.commit();
}

}  // namespace prelude::models
