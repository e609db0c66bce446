#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Yosys makes of the RTL units, over a designed set of parameters: arch_configs/costs/synthesis.csv.

Rows whose unit, parameters and sources are as before are kept; `--fresh` synthesizes all of them again.
`--check N` synthesizes N rows a second time and compares; nothing is written then.

Flow      synth_xilinx -family xcup -flatten -nowidelut -noiopad; products become DSP slices but where both operands have less than `dsp_from` bits;
          explicit slices (dsp48e2.sv) are black boxes, counted. -nowidelut: the mapping to MUXF7/8/9 inflates LUT counts.
Counts    lut: LUTs of logic; srl: LUTs as shift registers; lutram: LUTs as memory; ff; dsp; ramb18; ramb36; carry4 (xcup is given CARRY4, not CARRY8)
"""
import argparse
import concurrent.futures
import csv
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "tests/rtl/units"
TABLE = ROOT / "arch_configs/costs/synthesis.csv"
COLUMNS = ["unit", "parameters", "lut", "srl", "lutram", "ff", "dsp", "ramb18", "ramb36", "carry4", "sources", "tool", "seconds"]
# LUTs of a memory primitive.
LUTRAM = {"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
          "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8}
ARRAY = ["pe.sv", "pe_decode.sv", "pe_array.sv"]
SOFTMAX = ["softmax.sv", "exponential.sv", "round_shift.sv", "row_maximum.sv", "row_replay.sv", "threshold_level.sv", "threshold_search.sv"]
LAYERNORM = ["layernorm.sv", "layernorm_lane.sv", "reciprocal_root.sv", "rescale.sv", "round_shift.sv", "row_replay.sv", "row_sums.sv"]
SLICE = ["dsp48e2.sv", "dsp_chunks.sv"]


def rows_of(names, values):
    """One dictionary per line of `values`, in the order of `names`."""
    return [dict(zip(names.split(), map(int, line.split()))) for line in values.strip().splitlines()]


def arrays(kind, names, values):
    configurations = rows_of(names, values)
    for c in configurations:
        c["KIND"] = kind
        if kind == 1:  # the last code is 0
            c["LEVELS"] = c["ZERO"] = 2 ** c["LEFT_BITS"] - 1
        if kind == 2:  # half of the codes are powers
            c["LEVELS"] = 2 ** (c["LEFT_BITS"] - 1)
    return configurations


class Unit:
    def __init__(self, top, sources, dsp_from, configurations):
        self.top, self.sources, self.dsp_from, self.configurations = top, sources, dsp_from, configurations

    def fingerprint(self):
        text = b"".join((UNITS / s).read_bytes() for s in self.sources)
        return hashlib.sha256(text).hexdigest()[:12]


DMA_ENGINES = rows_of("PORTS PORT_BYTES BURST_BYTES OUTSTANDING", """
    1 8 256 4
    2 16 256 4
    4 16 256 8
    1 16 256 8
    2 8 256 8
    4 8 256 4
    1 32 256 16
    2 32 256 16
    3 16 512 6
    1 4 128 2
    2 16 4096 8
    4 32 1024 16
    6 16 256 8
    8 8 256 4
    """)

STUDY = {
    # Products of codes in LUTs; those with zero points, beside the array, in slices.
    "pe_array_uniform": Unit("pe_array", ARRAY, 10, arrays(0, "ROWS COLS DEPTH LEFT_BITS RIGHT_BITS DRAIN_ROWS ACC_BITS", """
        2 2 4 8 8 1 32
        2 2 4 4 4 1 24
        2 2 4 8 4 1 32
        2 2 1 8 8 1 32
        2 2 8 4 4 2 24
        2 3 2 6 6 1 28
        3 2 4 6 4 1 28
        2 2 16 4 4 1 24
        4 2 2 8 8 2 40
        2 4 2 8 8 1 32
        1 4 4 8 8 1 48
        4 1 4 4 4 1 32
        2 2 2 4 8 2 32
        3 3 2 4 4 1 24
        2 2 7 5 5 1 28
        1 1 8 8 8 1 32
        1 2 16 8 4 1 32
        4 4 1 4 4 4 24
        4 4 2 4 4 2 32
        2 2 4 3 3 1 20
        2 2 4 2 2 1 20
        1 2 8 7 7 1 40
        """)),
    "pe_array_log": Unit("pe_array", ARRAY, 10, arrays(1, "ROWS COLS DEPTH LEFT_BITS RIGHT_BITS TAU_LOG2 CAP DRAIN_ROWS ACC_BITS", """
        2 2 4 4 8 0 15 1 32
        2 2 4 4 4 0 15 1 32
        2 2 4 5 8 1 15 1 40
        1 2 4 6 8 2 15 1 40
        2 2 2 4 8 0 15 2 32
        2 2 1 4 8 0 15 1 32
        2 2 8 4 4 0 15 1 32
        2 2 4 3 8 0 7 1 28
        2 2 4 3 4 0 7 1 24
        3 2 2 5 6 1 15 1 36
        2 3 2 4 6 0 11 1 32
        1 2 8 4 8 0 15 1 36
        1 1 16 4 8 0 15 1 40
        4 2 1 4 8 0 15 2 32
        2 2 5 5 4 1 15 1 32
        1 2 3 6 4 2 15 1 32
        4 4 1 4 4 0 7 4 24
        2 2 4 4 8 0 11 1 32
        """)),
    "pe_array_hybrid": Unit("pe_array", ARRAY, 10, arrays(2, "ROWS COLS DEPTH LEFT_BITS RIGHT_BITS CAP DRAIN_ROWS ACC_BITS", """
        2 2 4 4 8 7 1 32
        2 2 4 4 4 7 1 28
        2 2 2 6 8 15 1 40
        2 2 4 6 4 15 1 36
        1 2 8 4 8 7 1 32
        2 2 1 4 8 7 2 32
        2 1 4 8 8 15 1 40
        3 2 2 4 4 7 1 24
        2 3 2 5 6 11 1 32
        1 1 8 6 8 15 1 40
        2 2 5 4 4 5 1 28
        4 2 1 6 6 15 2 36
        1 2 4 5 8 15 1 48
        2 2 3 8 4 15 1 36
        1 4 2 4 8 7 1 32
        """)),
    "dsp_pair": Unit("dsp_pair", SLICE + ["dsp_pair.sv"], 2, rows_of("OPERAND_BITS SHARED_BITS FIELD PERIOD ACC_BITS", """
        8 9 18 4 32
        8 9 18 7 24
        8 9 18 2 40
        8 9 18 1 32
        4 9 18 7 24
        4 5 18 4 20
        6 7 18 4 28
        8 9 18 4 48
        8 9 16 1 32
        4 5 12 4 24
        4 9 16 4 32
        5 6 14 3 30
        8 8 18 7 36
        """)),
    "dsp_quad": Unit("dsp_quad", SLICE + ["dsp_quad.sv"], 2, rows_of("PERIOD ACC_BITS", """
        8 24
        8 16
        8 32
        8 40
        4 24
        4 20
        4 28
        2 24
        2 36
        1 24
        6 32
        7 18
        5 48
        """)),
    "rescale": Unit("rescale", ["rescale.sv", "round_shift.sv"], 2, rows_of("ACC_BITS OPERAND_BITS OFFSET_BITS OUT_BITS", """
        63 33 62 20
        63 33 62 8
        48 33 62 16
        32 32 48 16
        32 24 48 8
        24 24 40 8
        24 18 40 4
        40 27 50 16
        48 24 56 12
        63 18 62 20
        28 20 44 6
        36 33 58 20
        56 27 62 8
        32 18 32 16
        24 22 36 20
        44 30 62 4
        """)),
    "partial_sums": Unit("partial_sums", ["partial_sums.sv"], 2, rows_of("LANES GROUPS NUM_SUMS SUM_BITS ACC_BITS CONSTANTS", """
        4 4 1 48 63 64
        2 2 1 32 48 64
        8 4 1 32 48 64
        1 1 1 24 40 64
        4 16 1 32 48 64
        4 2 2 40 56 64
        2 8 4 24 40 32
        6 4 1 28 44 16
        3 32 1 48 63 64
        8 2 1 24 40 64
        2 4 2 36 52 32
        5 3 1 20 36 64
        1 64 1 32 48 64
        4 4 4 44 60 64
        """)),
    "layernorm": Unit("layernorm", LAYERNORM, 2, rows_of("LANES WORD_BITS LOG_CHANNELS OFFSET_BITS OUT_BITS", """
        1 20 8 58 16
        2 20 8 58 16
        4 20 8 58 16
        2 16 8 58 16
        4 12 7 40 8
        2 12 8 48 8
        1 16 10 58 12
        2 16 10 40 4
        4 16 9 48 8
        3 18 8 52 10
        8 12 8 40 8
        8 16 9 58 16
        6 20 10 58 8
        1 12 6 32 4
        2 20 12 58 16
        4 14 11 44 6
        """)),
    # Words of 16 bits carry the mantissas of thresholds: exponentials have as many.
    "softmax": Unit("softmax", SOFTMAX, 2, rows_of("LANES MAX_WORDS SCORE_BITS CODE_BITS EXP_BITS", """
        1 64 16 8 16
        2 64 16 8 16
        4 64 16 8 16
        4 64 16 4 16
        2 128 16 4 16
        8 64 16 4 16
        4 128 12 6 16
        1 64 12 6 16
        2 256 16 6 16
        3 64 16 4 16
        6 64 12 4 16
        4 32 10 5 16
        2 64 16 3 16
        8 32 12 3 16
        4 256 16 5 16
        2 32 14 7 16
        """)),
    "gelu_table": Unit("gelu_table", ["gelu_table.sv", "round_shift.sv"], 2, rows_of("LANES INPUT_BITS ENTRY_BITS WORD_BITS", """
        4 8 9 9
        1 8 9 9
        8 8 9 9
        4 4 9 9
        4 4 5 5
        2 6 17 17
        4 7 9 9
        16 6 9 9
        2 8 17 17
        3 5 13 13
        4 12 17 9
        1 12 25 17
        8 12 25 17
        4 16 25 17
        2 16 17 9
        6 14 21 13
        3 11 19 11
        2 13 25 17
        8 16 17 9
        1 15 23 15
        """)),
    "ping_pong": Unit("ping_pong", ["ping_pong.sv"], 2, rows_of("WIDTH DEPTH", """
        128 512
        24 512
        64 256
        64 1024
        256 256
        72 512
        512 512
        32 2048
        16 4096
        36 1024
        144 512
        96 768
        48 300
        128 2048
        """)),
    "dma_read": Unit("dma_read", ["dma_read.sv", "burst_cutter.sv"], 2, DMA_ENGINES),
    "dma_write": Unit("dma_write", ["dma_write.sv", "burst_cutter.sv"], 2, DMA_ENGINES),
}


def text_of(configuration):
    return " ".join(f"{name}={value}" for name, value in sorted(configuration.items()))


def script_of(unit, configuration, report):
    """The Yosys script: synth_xilinx with the step that maps products to slices in our own words, for its limits are not options."""
    synth = f"synth_xilinx -family xcup -top {unit.top} -flatten -nowidelut -noiopad"
    boxed = [s for s in unit.sources if s == "dsp48e2.sv"]
    lines = [f"read_verilog -sv -lib {UNITS / s}" for s in boxed]
    lines += [f"read_verilog -sv -I{UNITS} {UNITS / s}" for s in unit.sources if s not in boxed]
    lines += [f"chparam -set {name} {value} {unit.top}" for name, value in configuration.items()]
    lines += [f"{synth} -run begin:map_dsp", "memory_dff", f"chtype -set $__soft_mul t:$mul r:A_WIDTH<{unit.dsp_from} %i r:B_WIDTH<{unit.dsp_from} %i",
              "techmap -map +/mul2dsp.v -map +/xilinx/xcu_dsp_map.v -D DSP_A_MAXWIDTH=27 -D DSP_B_MAXWIDTH=18 -D DSP_A_MINWIDTH=2 "
              "-D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=9 -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL27X18",
              "select a:mul2dsp", "setattr -unset mul2dsp", "opt_expr -fine", "wreduce", "select -clear", "xilinx_dsp -family xcup",
              "chtype -set $mul t:$__soft_mul", f"{synth} -nodsp -run coarse:", f"tee -q -o {report} stat"]
    return "\n".join(lines) + "\n"


def synthesize(name, configuration):
    unit = STUDY[name]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        script, report = pathlib.Path(folder) / "synth.ys", pathlib.Path(folder) / "stat.txt"
        script.write_text(script_of(unit, configuration, report))
        done = subprocess.run(["yosys", "-q", "-s", str(script)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{name} {text_of(configuration)}: {done.stderr.strip() or done.stdout.strip()}")
        cells = {m[1]: int(m[2]) for m in re.finditer(r"^\s+(\S+)\s+(\d+)$", report.read_text(), re.MULTILINE)}
    memories = {c for c in cells if c.startswith("RAM") and not c.startswith("RAMB")}
    if memories - LUTRAM.keys():
        raise RuntimeError(f"{name} {text_of(configuration)}: no LUT count for {sorted(memories - LUTRAM.keys())}")

    def count(pattern):
        return sum(n for c, n in cells.items() if re.fullmatch(pattern, c))

    return {"unit": name, "parameters": text_of(configuration), "lut": count(r"LUT\d"), "srl": count(r"SRL\w+"),
            "lutram": sum(LUTRAM[c] * cells[c] for c in memories), "ff": count(r"FD\w+"), "dsp": count(r"DSP48E2|dsp48e2"), "ramb18": count(r"RAMB18\w+"),
            "ramb36": count(r"RAMB36\w+"), "carry4": count("CARRY4"), "sources": unit.fingerprint(), "tool": tool(),
            "seconds": round(time.monotonic() - started)}


def tool():
    return " ".join(subprocess.run(["yosys", "-V"], capture_output=True, text=True, check=True).stdout.split()[:2])


def read_table(path):
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(row["unit"], row["parameters"]): row for row in csv.DictReader(line for line in file if not line.startswith("#"))}


def write_table(path, rows):
    with path.open("w", newline="") as file:
        file.write("# Written by tests/calibration/synthesize.py (docs/resources.md): what Yosys makes of tests/rtl/units.\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def check(table, number):
    """Some rows again, spread over the table: 1 where one differs or is not of today's sources."""
    wanted = [(name, c) for name, unit in STUDY.items() for c in unit.configurations]
    stale = [f"{n} {text_of(c)}" for n, c in wanted if table.get((n, text_of(c)), {}).get("sources") != STUDY[n].fingerprint()]
    quick = sorted(wanted, key=lambda w: (int(table.get((w[0], text_of(w[1])), {}).get("seconds", 0)), w[0]))
    seen, some = set(), []
    for name, configuration in quick:  # the quickest row of each unit first
        if name not in seen and len(some) < number:
            seen.add(name)
            some.append((name, configuration))
    differences = []
    for name, configuration in some:
        row, old = synthesize(name, configuration), table.get((name, text_of(configuration)), {})
        differences += [f"{name} {text_of(configuration)}: {k} {old.get(k)} in the table, {row[k]} now" for k in COLUMNS[2:10] if str(row[k]) != old.get(k)]
    for line in [f"{s}: not of today's sources" for s in stale] + differences:
        print(line)
    print(f"{len(some)} of {len(wanted)} rows synthesized again, {len(differences)} differences, {len(stale)} stale")
    return 1 if stale or differences else 0


