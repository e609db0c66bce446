// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/pickle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace prelude::models {

namespace {

constexpr std::size_t kMaxPickleBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxValues = std::size_t{1} << 20;
constexpr std::size_t kMaxMemo = std::size_t{1} << 20;
constexpr std::size_t kMaxChildren = std::size_t{1} << 22;  // of all containers: GET can add one big list again and again
constexpr std::size_t kMaxArguments = 16;
constexpr std::size_t kMaxGlobals = 1000;
constexpr std::size_t kMaxGlobalName = 256;
constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kMaxRank = 16;

using Index = std::uint32_t;  ///< of a value in the arena

enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    text,
    other,   ///< a value the reader has no use for: floats, bytes, big integers, the result of an unknown call
    global,  ///< a name that unpickling would import; `text` is "module.name"
    list,
    tuple,
    dictionary,  ///< children alternate key, value
    storage,     ///< children: storage type, key, location, number of elements
    tensor,      ///< children: the arguments of _rebuild_tensor_v2
};

/// A Python value. Containers name their children by index, so cycles and depth cost no recursion.
struct Value {
    Kind kind = Kind::other;
    std::int64_t integer = 0;
    std::string_view text = {};  ///< into the pickle, or a name in Machine::globals_
    Index container = 0;         ///< index of the list of children
};

constexpr bool is_container(Kind kind) {
    return kind >= Kind::list;
}

struct StorageType {
    std::string_view global;
    ElementType type;
};

constexpr std::array kStorageTypes = {
    StorageType{"torch.DoubleStorage", ElementType::f64}, StorageType{"torch.FloatStorage", ElementType::f32},
    StorageType{"torch.HalfStorage", ElementType::f16},   StorageType{"torch.BFloat16Storage", ElementType::bf16},
    StorageType{"torch.LongStorage", ElementType::i64},   StorageType{"torch.IntStorage", ElementType::i32},
    StorageType{"torch.ShortStorage", ElementType::i16},  StorageType{"torch.CharStorage", ElementType::i8},
    StorageType{"torch.ByteStorage", ElementType::u8},    StorageType{"torch.BoolStorage", ElementType::boolean},
};

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kTorchSize = "torch.Size";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kRebuildTensor2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";

std::optional<ElementType> storage_type(std::string_view global) {
    for (const auto& candidate : kStorageTypes) {
        if (candidate.global == global) return candidate.type;
    }
    return std::nullopt;
}

bool is_allowed(std::string_view global) {
    return global == kOrderedDict || global == kTorchSize || global == kRebuildTensor || global == kRebuildTensor2 ||
           global == kRebuildParameter || storage_type(global);
}

/// Opcodes of pickle protocols 2 to 5 that state dictionaries use.
enum class Opcode : std::uint8_t {
    mark = '(',
    stop = '.',
    pop = '0',
    pop_mark = '1',
    none = 'N',
    new_true = 0x88,
    new_false = 0x89,
    int4 = 'J',
    int1 = 'K',
    int2 = 'M',
    long1 = 0x8a,
    long4 = 0x8b,
    real = 'G',
    string4 = 'T',
    string1 = 'U',
    bytes4 = 'B',
    bytes1 = 'C',
    bytes8 = 0x8e,
    unicode4 = 'X',
    unicode1 = 0x8c,
    unicode8 = 0x8d,
    empty_list = ']',
    append = 'a',
    appends = 'e',
    list = 'l',
    empty_tuple = ')',
    tuple = 't',
    tuple1 = 0x85,
    tuple2 = 0x86,
    tuple3 = 0x87,
    empty_dictionary = '}',
    dictionary = 'd',
    set_item = 's',
    set_items = 'u',
    put1 = 'q',
    put4 = 'r',
    memoize = 0x94,
    get1 = 'h',
    get4 = 'j',
    global = 'c',
    stack_global = 0x93,
    reduce = 'R',
    build = 'b',
    persistent_id = 'Q',
    protocol = 0x80,
    frame = 0x95,
};

class Machine final {
  public:
    Machine(std::span<const std::byte> pickle, Problems& problems) : pickle_(pickle), problems_(problems) {}

