// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arbitrary-precision types of HLS C++. Where the public headers ap_int.h and ap_fixed.h can be included, they are; else the classes below stand in, so
// that a kernel can be compiled and compared on any machine with g++ and SystemC:
//
//     g++ -std=c++17 kernel.cpp test_bench.cpp -lsystemc          (C++20: add -DSC_CPLUSPLUS=201703L if <systemc> comes before this header)
//
// SystemC's library asks every program for `int sc_main(int, char**)`; the test bench defines one that is never called.
//
// What stands in (C++17)
//   ap_int<W>, ap_uint<W>                 + - * / % & | ^ ~ ! comparisons, shifts, ++ --, [i], (hi, lo), range(hi, lo), length, countLeadingZeros,
//                                         to_int ... to_double; mixed with C++ integers. Results have the widths of HLS C++: a sum one bit more than its
//                                         operands, a product the bits of both, a difference is signed
//   ap_fixed, ap_ufixed<W, I, Q, O, N>    + - * exact, comparisons, shifts, range(), to_int ... to_double; mixed with the above. Seven quantizations
//                                         AP_RND .. AP_TRN_ZERO, four overflows AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP with N saturated bits
//   Shifts keep the width and type of their left operand: bits fall out, nothing is rounded. A negative count shifts the other way.
//
// What holds the words
//   integers up to 64 bits   sc_dt::sc_int<W>, sc_uint<W>        and 64-bit arithmetic
//   wider integers           sc_dt::sc_bigint<W>, sc_biguint<W>  any width: products beyond 64 bits are exact
//   fixed point              sc_dt::sc_fixed, sc_ufixed          any width; slow: for a few words an output, not for the products of a layer
//
// Where SystemC 2.3.4 differs from HLS C++ (every mode was compared on every value of small words), the meaning here is that of HLS C++: sc_ufixed with
// SC_WRAP and saturated bits clears these bits of a negative value, ap_ufixed sets them. Sums of SystemC's integers have 64 bits whatever their
// operands have, a difference of unsigned ones is unsigned, and shifts of sc_fixed move the point instead of the bits; none of this comes through.
//
// Not here: concatenation, bit reduction, AP_WRAP_SM, strings, division of fixed point, implicit conversion of fixed point to C++ types, volatile, half.

#if __has_include(<ap_int.h>) && __has_include(<ap_fixed.h>)
#include <ap_fixed.h>
#include <ap_int.h>
#elif __cplusplus < 201703L
#error "The stand-in for ap_int.h and ap_fixed.h needs C++17: g++ -std=c++17"
#else

#ifndef SC_INCLUDE_FX
#define SC_INCLUDE_FX
#endif
#if !defined(SC_CPLUSPLUS) && __cplusplus > 201703L
#define SC_CPLUSPLUS 201703L  // what Debian's library is built as: its version check does not link with another
#endif
#include <cmath>
#include <cstdint>
#include <ostream>
#include <systemc>
#include <type_traits>

enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP };

