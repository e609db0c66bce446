// SPDX-License-Identifier: Apache-2.0
#include "quant/integer_gemm.hpp"

#include <Eigen/Core>
#include <dnnl.hpp>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "models/error.hpp"

namespace prelude::quant {

namespace {

constexpr double kDoubleIsExact = 9007199254740992.0;

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Dnnl {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
};

Dnnl& dnnl_state() {
    static Dnnl state;
    return state;
}

/// u8 x s8 -> s32 by oneDNN.
void fast_multiply(const BatchedProduct& shape, const std::uint8_t* a, const std::int8_t* w, std::int32_t* c) {
    using dnnl::memory;
    auto& state = dnnl_state();
    const auto right_batch = shape.right_is_shared ? 1 : shape.batch;
    const memory::desc a_desc({shape.batch, shape.m, shape.k}, memory::data_type::u8, memory::format_tag::abc);
    const memory::desc w_desc({right_batch, shape.k, shape.n}, memory::data_type::s8,
                              shape.right_is_transposed ? memory::format_tag::acb : memory::format_tag::abc);
    const memory::desc c_desc({shape.batch, shape.m, shape.n}, memory::data_type::s32, memory::format_tag::abc);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a_desc, w_desc, c_desc), state.engine);
    memory a_memory(a_desc, state.engine, const_cast<std::uint8_t*>(a)), w_memory(w_desc, state.engine, const_cast<std::int8_t*>(w)),
        c_memory(c_desc, state.engine, c);
    dnnl::matmul(description).execute(state.stream, {{DNNL_ARG_SRC, a_memory}, {DNNL_ARG_WEIGHTS, w_memory}, {DNNL_ARG_DST, c_memory}});
    state.stream.wait();
}

/// One product of extreme operands: 16-bit saturation, the known defect, shows in every element.
bool self_test() {
    const BatchedProduct shape{.batch = 1, .m = 64, .n = 256, .k = 768};
    std::vector<std::uint8_t> a(static_cast<std::size_t>(shape.m * shape.k));
    std::vector<std::int8_t> w(static_cast<std::size_t>(shape.n * shape.k));
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = i % 7 == 3 ? 254 : 255;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = (i / 768) % 3 == 0 ? -128 : i % 5 == 0 ? -127 : 127;
    std::vector<std::int32_t> c(static_cast<std::size_t>(shape.m * shape.n));
    fast_multiply(shape, a.data(), w.data(), c.data());
    for (std::int64_t m = 0; m < shape.m; ++m) {
        for (std::int64_t n = 0; n < shape.n; ++n) {
            std::int32_t sum = 0;
            for (std::int64_t k = 0; k < shape.k; ++k) sum += a[static_cast<std::size_t>(m * shape.k + k)] * w[static_cast<std::size_t>(n * shape.k + k)];
            if (sum != c[static_cast<std::size_t>(m * shape.n + n)]) return false;
        }
    }
    return true;
}

template <class To>
std::vector<To> narrowed(std::span<const std::int32_t> values) {
    std::vector<To> result(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) result[i] = static_cast<To>(values[i]);
    return result;
}

void double_multiply(const BatchedProduct& shape, std::span<const std::int32_t> a, std::span<const std::int32_t> w, std::span<std::int64_t> c) {
    const auto rows = shape.right_is_transposed ? shape.n : shape.k, cols = shape.right_is_transposed ? shape.k : shape.n;
    using IntMap = Eigen::Map<const Eigen::Matrix<std::int32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
    RowMajor right, product;
    for (std::int64_t b = 0; b < shape.batch; ++b) {
        const RowMajor left = IntMap(a.data() + b * shape.m * shape.k, shape.m, shape.k).cast<double>();
        if (b == 0 || !shape.right_is_shared) right = IntMap(w.data() + (shape.right_is_shared ? 0 : b) * rows * cols, rows, cols).cast<double>();
        if (shape.right_is_transposed) {
            product.noalias() = left * right.transpose();
        } else {
            product.noalias() = left * right;
        }
        const auto count = static_cast<std::size_t>(shape.m * shape.n);
        for (std::size_t i = 0; i < count; ++i) c[static_cast<std::size_t>(b) * count + i] = static_cast<std::int64_t>(product.data()[i]);
    }
}