    /// Follows the opcodes to STOP; the result is the root value.
    Index run();

    [[nodiscard]] const Value& operator[](Index index) const { return values_[index]; }
    [[nodiscard]] const std::vector<Index>& children(const Value& value) const { return containers_[value.container]; }
    [[nodiscard]] const std::vector<Index>& children(Index index) const { return children(values_[index]); }

  private:
    [[noreturn]] void fail(const std::string& problem) { problems_.fail(fmt::format("data.pkl, byte {}: {}", position_, problem)); }

    std::span<const std::byte> take(std::uint64_t count) {
        if (count > pickle_.size() - next_) fail(fmt::format("ends early: needs {} bytes, {} left", count, pickle_.size() - next_));
        const auto bytes = pickle_.subspan(next_, count);
        next_ += count;
        return bytes;
    }
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }
    std::string_view text(std::uint64_t count) {
        const auto bytes = take(count);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    std::string_view line() {
        const auto rest = pickle_.subspan(next_);
        const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
        if (end == rest.end()) fail("a line without end");
        const auto result = text(static_cast<std::size_t>(end - rest.begin()));
        ++next_;
        return result;
    }

    Index make(Value value) {
        if (values_.size() == kMaxValues) fail(fmt::format("more than {} values", kMaxValues));
        values_.push_back(value);
        return static_cast<Index>(values_.size() - 1);
    }
    void count_children(std::size_t count) {
        num_children_ += count;
        if (num_children_ > kMaxChildren) fail(fmt::format("containers hold more than {} values", kMaxChildren));
    }
    Index make_container(Kind kind, std::vector<Index> children) {
        count_children(children.size());
        containers_.push_back(std::move(children));
        return make({.kind = kind, .container = static_cast<Index>(containers_.size() - 1)});
    }
    void push(Index index) { stack_.push_back(index); }
    void push(Value value) { push(make(value)); }
    void push_container(Kind kind, std::vector<Index> children) { push(make_container(kind, std::move(children))); }

    /// The stack may be used down to the last MARK only.
    [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    void need(std::size_t count) {
        if (stack_.size() - floor() < count) fail("the stack holds too few values");
    }
    Index pop() {
        need(1);
        const auto top = stack_.back();
        stack_.pop_back();
        return top;
    }
    Index top() {
        need(1);
        return stack_.back();
    }
    std::vector<Index> pop_to_mark() {
        if (marks_.empty()) fail("no MARK on the stack");
        const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<Index> result(first, stack_.end());
        stack_.erase(first, stack_.end());
        marks_.pop_back();
        return result;
    }
    void pop_tuple(std::size_t count) {
        need(count);
        const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
        std::vector<Index> elements(first, stack_.end());
        stack_.erase(first, stack_.end());
        push_container(Kind::tuple, std::move(elements));
    }

    void put(std::size_t slot) {
        if (slot >= kMaxMemo) fail(fmt::format("memo slot {} is above the limit of {}", slot, kMaxMemo));
        const auto value = top();
        if (slot >= memo_.size()) memo_.resize(slot + 1, kNoValue);
        num_memo_ += memo_[slot] == kNoValue;
        memo_[slot] = value;
    }
    void get(std::size_t slot) {
        if (slot >= memo_.size() || memo_[slot] == kNoValue) fail(fmt::format("memo slot {} was never filled", slot));
        push(memo_[slot]);
    }

    void extend(Kind kind, const std::vector<Index>& added) {
        const auto target = values_[top()];
        if (target.kind == Kind::other) return;  // an object of an unknown class: its global is already a problem
        if (target.kind != kind)
            fail(kind == Kind::list ? "elements for something that is not a list" : "items for something that is not a dictionary");
        if (kind == Kind::dictionary && added.size() % 2 != 0) fail("a key without value");
        count_children(added.size());
        auto& children = containers_[target.container];
        children.insert(children.end(), added.begin(), added.end());
    }

    void long_integer(std::uint64_t count) {
        const auto bytes = take(count);
        if (count > 8) return push({.kind = Kind::other});
        std::uint64_t value = count > 0 && (std::to_integer<unsigned>(bytes.back()) & 0x80u) != 0 ? ~std::uint64_t{0} : 0;  // sign
        std::memcpy(&value, bytes.data(), bytes.size());
        push({.kind = Kind::integer, .integer = static_cast<std::int64_t>(value)});
    }

    void push_global(std::string_view module, std::string_view name) {
        if (module.size() > kMaxGlobalName || name.size() > kMaxGlobalName) fail("a global with a name beyond all reason");
        const auto [owned, is_new] = globals_.insert(fmt::format("{}.{}", module, name));
        if (is_new && globals_.size() > kMaxGlobals) fail(fmt::format("more than {} different globals", kMaxGlobals));
        if (is_new && !is_allowed(*owned)) {
            problems_.add(
                fmt::format("data.pkl, byte {}: global {} does not belong in a state dictionary; nothing was imported or executed",
                            position_, in_quotes(*owned)));
        }
        push({.kind = Kind::global, .text = *owned});
    }

    void reduce();
    void persistent_id();

    static constexpr Index kNoValue = ~Index{0};

    std::span<const std::byte> pickle_;
    Problems& problems_;
    std::size_t position_ = 0;  ///< of the current opcode
    std::size_t next_ = 0;
    std::vector<Value> values_;
    std::vector<std::vector<Index>> containers_;
    std::vector<Index> stack_;
    std::vector<std::size_t> marks_;
    std::size_t num_children_ = 0;
    std::vector<Index> memo_;
    std::size_t num_memo_ = 0;                 ///< what MEMOIZE numbers by
    std::unordered_set<std::string> globals_;  ///< owns the names, reports each once; its nodes do not move
};

void Machine::reduce() {
    const auto arguments_index = pop();
    const auto callable = values_[pop()];
    if (callable.kind == Kind::other) return push({.kind = Kind::other});
    if (callable.kind != Kind::global) fail("REDUCE of something that is not a global");
    if (values_[arguments_index].kind != Kind::tuple) fail("REDUCE without an argument tuple");
    auto wrong = [&] { fail(fmt::format("wrong arguments for {}", callable.text)); };
    if (children(arguments_index).size() > kMaxArguments) wrong();
    const auto arguments = children(arguments_index);

    if (callable.text == kOrderedDict) {
        std::vector<Index> items;
        if (arguments.size() == 1 && values_[arguments[0]].kind == Kind::list) {  // OrderedDict([[key, value], ...])
            for (auto pair : children(arguments[0])) {
                const auto kind = values_[pair].kind;
                if ((kind != Kind::list && kind != Kind::tuple) || children(pair).size() != 2) wrong();
                items.insert(items.end(), children(pair).begin(), children(pair).end());
            }
        } else if (!arguments.empty()) {
            wrong();
        }
        push_container(Kind::dictionary, std::move(items));
    } else if (callable.text == kRebuildTensor || callable.text == kRebuildTensor2) {
        if (arguments.size() < 4 || values_[arguments[0]].kind != Kind::storage) wrong();
        push_container(Kind::tensor, arguments);
    } else if (callable.text == kRebuildParameter) {
        if (arguments.empty() || values_[arguments[0]].kind != Kind::tensor) wrong();
        push(arguments[0]);
    } else if (callable.text == kTorchSize) {
        if (arguments.size() != 1 || values_[arguments[0]].kind != Kind::tuple) wrong();
        push(arguments[0]);
    } else if (storage_type(callable.text)) {
        fail(fmt::format("a call of {}", callable.text));
    } else {
        push({.kind = Kind::other});  // the global is already a problem
    }
}

/// ('storage', type, key, location, number of elements): the only persistent ids torch.save writes.
void Machine::persistent_id() {
    const auto id = pop();
    if (values_[id].kind != Kind::tuple) fail("a persistent id that is not a tuple");
    const auto parts = children(id);
    auto kind = [&](std::size_t part) { return values_[parts[part]].kind; };
    if (parts.size() != 5 || kind(0) != Kind::text || values_[parts[0]].text != "storage" || kind(1) != Kind::global ||
        kind(2) != Kind::text || kind(3) != Kind::text || kind(4) != Kind::integer) {
        fail("a persistent id that is not ('storage', type, key, location, elements)");
    }
    push_container(Kind::storage, {parts.begin() + 1, parts.end()});
}

Index Machine::run() {
    if (pickle_.size() > kMaxPickleBytes) fail(fmt::format("{} bytes are above the limit of {}", pickle_.size(), kMaxPickleBytes));
    while (true) {
        position_ = next_;
        const auto code = number<std::uint8_t>();
        switch (static_cast<Opcode>(code)) {
            case Opcode::protocol: {
                const auto version = number<std::uint8_t>();
                if (version < 2 || version > 5) fail(fmt::format("pickle protocol {}; 2 to 5 are supported", version));
                break;
            }
            case Opcode::frame: number<std::uint64_t>(); break;  // a hint for buffering readers
            case Opcode::stop: {
                const auto root = pop();
                if (next_ != pickle_.size()) fail(fmt::format("{} bytes after STOP", pickle_.size() - next_));
                return root;
            }
            case Opcode::mark: marks_.push_back(stack_.size()); break;
            case Opcode::pop: pop(); break;
            case Opcode::pop_mark: pop_to_mark(); break;

            case Opcode::none: push({.kind = Kind::none}); break;
            case Opcode::new_true: push({.kind = Kind::boolean, .integer = 1}); break;
            case Opcode::new_false: push({.kind = Kind::boolean}); break;
            case Opcode::int4: push({.kind = Kind::integer, .integer = number<std::int32_t>()}); break;
            case Opcode::int2: push({.kind = Kind::integer, .integer = number<std::uint16_t>()}); break;
            case Opcode::int1: push({.kind = Kind::integer, .integer = number<std::uint8_t>()}); break;
            case Opcode::long1: long_integer(number<std::uint8_t>()); break;
            case Opcode::long4: long_integer(number<std::uint32_t>()); break;
            case Opcode::real:
                number<double>();
                push({.kind = Kind::other});
                break;
            case Opcode::string4:
            case Opcode::bytes4:
                text(number<std::uint32_t>());
                push({.kind = Kind::other});
                break;
            case Opcode::string1:
            case Opcode::bytes1:
                text(number<std::uint8_t>());
                push({.kind = Kind::other});
                break;
            case Opcode::bytes8:
                text(number<std::uint64_t>());
                push({.kind = Kind::other});
                break;
            case Opcode::unicode4: push({.kind = Kind::text, .text = text(number<std::uint32_t>())}); break;
            case Opcode::unicode1: push({.kind = Kind::text, .text = text(number<std::uint8_t>())}); break;
            case Opcode::unicode8: push({.kind = Kind::text, .text = text(number<std::uint64_t>())}); break;

            case Opcode::empty_list: push_container(Kind::list, {}); break;
            case Opcode::list: push_container(Kind::list, pop_to_mark()); break;
            case Opcode::append: {
                const auto value = pop();
                extend(Kind::list, {value});
                break;
            }
            case Opcode::appends: extend(Kind::list, pop_to_mark()); break;
            case Opcode::empty_tuple: push_container(Kind::tuple, {}); break;
            case Opcode::tuple: push_container(Kind::tuple, pop_to_mark()); break;
            case Opcode::tuple1: pop_tuple(1); break;
            case Opcode::tuple2: pop_tuple(2); break;
            case Opcode::tuple3: pop_tuple(3); break;
            case Opcode::empty_dictionary: push_container(Kind::dictionary, {}); break;
            case Opcode::dictionary: {
                auto items = pop_to_mark();
                if (items.size() % 2 != 0) fail("a key without value");
                push_container(Kind::dictionary, std::move(items));
                break;
            }
            case Opcode::set_item: {
                const auto value = pop();
                const auto key = pop();
                extend(Kind::dictionary, {key, value});
                break;
            }
            case Opcode::set_items: extend(Kind::dictionary, pop_to_mark()); break;

            case Opcode::put1: put(number<std::uint8_t>()); break;
            case Opcode::put4: put(number<std::uint32_t>()); break;
            case Opcode::memoize: put(num_memo_); break;
            case Opcode::get1: get(number<std::uint8_t>()); break;
            case Opcode::get4: get(number<std::uint32_t>()); break;

            case Opcode::global: {
                const auto module = line();
                push_global(module, line());
                break;
            }
            case Opcode::stack_global: {
                const auto name = values_[pop()];
                const auto module = values_[pop()];
                if (name.kind != Kind::text || module.kind != Kind::text) fail("STACK_GLOBAL without two names");
                push_global(module.text, name.text);
                break;
            }
            case Opcode::reduce: reduce(); break;
            case Opcode::build: {  // sets attributes; of a state dictionary only `_metadata`, which holds no tensors
                pop();
                const auto kind = values_[top()].kind;
                if (kind != Kind::dictionary && kind != Kind::other && kind != Kind::tensor)
                    fail("BUILD of something that is not an object");
                break;
            }
            case Opcode::persistent_id: persistent_id(); break;
            default: fail(fmt::format("opcode 0x{:02x} is outside the subset of state dictionaries; nothing was executed", code));
        }
    }
}

/// Refuses containers that hold themselves and nesting beyond what any checkpoint has.
void check_structure(const Machine& machine, Index root, Problems& problems) {
    enum class Colour : std::uint8_t { unseen, open, done };
    std::unordered_map<Index, Colour> colours;  // by container
    struct Step {
        Index value;
        std::size_t next_child = 0;
    };
    std::vector<Step> path;
    auto enter = [&](Index value) {
        if (!is_container(machine[value].kind)) return;
        auto& colour = colours[machine[value].container];
        if (colour == Colour::open) problems.fail("data.pkl: recursive: a container holds itself");
        if (colour == Colour::done) return;
        if (path.size() == kMaxDepth) problems.fail(fmt::format("data.pkl: values nested deeper than {}", kMaxDepth));
        colour = Colour::open;
        path.push_back({value});
    };
    enter(root);
    while (!path.empty()) {
        auto& step = path.back();
        const auto& children = machine.children(step.value);
        if (step.next_child == children.size()) {
            colours[machine[step.value].container] = Colour::done;
            path.pop_back();
        } else {
            enter(children[step.next_child++]);
        }
    }
}

bool holds_tensors(const Machine& machine, Index dictionary) {
    const auto& items = machine.children(dictionary);
    for (std::size_t item = 0; item + 1 < items.size(); item += 2) {
        if (machine[items[item + 1]].kind == Kind::tensor) return true;
    }
    return false;
}

/// The dictionary {name: tensor} of a checkpoint: the root, or what stands under `model` or `state_dict`.
Index find_state_dictionary(const Machine& machine, Index root, Problems& problems) {
    if (machine[root].kind != Kind::dictionary) problems.fail("data.pkl: not a dictionary of tensors");
    if (holds_tensors(machine, root)) return root;
    std::vector<Index> found;
    std::unordered_set<Index> seen;  // containers: each is searched once
    const auto& items = machine.children(root);
    for (std::size_t item = 0; item + 1 < items.size(); item += 2) {
        const auto& key = machine[items[item]];
        const auto value = items[item + 1];
        if (key.kind != Kind::text || (key.text != "model" && key.text != "state_dict")) continue;
        if (machine[value].kind != Kind::dictionary || !seen.insert(machine[value].container).second) continue;
        if (holds_tensors(machine, value)) found.push_back(value);
    }
    if (found.empty()) problems.fail("data.pkl: no tensors, neither at the top nor under 'model' or 'state_dict'");
    if (found.size() > 1) problems.fail("data.pkl: tensors under 'model' and under 'state_dict'; which ones are meant is not clear");
    return found.front();
}

std::optional<std::vector<std::int64_t>> integers(const Machine& machine, Index tuple) {
    if (machine[tuple].kind != Kind::tuple || machine.children(tuple).size() > kMaxRank) return std::nullopt;
    std::vector<std::int64_t> result;
    for (auto element : machine.children(tuple)) {
        if (machine[element].kind != Kind::integer) return std::nullopt;
        result.push_back(machine[element].integer);
    }
    return result;
}

/// Index of the last element that a view touches plus one, or nothing if that overflows.
std::optional<std::int64_t> view_end(const PickledTensor& tensor) {
    std::int64_t last = tensor.offset;
    for (std::size_t axis = 0; axis < tensor.extents.size(); ++axis) {
        if (tensor.extents[axis] == 0) return 0;
        std::int64_t reach = 0;
        if (__builtin_mul_overflow(tensor.extents[axis] - 1, tensor.strides[axis], &reach)) return std::nullopt;
        if (__builtin_add_overflow(last, reach, &last)) return std::nullopt;
    }
    if (__builtin_add_overflow(last, std::int64_t{1}, &last)) return std::nullopt;
    return last;
}

/// Checks one tensor's arguments; a problem is returned as a sentence.
std::string describe(const Machine& machine, Index value, PickledTensor& tensor) {
    const auto& arguments = machine.children(value);
    const auto& storage = machine.children(arguments[0]);
    const auto global = machine[storage[0]].text;
    const auto type = storage_type(global);
    if (!type) return fmt::format("storage type {} is not supported", in_quotes(global));
    tensor.type = *type;
    tensor.storage = std::string(machine[storage[1]].text);
    tensor.storage_elements = machine[storage[3]].integer;
    const auto extents = integers(machine, arguments[2]);
    const auto strides = integers(machine, arguments[3]);
    if (!extents || !strides || machine[arguments[1]].kind != Kind::integer)
        return "offset, size and stride are not integers, or the rank is above 16";
    tensor.offset = machine[arguments[1]].integer;
    tensor.extents = *extents;
    tensor.strides = *strides;
    const auto shape = Shape(tensor.extents).to_string();
    const auto stride = Shape(tensor.strides).to_string();
    if (tensor.extents.size() != tensor.strides.size()) return fmt::format("size {} and stride {} differ in rank", shape, stride);
    const auto is_negative = [](std::int64_t number) { return number < 0; };
    if (std::any_of(tensor.extents.begin(), tensor.extents.end(), is_negative)) return fmt::format("size {} is negative", shape);
    if (std::any_of(tensor.strides.begin(), tensor.strides.end(), is_negative)) return fmt::format("stride {} is negative", stride);
    if (tensor.offset < 0) return fmt::format("storage offset {} is negative", tensor.offset);
    if (tensor.storage_elements < 0) return fmt::format("storage of {} elements", tensor.storage_elements);
    if (!checked_num_bytes(tensor.extents, size_in_bytes(*type)) || !checked_num_bytes({tensor.storage_elements}, size_in_bytes(*type))) {
        return fmt::format("size {} has more bytes than 63 bits can count", shape);
    }
    const auto end = view_end(tensor);
    if (!end || *end > tensor.storage_elements) {
        return fmt::format("size {}, stride {}, offset {} leave its storage of {} elements", shape, stride, tensor.offset,
                           tensor.storage_elements);
    }
    return {};
}

}  // namespace

std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle, Problems& problems) {
    Machine machine(pickle, problems);
    const auto root = machine.run();
    problems.throw_if_any();  // a global that is not allowed: what the values mean is unknown
    check_structure(machine, root, problems);
    const auto dictionary = find_state_dictionary(machine, root, problems);

    std::vector<PickledTensor> tensors;
    std::unordered_set<std::string_view> names;
    const auto& items = machine.children(dictionary);
    for (std::size_t item = 0; item + 1 < items.size(); item += 2) {
        const auto value = items[item + 1];
        if (machine[value].kind != Kind::tensor) continue;
        const auto& key = machine[items[item]];
        if (key.kind != Kind::text) {
            problems.add("data.pkl: a tensor under a key that is not text");
            continue;
        }
        PickledTensor tensor{.name = std::string(key.text)};
        if (!names.insert(key.text).second) problems.add(fmt::format("{}: appears twice in the dictionary", in_quotes(key.text)));
        const auto problem = describe(machine, value, tensor);
        if (problem.empty()) {
            tensors.push_back(std::move(tensor));
        } else {
            problems.add(fmt::format("{}: {}", in_quotes(key.text), problem));
        }
    }
    return tensors;
}

}  // namespace prelude::models