def main():
    parser = argparse.ArgumentParser(description="Synthesizes the study of tests/rtl/units with Yosys.")
    parser.add_argument("--table", type=pathlib.Path, default=TABLE)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="also rows that are there")
    parser.add_argument("--check", type=int, metavar="N", help="synthesize N rows again and compare")
    arguments = parser.parse_args()
    old = read_table(arguments.table)
    if arguments.check is not None:
        return check(old, arguments.check)
    order = [(name, text_of(c)) for name, unit in STUDY.items() for c in unit.configurations]
    rows, missing = {}, []
    for name, unit in STUDY.items():
        for configuration in unit.configurations:
            key = (name, text_of(configuration))
            if not arguments.fresh and old.get(key, {}).get("sources") == unit.fingerprint():
                rows[key] = old[key]
            else:
                missing.append((name, configuration))
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(synthesize, *m) for m in missing]):
            row = done.result()
            rows[row["unit"], row["parameters"]] = row
            write_table(arguments.table, [rows[key] for key in order if key in rows])  # what is there stays when the rest is interrupted
            print(f"{row['unit']} {row['parameters']}: {row['lut']} LUT, {row['ff']} FF, {row['dsp']} DSP ({row['seconds']} s)", file=sys.stderr, flush=True)
    write_table(arguments.table, [rows[key] for key in order])
    print(f"{len(order)} rows, {len(missing)} synthesized now", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
