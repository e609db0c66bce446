// SPDX-License-Identifier: Apache-2.0
#include "experiments/columns.hpp"

#include <array>

namespace prelude::experiments {

namespace {

using Kind = Column::Kind;

constexpr std::array kColumns = {
    Column{"point", Kind::number, "", "Index of the design point in the grid."},
    Column{"status", Kind::text, "", "ok, infeasible, failed or cancelled."},
    Column{"reason", Kind::text, "", "Why a point is not ok, or why cells are empty."},
    Column{"miou", Kind::number, "fraction", "Mean intersection over union with the true masks, over all prompts."},
    Column{"miou_ci95_low", Kind::number, "fraction", "Lower end of its 95 % interval: bootstrap over the images, each with all its prompts."},
    Column{"miou_ci95_high", Kind::number, "fraction", "Upper end of that interval."},
    Column{"miou_box", Kind::number, "fraction", "Mean over the box prompts."},
    Column{"miou_point", Kind::number, "fraction", "Mean over the point prompts."},
    Column{"miou_fp32", Kind::number, "fraction", "The unquantized model on the same data."},
    Column{"dice", Kind::number, "fraction", "Mean Dice coefficient with the true masks, over all prompts."},
    Column{"dice_fp32", Kind::number, "fraction", "That of the unquantized model."},
    Column{"boundary_px", Kind::number, "pixels", "Mean over all prompts of the average symmetric distance between boundaries; with data.boundary."},
    Column{"boundary_px_fp32", Kind::number, "pixels", "That of the unquantized model."},
    Column{"hd95_px", Kind::number, "pixels", "Mean over all prompts of the 95th percentile of the distances between boundaries; with data.boundary."},
    Column{"hd95_px_fp32", Kind::number, "pixels", "That of the unquantized model."},
    Column{"ap", Kind::number, "fraction", "COCO average precision of the masks of a detector's boxes, mean over overlaps of 0.50 to 0.95; with data.boxes."},
    Column{"ap50", Kind::number, "fraction", "Average precision at an overlap of 0.50."},
    Column{"ap75", Kind::number, "fraction", "Average precision at an overlap of 0.75."},
    Column{"ap_small", Kind::number, "fraction", "Average precision of regions up to 32^2 pixels."},
    Column{"ap_medium", Kind::number, "fraction", "Average precision of regions of 32^2 to 96^2 pixels."},
    Column{"ap_large", Kind::number, "fraction", "Average precision of regions from 96^2 pixels."},
    Column{"ar", Kind::number, "fraction", "COCO average recall at the most detections that count."},
    Column{"ap_fp32", Kind::number, "fraction", "ap of the unquantized model on the same boxes."},
    Column{"mask_agreement", Kind::number, "fraction", "Intersection over union between quantized and unquantized masks."},
    Column{"sqnr_db", Kind::number, "dB", "Signal to quantization noise of the mask logits."},
    Column{"num_images", Kind::number, "images", "Images evaluated."},
    Column{"num_prompts", Kind::number, "prompts", "Prompts evaluated."},
    Column{"cycles", Kind::number, "cycles", "Clock cycles of one row."},
    Column{"encoder_cycles", Kind::number, "cycles", "Those of the image encoder."},
    Column{"decoder_cycles", Kind::number, "cycles", "Those of prompt encoder and mask decoder."},
    Column{"latency_ms", Kind::number, "ms", "Cycles over the clock."},
    Column{"latency_ms_low", Kind::number, "ms", "Lower end of the 80 % band."},
    Column{"latency_ms_high", Kind::number, "ms", "Upper end of the band."},
    Column{"fps", Kind::number, "1/s", "1 / latency."},
    Column{"bound", Kind::text, "", "What limits the latency: compute, memory or vector."},
    Column{"stall_pct", Kind::number, "%", "Cycles in which the array waits."},
    Column{"energy_mj", Kind::number, "mJ", "Energy of one row, chip and DRAM."},
    Column{"energy_mj_low", Kind::number, "mJ", "Lower end of the band."},
    Column{"energy_mj_high", Kind::number, "mJ", "Upper end of the band."},
    Column{"power_w", Kind::number, "W", "The FPGA chip: static, dynamic and the processing system in use."},
    Column{"power_w_low", Kind::number, "W", "Lower end of the band."},
    Column{"power_w_high", Kind::number, "W", "Upper end of the band."},
    Column{"static_w", Kind::number, "W", "Static part of power_w."},
    Column{"dynamic_w", Kind::number, "W", "Dynamic part of power_w."},
    Column{"dram_power_w", Kind::number, "W", "External memory."},
    Column{"lut", Kind::number, "LUT", "Look-up tables used."},
    Column{"lut_low", Kind::number, "LUT", "Lower end of the band."},
    Column{"lut_high", Kind::number, "LUT", "Upper end of the band."},
    Column{"ff", Kind::number, "FF", "Flip-flops used."},
    Column{"ff_low", Kind::number, "FF", "Lower end of the band."},
    Column{"ff_high", Kind::number, "FF", "Upper end of the band."},
    Column{"lut_csynth", Kind::number, "LUT", "What the csynth report of high-level synthesis may book for lut, the platform left out."},
    Column{"lut_csynth_low", Kind::number, "LUT", "Lower end of the range."},
    Column{"lut_csynth_high", Kind::number, "LUT", "Upper end of the range."},
    Column{"ff_csynth", Kind::number, "FF", "What it may book for ff."},
    Column{"ff_csynth_low", Kind::number, "FF", "Lower end of the range."},
    Column{"ff_csynth_high", Kind::number, "FF", "Upper end of the range."},
    Column{"dsp", Kind::number, "DSP", "DSP slices used."},
    Column{"bram36", Kind::number, "BRAM36", "Block RAMs of 36 Kib used."},
    Column{"uram", Kind::number, "URAM", "UltraRAM blocks used."},
    Column{"fits", Kind::boolean, "", "Whether the device holds it within its closure limits."},
    Column{"max_util_pct", Kind::number, "%", "Utilisation of the scarcest resource."},
    Column{"limiting_resource", Kind::text, "", "That resource."},
    Column{"dram_mb", Kind::number, "MB (10^6 bytes)", "DRAM traffic of one row."},
    Column{"weights_mb", Kind::number, "MB (10^6 bytes)", "Weights as stored."},
    Column{"macs", Kind::number, "MAC", "Multiply-accumulates of the graph."},
    Column{"macs_issued", Kind::number, "MAC", "Those the array was busy with, padding and idle lanes included."},
    Column{"pe_utilization", Kind::number, "fraction", "Useful share of the array's capacity over the latency."},
    Column{"gops", Kind::number, "GOP/s", "2 operations per useful MAC."},
    Column{"gops_per_w", Kind::number, "GOP/s/W", "gops / power_w."},
    Column{"overflow_count", Kind::number, "sums", "Sums that left a narrowed accumulator."},
    Column{"saturation_pct", Kind::number, "%", "Codes at the end of their range."},
    Column{"bits_checked", Kind::boolean, "", "The SystemC run of this numeric part equals the engine, bit for bit."},
    Column{"toggle_source", Kind::text, "", "Where operand toggle rates come from."},
    Column{"latency_status", Kind::text, "", "Worst status among the figures behind the latency."},
    Column{"power_status", Kind::text, "", "Worst status among the figures behind power."},
    Column{"resource_status", Kind::text, "", "Worst status among the figures behind resources."},
    Column{"warnings", Kind::text, "", "What to know before believing the row."},
    Column{"numeric_hash", Kind::text, "", "Key of the numeric part."},
    Column{"hardware_hash", Kind::text, "", "Key of the hardware part."},
};

}  // namespace

std::span<const Column> all_columns() {
    return kColumns;
}

const Column* find_column(std::string_view name) {
    for (const auto& column : kColumns)
        if (column.name == name) return &column;
    return nullptr;
}

}  // namespace prelude::experiments