namespace prelude_ap {

template <int W, bool S>
class integer;
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
class fixed;

constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int smaller(int a, int b) { return a < b ? a : b; }

template <int W, bool S>
struct words {
    using small = std::conditional_t<S, sc_dt::sc_int<smaller(W, 64)>, sc_dt::sc_uint<smaller(W, 64)>>;
    using big = std::conditional_t<S, sc_dt::sc_bigint<W>, sc_dt::sc_biguint<W>>;
    using type = std::conditional_t<W <= 64, small, big>;
};

// What an operand of an integer operator is: its width and sign, C++ integers included.
template <class T, class = void>
struct operand : std::false_type {};
template <int W, bool S>
struct operand<integer<W, S>> : std::true_type {
    static constexpr int width = W;
    static constexpr bool is_signed = S, is_word = true;
    using type = integer<W, S>;
};
template <class T>
struct operand<T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>> : std::true_type {
    static constexpr int width = std::is_same_v<T, bool> ? 1 : 8 * static_cast<int>(sizeof(T));
    static constexpr bool is_signed = static_cast<T>(-1) < static_cast<T>(0), is_word = false;
    using type = integer<width, is_signed>;
};
template <class A, class B>
constexpr bool are_integers() {
    if constexpr (operand<A>::value && operand<B>::value) return operand<A>::is_word || operand<B>::is_word;
    return false;
}
template <class A, class B>
using if_integers = std::enable_if_t<are_integers<A, B>(), int>;

/// Bits i of a word as something that can be assigned.
template <class Word>
class bit_range {
  public:
    bit_range(Word& word, int high, int low) : word_(word), high_(high), low_(low) {}
    [[nodiscard]] auto get() const { return word_.bits(high_, low_); }
    template <class T>
    bit_range& operator=(const T& value) {
        word_.set_bits(high_, low_, typename Word::bits_type(value));
        return *this;
    }
    bit_range& operator=(const bit_range& other) { return *this = other.get(); }
    bit_range(const bit_range&) = default;
    template <int W, bool S>
    operator integer<W, S>() const {
        return integer<W, S>(get());
    }
    operator typename Word::bits_type::native() const { return get(); }
    [[nodiscard]] int to_int() const { return get().to_int(); }
    [[nodiscard]] unsigned to_uint() const { return get().to_uint(); }
    [[nodiscard]] std::int64_t to_int64() const { return get().to_int64(); }
    [[nodiscard]] std::uint64_t to_uint64() const { return get().to_uint64(); }

  private:
    Word& word_;
    int high_, low_;
};

template <int W, bool S>
class integer {
  public:
    static_assert(W >= 1, "a word has at least one bit");
    static constexpr int width = W;
    using bits_type = integer<W, false>;
    using native = std::conditional_t<S, std::int64_t, std::uint64_t>;
    using storage = typename words<W, S>::type;

    integer() = default;
    template <int W2, bool S2>
    integer(const integer<W2, S2>& other) {
        if constexpr (W <= 64) {
            value_ = static_cast<native>(other.low_bits());
        } else {
            value_ = other.big();
        }
    }
    template <class T, std::enable_if_t<operand<T>::value && !operand<T>::is_word, int> = 0>
    integer(T value) {
        if constexpr (operand<T>::is_signed) {
            value_ = static_cast<sc_dt::int64>(value);
        } else {
            value_ = static_cast<sc_dt::uint64>(value);
        }
    }
    template <class T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0>
    integer(T value) : integer(integer<64, true>(static_cast<std::int64_t>(value))) {}  // towards zero
    template <int W2, int I2, bool S2, ap_q_mode Q2, ap_o_mode O2, int N2>
    integer(const fixed<W2, I2, S2, Q2, O2, N2>& other) : integer(other.whole()) {}
    template <class Word>
    integer(const bit_range<Word>& other) : integer(other.get()) {}
    explicit integer(const sc_dt::sc_signed& value) { value_ = value; }

    operator native() const { return static_cast<native>(low_bits()); }
    [[nodiscard]] int to_int() const { return static_cast<int>(low_bits()); }
    [[nodiscard]] unsigned to_uint() const { return static_cast<unsigned>(low_bits()); }
    [[nodiscard]] std::int64_t to_int64() const { return static_cast<std::int64_t>(low_bits()); }
    [[nodiscard]] std::uint64_t to_uint64() const { return low_bits(); }
    [[nodiscard]] double to_double() const { return value_.to_double(); }
    [[nodiscard]] static constexpr int length() { return W; }

    /// The low 64 bits, sign or zero extended.
    [[nodiscard]] std::uint64_t low_bits() const {
        if constexpr (W > 64) {
            return value_.to_uint64();
        } else {
            return static_cast<std::uint64_t>(static_cast<native>(value_));
        }
    }
    [[nodiscard]] sc_dt::sc_signed big() const {
        sc_dt::sc_signed result(larger(W, 64) + 1);
        if constexpr (W > 64) {
            result = value_;
        } else if constexpr (S) {
            result = static_cast<sc_dt::int64>(value_);
        } else {
            result = static_cast<sc_dt::uint64>(value_);
        }
        return result;
    }
    [[nodiscard]] bool is_negative() const {
        if constexpr (!S) {
            return false;
        } else if constexpr (W > 64) {
            return value_ < 0;
        } else {
            return static_cast<native>(value_) < 0;
        }
    }

