// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace prelude::models {

/// One visitor out of several lambdas.
template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang 16 (fuzzers, tidy) does not deduce aggregates

}  // namespace prelude::models