void integer_multiply(const BatchedProduct& shape, std::span<const std::int32_t> a, std::span<const std::int32_t> w, std::span<std::int64_t> c) {
    const auto k_stride = shape.right_is_transposed ? 1 : shape.n, n_stride = shape.right_is_transposed ? shape.k : 1;
    std::size_t index = 0;
    for (std::int64_t b = 0; b < shape.batch; ++b) {
        const auto* right = w.data() + (shape.right_is_shared ? 0 : b * shape.n * shape.k);
        for (std::int64_t m = 0; m < shape.m; ++m) {
            const auto* left = a.data() + (b * shape.m + m) * shape.k;
            for (std::int64_t n = 0; n < shape.n; ++n) {
                std::int64_t sum = 0;
                for (std::int64_t k = 0; k < shape.k; ++k) sum += static_cast<std::int64_t>(left[k]) * right[n * n_stride + k * k_stride];
                c[index++] = sum;
            }
        }
    }
}

/// oneDNN plans a product for the threads it may have, and asks again when it runs: in here it is told of one.
class OneThread {
  public:
    OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;
    ~OneThread() { omp_set_num_threads(before_); }

  private:
    int before_;
};

constexpr std::size_t kAlignment = 64;

/// The first aligned byte of a buffer that has kAlignment bytes to spare.
template <class T>
T* aligned(T* buffer) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(buffer);
    return buffer + (kAlignment - address % kAlignment) % kAlignment;
}

}  // namespace

struct ByteKernel::Primitive {
    dnnl::memory::desc left, right, out, scratch;
    dnnl::matmul product;
};

ByteKernel::ByteKernel(std::int64_t rows, std::int64_t n, std::int64_t k) : rows_(rows), n_(n), k_(k) {
    using dnnl::memory;
    models::check(k <= kMaxByteDepth, "sums of byte products this deep do not fit 32 bits");
    const OneThread one;
    const memory::desc left({rows, k}, memory::data_type::u8, memory::format_tag::ab), right({k, n}, memory::data_type::s8, memory::format_tag::any),
        out({rows, n}, memory::data_type::s32, memory::format_tag::ab);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // one per caller: several may multiply at once
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(left, right, out), attributes, dnnl_state().engine);
    primitive_ = std::make_shared<const Primitive>(
        Primitive{description.src_desc(), description.weights_desc(), description.dst_desc(), description.scratchpad_desc(), dnnl::matmul(description)});
}

ByteKernel::Packed ByteKernel::pack(std::span<const std::int8_t> w, bool transposed) const {
    using dnnl::memory;
    const OneThread one;
    auto& engine = dnnl_state().engine;
    Packed packed(primitive_->right.get_size() + kAlignment);
    const memory::desc plain({k_, n_}, memory::data_type::s8, transposed ? memory::format_tag::ba : memory::format_tag::ab);
    memory from(plain, engine, const_cast<std::int8_t*>(w.data())), to(primitive_->right, engine, aligned(packed.data()));
    dnnl::stream stream(engine);
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    return packed;
}

void ByteKernel::multiply(const std::uint8_t* a, const Packed& right, std::int32_t* c) const {
    using dnnl::memory;
    thread_local std::vector<std::uint8_t> scratch;
    thread_local dnnl::stream stream(dnnl_state().engine);
    const OneThread one;
    auto& engine = dnnl_state().engine;
    scratch.resize(std::max(scratch.size(), primitive_->scratch.get_size() + kAlignment));
    memory left(primitive_->left, engine, const_cast<std::uint8_t*>(a)),
        weights(primitive_->right, engine, const_cast<std::int8_t*>(aligned(right.data()))), out(primitive_->out, engine, c),
        own(primitive_->scratch, engine, aligned(scratch.data()));
    primitive_->product.execute(stream, {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, own}});
    stream.wait();
}

bool fast_products_are_exact() {
    static const bool exact = self_test();
    return exact;
}

void multiply(const BatchedProduct& shape, std::span<const std::int32_t> a, OperandRange a_range, std::span<const std::int32_t> w, OperandRange w_range,
              std::span<std::int64_t> c, ProductPath path) {
    if (shape.batch * shape.m * shape.n == 0) return;
    const bool bytes = a_range.lo >= 0 && a_range.hi <= 255 && w_range.lo >= -128 && w_range.hi <= 127 && shape.k <= kMaxByteDepth;
    if (path == ProductPath::automatic && bytes && fast_products_are_exact()) {
        const auto left = narrowed<std::uint8_t>(a);
        const auto right = narrowed<std::int8_t>(w);
        std::vector<std::int32_t> sums(c.size());
        fast_multiply(shape, left.data(), right.data(), sums.data());
        std::ranges::copy(sums, c.begin());
        return;
    }
    const double bound = static_cast<double>(a_range.magnitude()) * static_cast<double>(w_range.magnitude()) * static_cast<double>(shape.k);
    if (bound < kDoubleIsExact) return double_multiply(shape, a, w, c);
    integer_multiply(shape, a, w, c);
}

}  // namespace prelude::quant