    [[nodiscard]] bits_type bits(int high, int low) const {
        const bits_type mine(*this);
        return (mine << (W - 1 - high)) >> (W - 1 - high + low);
    }
    void set_bits(int high, int low, const bits_type& value) {
        const bits_type mask = (~bits_type(0) >> (W - 1 - high + low)) << low;
        *this = integer((bits_type(*this) & ~mask) | ((value << low) & mask));
    }
    [[nodiscard]] bit_range<integer> range(int high, int low) { return {*this, high, low}; }
    [[nodiscard]] bits_type range(int high, int low) const { return bits(high, low); }
    [[nodiscard]] bit_range<integer> operator()(int high, int low) { return {*this, high, low}; }
    [[nodiscard]] bits_type operator()(int high, int low) const { return bits(high, low); }
    [[nodiscard]] bit_range<integer> operator[](int i) { return {*this, i, i}; }
    [[nodiscard]] bool operator[](int i) const { return test(i); }
    [[nodiscard]] bool test(int i) const { return (bits_type(*this) >> i).low_bits() & 1; }
    [[nodiscard]] int countLeadingZeros() const {
        int count = 0;
        while (count < W && !test(W - 1 - count)) ++count;
        return count;
    }

    [[nodiscard]] bool operator!() const { return !(*this != 0); }
    [[nodiscard]] integer operator~() const { return integer(integer<W + 1, true>(-1) - *this); }
    [[nodiscard]] integer operator+() const { return *this; }
    [[nodiscard]] integer<W + 1, true> operator-() const { return integer<W + 1, true>(0 - *this); }
    integer& operator++() { return *this = integer(*this + 1); }
    integer& operator--() { return *this = integer(*this - 1); }
    integer operator++(int) {
        const auto before = *this;
        ++*this;
        return before;
    }
    integer operator--(int) {
        const auto before = *this;
        --*this;
        return before;
    }

    // clang-format off
    template <class T> integer& operator+=(const T& other) { return *this = integer(*this + other); }
    template <class T> integer& operator-=(const T& other) { return *this = integer(*this - other); }
    template <class T> integer& operator*=(const T& other) { return *this = integer(*this * other); }
    template <class T> integer& operator/=(const T& other) { return *this = integer(*this / other); }
    template <class T> integer& operator%=(const T& other) { return *this = integer(*this % other); }
    template <class T> integer& operator&=(const T& other) { return *this = integer(*this & other); }
    template <class T> integer& operator|=(const T& other) { return *this = integer(*this | other); }
    template <class T> integer& operator^=(const T& other) { return *this = integer(*this ^ other); }
    template <class T> integer& operator<<=(const T& count) { return *this = *this << count; }
    template <class T> integer& operator>>=(const T& count) { return *this = *this >> count; }
    // clang-format on

    /// Moves the bits up (count > 0) or down, inside the width.
    [[nodiscard]] integer shifted(std::int64_t count) const {
        if (count == 0) return *this;
        const bool up = count > 0;
        const bool all = up ? count >= W : count <= -W;
        if (all) return integer(!up && is_negative() ? -1 : 0);
        const int places = static_cast<int>(up ? count : -count);
        if constexpr (W <= 64) {
            const auto word = static_cast<native>(value_);
            return integer(up ? static_cast<native>(static_cast<std::uint64_t>(word) << places) : static_cast<native>(word >> places));
        } else {
            integer result;
            result.value_ = up ? big() << places : big() >> places;
            return result;
        }
    }

