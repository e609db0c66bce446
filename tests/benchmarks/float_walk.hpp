// SPDX-License-Identifier: Apache-2.0
#pragma once

// The float network with oneDNN's f32 matrix products on all threads: what a fast float implementation on this machine takes. All else is the reference's.

#include <dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <map>

#include "models/graph/sam.hpp"
#include "models/reference/executor.hpp"

namespace prelude::benchmarks {

class FloatWalk final {
  public:
    FloatWalk(const models::Graph& graph, const models::Weights& weights) : graph_(graph), weights_(weights), reference_(graph, weights) {}

    /// From the picture to `wanted`, seconds by operator added to `seconds`.
    models::Tensor run(models::ReferenceExecutor::Values live, models::ValueId wanted, std::map<std::string, double>& seconds) {
        std::vector<models::ValueId> given;
        for (const auto& [id, tensor] : live) given.push_back(id);
        const auto order = models::slice(graph_, given, std::vector{wanted});
        std::map<models::ValueId, std::size_t> last_use;
        for (std::size_t i = 0; i < order.size(); ++i) {
            for (auto input : graph_.node(order[i]).inputs) last_use[input] = i;
        }
        for (std::size_t i = 0; i < order.size(); ++i) {
            const auto& node = graph_.node(order[i]);
            const auto start = Clock::now();
            auto out = step(node, live, [&](models::ValueId input) { return last_use.at(input) == i; });
            for (auto input : node.inputs) {
                if (last_use.at(input) == i) live.erase(input);
            }
            live.insert_or_assign(node.output, std::move(out));
            seconds[std::string(models::operator_name(node.op))] += std::chrono::duration<double>(Clock::now() - start).count();
        }
        return std::move(live.at(wanted));
    }

  private:
    using Clock = std::chrono::steady_clock;

    template <class IsLastUse>
    models::Tensor step(const models::Node& node, models::ReferenceExecutor::Values& live, const IsLastUse& is_last_use) {
        if (const auto* op = std::get_if<models::Linear>(&node.op)) return linear(*op, live.at(node.inputs[0]));
        if (const auto* op = std::get_if<models::MatMul>(&node.op)) return matmul(*op, live.at(node.inputs[0]), live.at(node.inputs[1]));
        models::ReferenceExecutor::Values inputs;
        for (auto input : node.inputs) {
            if (is_last_use(input)) inputs.insert_or_assign(input, std::move(live.at(input)));
            else inputs.insert_or_assign(input, live.at(input));
        }
        auto results = reference_.run(std::move(inputs), std::vector{node.output});
        return std::move(results.at(node.output));
    }

    models::Tensor linear(const models::Linear& op, const models::Tensor& x) {
        auto extents = x.shape().extents();
        extents.back() = op.out_features;
        models::Tensor y{models::Shape(extents)};
        multiply({1, x.shape().num_rows(), op.in_features}, {1, op.in_features, op.out_features}, dnnl::memory::format_tag::acb, 1.0F, x.data(),
                 weights_.values(op.weight).data(), op.bias.empty() ? nullptr : weights_.values(op.bias).data(), y.data());
        return y;
    }

    models::Tensor matmul(const models::MatMul& op, const models::Tensor& left, const models::Tensor& right) {
        const auto n = right.shape()[op.transpose_right ? 1 : 2];
        models::Tensor y(models::Shape{left.shape()[0], left.shape()[1], n});
        multiply({left.shape()[0], left.shape()[1], left.shape()[2]}, {left.shape()[0], left.shape()[2], n},
                 op.transpose_right ? dnnl::memory::format_tag::acb : dnnl::memory::format_tag::abc, static_cast<float>(op.scale), left.data(), right.data(), nullptr,
                 y.data());
        return y;
    }

    void multiply(const dnnl::memory::dims& left, const dnnl::memory::dims& right, dnnl::memory::format_tag layout, float scale, const float* a, const float* w,
                  const float* bias, float* c) {
        using dnnl::memory;
        const auto f32 = memory::data_type::f32;
        const memory::desc a_desc(left, f32, memory::format_tag::abc), w_desc(right, f32, layout), c_desc({left[0], left[1], right[2]}, f32, memory::format_tag::abc),
            b_desc({1, 1, right[2]}, f32, memory::format_tag::abc);
        dnnl::primitive_attr attributes;
        if (scale != 1.0F) attributes.set_output_scales(0, {scale});
        const auto description = bias ? dnnl::matmul::desc(a_desc, w_desc, b_desc, c_desc) : dnnl::matmul::desc(a_desc, w_desc, c_desc);
        const dnnl::matmul product(dnnl::matmul::primitive_desc(description, attributes, engine_));
        const auto words = [&](const memory::desc& desc, const float* data) { return memory(desc, engine_, const_cast<float*>(data)); };
        std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, words(a_desc, a)}, {DNNL_ARG_WEIGHTS, words(w_desc, w)}, {DNNL_ARG_DST, words(c_desc, c)}};
        if (bias) arguments.emplace(DNNL_ARG_BIAS, words(b_desc, bias));
        product.execute(stream_, arguments);
        stream_.wait();
    }

    const models::Graph& graph_;
    const models::Weights& weights_;
    models::ReferenceExecutor reference_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_{engine_};
};

}  // namespace prelude::benchmarks
