// SPDX-License-Identifier: Apache-2.0
// C simulation of the kernel on golden words:  test_bench IN OUT [isolated]
// Reads IN/NAME.bin and writes OUT/NAME.bin. Layers read what the layers before them made, as in hardware; `isolated`: each its own golden input.
#include <cstring>
#include <string>
#include <vector>

#include "kernel.h"
#include "prelude_words.h"

namespace {

struct Folders {
    std::string in, out;
    bool isolated = false;

    template <class Word>
    std::vector<Word> golden(const std::string& name, std::size_t count) const {
        return prelude_words::read<Word>(in + "/" + name + ".bin", count);
    }
    /// What a layer made, written; the next layer reads what is returned.
    template <class Word>
    std::vector<Word> passed(const std::string& name, const std::vector<Word>& words) const {
        prelude_words::write(out + "/" + name + ".bin", words);
        return isolated ? golden<Word>(name, words.size()) : words;
    }
    template <class Word>
    void sums(const std::string& node, const std::vector<Word>& words) const {
        prelude_words::write(out + "/" + node + ".accumulators.bin", words);
    }
};

std::string output_of(const char* node) { return std::string(node) + ".out"; }

void run_block(const Folders& folders) {
    const auto residual = folders.golden<norm2::input0_t>(files::kResidual, norm2::kInput0Elements);
    std::vector<norm2::output_t> normalised(norm2::kOutputElements);
    layer_norm(residual.data(), normalised.data());
    normalised = folders.passed(output_of(files::kNorm2), normalised);

    const auto weights1 = folders.golden<lin1::weight_t>(std::string(files::kLin1) + ".weights", lin1::kNumWeights);
    std::vector<lin1::accumulator_t> sums1(lin1::kOutputElements);
    std::vector<lin1::output_t> hidden(lin1::kOutputElements);
    linear1(normalised.data(), weights1.data(), sums1.data(), hidden.data());
    folders.sums(files::kLin1, sums1);
    hidden = folders.passed(output_of(files::kLin1), hidden);

    std::vector<gelu::output_t> activated(gelu::kOutputElements);
    gelu_table(hidden.data(), activated.data());
    activated = folders.passed(output_of(files::kGelu), activated);

    const auto weights2 = folders.golden<lin2::weight_t>(std::string(files::kLin2) + ".weights", lin2::kNumWeights);
    std::vector<lin2::accumulator_t> sums2(lin2::kOutputElements);
    std::vector<lin2::output_t> projected(lin2::kOutputElements);
    linear2(activated.data(), weights2.data(), sums2.data(), projected.data());
    folders.sums(files::kLin2, sums2);
    projected = folders.passed(output_of(files::kLin2), projected);

    std::vector<add2::output_t> sum(add2::kOutputElements);
    residual_add(residual.data(), projected.data(), sum.data());
    folders.passed(output_of(files::kAdd2), sum);
}

void run_softmax(const Folders& folders) {
    const auto scores = folders.golden<softmax::input0_t>(files::kScores, softmax::kInput0Elements);
    std::vector<softmax::output_t> codes(softmax::kOutputElements);
    softmax_rows(scores.data(), codes.data());
    folders.passed(output_of(files::kSoftmax), codes);
}

void run_requantize(const Folders& folders) {
    const auto words = folders.golden<requantize::input0_t>(files::kRequantizeIn, requantize::kInput0Elements);
    std::vector<requantize::output_t> codes(requantize::kOutputElements);
    requantize_words(words.data(), codes.data());
    folders.passed(files::kRequantizeOut, codes);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3 || argc > 4 || (argc == 4 && std::strcmp(argv[3], "isolated") != 0)) {
        std::fprintf(stderr, "usage: %s IN OUT [isolated]\n", argv[0]);
        return 2;
    }
    const Folders folders{argv[1], argv[2], argc == 4};
    run_block(folders);
    run_softmax(folders);
    run_requantize(folders);
    return 0;
}

#ifdef SYSTEMC_VERSION  // where the types stand on SystemC, its library asks for this
int sc_main(int, char**) { return 0; }
#endif