  private:
    storage value_ = 0;
};

/// a OP b at the width and sign of the result.
template <int W, bool S, class A, class B, class Small, class Big>
integer<W, S> combined(const A& a, const B& b, Small small, Big big) {
    const typename operand<A>::type x(a);
    const typename operand<B>::type y(b);
    if constexpr (W <= 64 && operand<A>::width <= 64 && operand<B>::width <= 64) {
        return integer<W, S>(static_cast<typename integer<W, S>::native>(small(x.low_bits(), y.low_bits())));
    } else {
        return integer<W, S>(sc_dt::sc_signed(big(x.big(), y.big())));
    }
}

template <class A, class B>
struct results {
    using L = operand<A>;
    using R = operand<B>;
    static constexpr bool any_signed = L::is_signed || R::is_signed;
    static constexpr int common = larger(L::width + (any_signed && !L::is_signed), R::width + (any_signed && !R::is_signed));
    static constexpr int product = L::width + R::width;
};

template <class A, class B, if_integers<A, B> = 0>
auto operator+(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::common + 1, R::any_signed>(a, b, [](std::uint64_t x, std::uint64_t y) { return x + y; }, [](const auto& x, const auto& y) { return x + y; });
}
template <class A, class B, if_integers<A, B> = 0>
auto operator-(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::common + 1, true>(a, b, [](std::uint64_t x, std::uint64_t y) { return x - y; }, [](const auto& x, const auto& y) { return x - y; });
}
template <class A, class B, if_integers<A, B> = 0>
auto operator*(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::product, R::any_signed>(a, b, [](std::uint64_t x, std::uint64_t y) { return x * y; }, [](const auto& x, const auto& y) { return x * y; });
}
template <class A, class B, if_integers<A, B> = 0>
auto operator/(const A& a, const B& b) {  // towards zero
    using R = results<A, B>;
    const typename operand<A>::type x(a);
    const typename operand<B>::type y(b);
    return integer<operand<A>::width + operand<B>::is_signed, R::any_signed>(sc_dt::sc_signed(x.big() / y.big()));
}
template <class A, class B, if_integers<A, B> = 0>
auto operator%(const A& a, const B& b) {  // the sign of the left operand
    constexpr int other = operand<B>::width + (!operand<B>::is_signed && operand<A>::is_signed);
    const typename operand<A>::type x(a);
    const typename operand<B>::type y(b);
    return integer<smaller(operand<A>::width, other), operand<A>::is_signed>(sc_dt::sc_signed(x.big() % y.big()));
}
template <class A, class B, if_integers<A, B> = 0>
auto operator&(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::common, R::any_signed>(a, b, [](std::uint64_t x, std::uint64_t y) { return x & y; }, [](const auto& x, const auto& y) { return x & y; });
}
template <class A, class B, if_integers<A, B> = 0>
auto operator|(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::common, R::any_signed>(a, b, [](std::uint64_t x, std::uint64_t y) { return x | y; }, [](const auto& x, const auto& y) { return x | y; });
}
template <class A, class B, if_integers<A, B> = 0>
auto operator^(const A& a, const B& b) {
    using R = results<A, B>;
    return combined<R::common, R::any_signed>(a, b, [](std::uint64_t x, std::uint64_t y) { return x ^ y; }, [](const auto& x, const auto& y) { return x ^ y; });
}

/// -1, 0 or 1 as a is less than, equal to or greater than b: of the numbers, whatever the operands' signs and widths.
template <class A, class B>
int order(const A& a, const B& b) {
    const typename operand<A>::type x(a);
    const typename operand<B>::type y(b);
    if constexpr (operand<A>::width <= 64 && operand<B>::width <= 64) {
        if (x.is_negative() != y.is_negative()) return x.is_negative() ? -1 : 1;
        return x.low_bits() < y.low_bits() ? -1 : x.low_bits() > y.low_bits();  // of one sign: the bits order the numbers
    } else {
        const auto left = x.big(), right = y.big();
        return left < right ? -1 : left > right;
    }
}
// clang-format off
template <class A, class B, if_integers<A, B> = 0> bool operator==(const A& a, const B& b) { return order(a, b) == 0; }
template <class A, class B, if_integers<A, B> = 0> bool operator!=(const A& a, const B& b) { return order(a, b) != 0; }
template <class A, class B, if_integers<A, B> = 0> bool operator<(const A& a, const B& b) { return order(a, b) < 0; }
template <class A, class B, if_integers<A, B> = 0> bool operator>(const A& a, const B& b) { return order(a, b) > 0; }
template <class A, class B, if_integers<A, B> = 0> bool operator<=(const A& a, const B& b) { return order(a, b) <= 0; }
template <class A, class B, if_integers<A, B> = 0> bool operator>=(const A& a, const B& b) { return order(a, b) >= 0; }

template <int W, bool S, class T, std::enable_if_t<operand<T>::value, int> = 0>
integer<W, S> operator<<(const integer<W, S>& a, const T& count) { return a.shifted(static_cast<std::int64_t>(count)); }
template <int W, bool S, class T, std::enable_if_t<operand<T>::value, int> = 0>
integer<W, S> operator>>(const integer<W, S>& a, const T& count) { return a.shifted(-static_cast<std::int64_t>(count)); }
// clang-format on
template <int W, bool S>
std::ostream& operator<<(std::ostream& out, const integer<W, S>& a) {
    return out << a.big();
}

constexpr sc_dt::sc_q_mode systemc_mode(ap_q_mode mode) {
    switch (mode) {
        case AP_RND: return sc_dt::SC_RND;
        case AP_RND_ZERO: return sc_dt::SC_RND_ZERO;
        case AP_RND_MIN_INF: return sc_dt::SC_RND_MIN_INF;
        case AP_RND_INF: return sc_dt::SC_RND_INF;
        case AP_RND_CONV: return sc_dt::SC_RND_CONV;
        case AP_TRN: return sc_dt::SC_TRN;
        case AP_TRN_ZERO: return sc_dt::SC_TRN_ZERO;
    }
    return sc_dt::SC_TRN;
}
constexpr sc_dt::sc_o_mode systemc_mode(ap_o_mode mode) {
    switch (mode) {
        case AP_SAT: return sc_dt::SC_SAT;
        case AP_SAT_ZERO: return sc_dt::SC_SAT_ZERO;
        case AP_SAT_SYM: return sc_dt::SC_SAT_SYM;
        case AP_WRAP: return sc_dt::SC_WRAP;
    }
    return sc_dt::SC_WRAP;
}

template <int W, int I, bool S, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
class fixed {
  public:
    static_assert(W >= 1, "a word has at least one bit");
    static constexpr int width = W, iwidth = I, fraction = W - I;
    using bits_type = integer<W, false>;
    using word_type = integer<W, S>;
    using storage = std::conditional_t<S, sc_dt::sc_fixed<W, I, systemc_mode(Q), systemc_mode(O), N>, sc_dt::sc_ufixed<W, I, systemc_mode(Q), systemc_mode(O), N>>;

