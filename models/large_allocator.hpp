// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory of tensors: large ones on huge pages where the system grants them on request, since activations of a full-size model are touched once and given back,
// and every 4 KiB page of them would cost a fault.

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace prelude::models {

/// Contract  elements made without arguments are left uninitialised: std::vector<T, LargeAllocator<T>>(n) has no values yet, (n, T{}) has
template <class T>
class LargeAllocator {
  public:
    using value_type = T;
    LargeAllocator() = default;
    template <class U>
    LargeAllocator(const LargeAllocator<U>&) noexcept {}

    [[nodiscard]] T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_array_new_length();
        const auto bytes = count * sizeof(T);
        if (bytes < kLarge) return static_cast<T*>(::operator new(bytes));
        const auto rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
        void* memory = std::aligned_alloc(kHugePage, rounded);
        if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
        ::madvise(memory, rounded, MADV_HUGEPAGE);  // a wish
#endif
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        if (count * sizeof(T) < kLarge) ::operator delete(memory);
        else std::free(memory);
    }
    template <class U>
    void construct(U* element) noexcept {
        ::new (static_cast<void*>(element)) U;
    }
    template <class U, class... Arguments>
    void construct(U* element, Arguments&&... arguments) {
        ::new (static_cast<void*>(element)) U(std::forward<Arguments>(arguments)...);
    }
    friend bool operator==(const LargeAllocator&, const LargeAllocator&) { return true; }

  private:
    static constexpr std::size_t kHugePage = std::size_t{2} << 20, kLarge = std::size_t{4} << 20;
};

}  // namespace prelude::models