    fixed() = default;
    fixed(const fixed&) = default;
    fixed& operator=(const fixed&) = default;
    template <int W2, int I2, bool S2, ap_q_mode Q2, ap_o_mode O2, int N2>
    fixed(const fixed<W2, I2, S2, Q2, O2, N2>& other) {
        assign(other.real());
    }
    template <int W2, bool S2>
    fixed(const integer<W2, S2>& other) {
        assign(real_of(other));
    }
    template <class T, std::enable_if_t<operand<T>::value && !operand<T>::is_word, int> = 0>
    fixed(T value) : fixed(typename operand<T>::type(value)) {}
    template <class T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0>
    fixed(T value) {
        assign(sc_dt::sc_fxval(static_cast<double>(value)));
    }
    template <class Word>
    fixed(const bit_range<Word>& other) : fixed(other.get()) {}

    /// The number, exactly.
    [[nodiscard]] sc_dt::sc_fxval real() const { return value_; }
    /// The bits as an integer: the number times 2^(W - I).
    [[nodiscard]] word_type word() const {
        const auto scaled = real() << fraction;
        if constexpr (W <= 64) {
            return word_type(static_cast<typename word_type::native>(scaled.to_uint64()));
        } else {
            sc_dt::sc_signed big(W + 1);
            big = scaled;
            return word_type(big);
        }
    }
    void set_word(const word_type& word) { value_ = real_of(word) << -fraction; }
    /// The integer part, towards zero.
    [[nodiscard]] auto whole() const {
        const fixed<larger(I, 1), larger(I, 1), S, AP_TRN_ZERO> result(*this);
        return result.word();
    }

    [[nodiscard]] bits_type bits(int high, int low) const { return word().bits(high, low); }
    void set_bits(int high, int low, const bits_type& value) {
        auto changed = word();
        changed.set_bits(high, low, value);
        set_word(changed);
    }
    [[nodiscard]] bit_range<fixed> range(int high, int low) { return {*this, high, low}; }
    [[nodiscard]] bits_type range(int high, int low) const { return bits(high, low); }
    [[nodiscard]] bit_range<fixed> range() { return range(W - 1, 0); }
    [[nodiscard]] bits_type range() const { return bits(W - 1, 0); }
    [[nodiscard]] bit_range<fixed> operator()(int high, int low) { return range(high, low); }
    [[nodiscard]] bit_range<fixed> operator[](int i) { return range(i, i); }
    [[nodiscard]] bool operator[](int i) const { return word().test(i); }

    [[nodiscard]] int to_int() const { return whole().to_int(); }
    [[nodiscard]] unsigned to_uint() const { return whole().to_uint(); }
    [[nodiscard]] std::int64_t to_int64() const { return whole().to_int64(); }
    [[nodiscard]] std::uint64_t to_uint64() const { return whole().to_uint64(); }
    [[nodiscard]] double to_double() const { return value_.to_double(); }
    [[nodiscard]] float to_float() const { return static_cast<float>(value_.to_double()); }
    [[nodiscard]] static constexpr int length() { return W; }

    [[nodiscard]] bool operator!() const { return value_.is_zero(); }
    [[nodiscard]] fixed<W + 1, I + 1, true> operator-() const {
        fixed<W + 1, I + 1, true> result;
        result.set_word(-word());
        return result;
    }
    template <class T>
    fixed& operator+=(const T& other) {
        return *this = fixed(*this + other);
    }
    template <class T>
    fixed& operator-=(const T& other) {
        return *this = fixed(*this - other);
    }
    template <class T>
    fixed& operator*=(const T& other) {
        return *this = fixed(*this * other);
    }
    template <class T>
    fixed& operator<<=(const T& count) {
        return *this = *this << count;
    }
    template <class T>
    fixed& operator>>=(const T& count) {
        return *this = *this >> count;
    }

  private:
    template <int W2, bool S2>
    static sc_dt::sc_fxval real_of(const integer<W2, S2>& word) {
        if constexpr (W2 > 64) {
            return sc_dt::sc_fxval(word.big());
        } else if constexpr (S2) {
            return sc_dt::sc_fxval(static_cast<sc_dt::int64>(word.to_int64()));
        } else {
            return sc_dt::sc_fxval(static_cast<sc_dt::uint64>(word.to_uint64()));
        }
    }
    void assign(const sc_dt::sc_fxval& value) {
        if constexpr (!S && O == AP_WRAP && N > 0) {
            const sc_dt::sc_fixed<W + 2, I + 2, systemc_mode(Q), sc_dt::SC_SAT> with_sign(value);
            if (with_sign < 0) {  // SystemC clears the saturated bits
                const sc_dt::sc_ufixed<W, I, systemc_mode(Q), sc_dt::SC_WRAP, 0> wrapped(value);
                value_ = wrapped;
                for (int i = 0; i < N; ++i) value_[W - 1 - i] = true;
                return;
            }
        }
        value_ = value;
    }

    storage value_ = 0;
};

// Operands of fixed-point operators: fixed point, integers as fixed point without fraction.
template <class T, class = void>
struct number : std::false_type {};
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
struct number<fixed<W, I, S, Q, O, N>> : std::true_type {
    static constexpr int width = W, whole = I;
    static constexpr bool is_signed = S, is_fixed = true;
    using type = fixed<W, I, S, Q, O, N>;
};
template <class T>
struct number<T, std::enable_if_t<operand<T>::value>> : std::true_type {
    static constexpr int width = operand<T>::width, whole = width;
    static constexpr bool is_signed = operand<T>::is_signed, is_fixed = false;
    using type = fixed<width, width, is_signed>;
};
template <class A, class B>
constexpr bool are_fixed() {
    if constexpr (number<A>::value && number<B>::value) return number<A>::is_fixed || number<B>::is_fixed;
    return false;
}
template <class A, class B>
using if_fixed = std::enable_if_t<are_fixed<A, B>(), int>;

template <class A, class B>
struct fixed_results {
    using L = number<A>;
    using R = number<B>;
    static constexpr bool any_signed = L::is_signed || R::is_signed;
    static constexpr int whole = larger(L::whole + (R::is_signed && !L::is_signed), R::whole + (L::is_signed && !R::is_signed)) + 1;
    static constexpr int fraction = larger(L::width - L::whole, R::width - R::whole);
    using sum = fixed<whole + fraction, whole, any_signed>;
    using difference = fixed<whole + fraction, whole, true>;
    using product = fixed<L::width + R::width, L::whole + R::whole, any_signed>;
};

/// The number as an integer of `Fraction` more bits behind the point: exact, so that integers do the arithmetic.
template <int W, int Fraction, class A>
integer<W, true> aligned(const A& a) {
    const typename number<A>::type x(a);
    return integer<W, true>(x.word()) << (Fraction - (number<A>::width - number<A>::whole));
}

template <class A, class B, if_fixed<A, B> = 0>
auto operator+(const A& a, const B& b) {
    using R = fixed_results<A, B>;
    constexpr int bits = R::whole + R::fraction + 1;
    typename R::sum result;
    result.set_word(typename R::sum::word_type(aligned<bits, R::fraction>(a) + aligned<bits, R::fraction>(b)));
    return result;
}
template <class A, class B, if_fixed<A, B> = 0>
auto operator-(const A& a, const B& b) {
    using R = fixed_results<A, B>;
    constexpr int bits = R::whole + R::fraction + 1;
    typename R::difference result;
    result.set_word(typename R::difference::word_type(aligned<bits, R::fraction>(a) - aligned<bits, R::fraction>(b)));
    return result;
}
template <class A, class B, if_fixed<A, B> = 0>
auto operator*(const A& a, const B& b) {
    using R = fixed_results<A, B>;
    typename R::product result;
    const typename number<A>::type x(a);
    const typename number<B>::type y(b);
    result.set_word(typename R::product::word_type(x.word() * y.word()));
    return result;
}
template <class A, class B>
int fixed_order(const A& a, const B& b) {
    using R = fixed_results<A, B>;
    constexpr int bits = R::whole + R::fraction + 1;
    return order(aligned<bits, R::fraction>(a), aligned<bits, R::fraction>(b));
}
// clang-format off
template <class A, class B, if_fixed<A, B> = 0> bool operator==(const A& a, const B& b) { return fixed_order(a, b) == 0; }
template <class A, class B, if_fixed<A, B> = 0> bool operator!=(const A& a, const B& b) { return fixed_order(a, b) != 0; }
template <class A, class B, if_fixed<A, B> = 0> bool operator<(const A& a, const B& b) { return fixed_order(a, b) < 0; }
template <class A, class B, if_fixed<A, B> = 0> bool operator>(const A& a, const B& b) { return fixed_order(a, b) > 0; }
template <class A, class B, if_fixed<A, B> = 0> bool operator<=(const A& a, const B& b) { return fixed_order(a, b) <= 0; }
template <class A, class B, if_fixed<A, B> = 0> bool operator>=(const A& a, const B& b) { return fixed_order(a, b) >= 0; }
// clang-format on

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N, class T, std::enable_if_t<operand<T>::value, int> = 0>
fixed<W, I, S, Q, O, N> operator<<(const fixed<W, I, S, Q, O, N>& a, const T& count) {
    fixed<W, I, S, Q, O, N> result;
    result.set_word(a.word() << count);
    return result;
}
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N, class T, std::enable_if_t<operand<T>::value, int> = 0>
fixed<W, I, S, Q, O, N> operator>>(const fixed<W, I, S, Q, O, N>& a, const T& count) {
    fixed<W, I, S, Q, O, N> result;
    result.set_word(a.word() >> count);
    return result;
}
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
std::ostream& operator<<(std::ostream& out, const fixed<W, I, S, Q, O, N>& a) {
    return out << a.to_double();
}

}  // namespace prelude_ap

template <int W>
using ap_int = prelude_ap::integer<W, true>;
template <int W>
using ap_uint = prelude_ap::integer<W, false>;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
using ap_fixed = prelude_ap::fixed<W, I, true, Q, O, N>;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
using ap_ufixed = prelude_ap::fixed<W, I, false, Q, O, N>;

#endif
