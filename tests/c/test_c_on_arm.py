"""The same sources for ARM: run under qemu where it is installed, and compiled for a Cortex-M4."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from c_compiler import compiled, run_tests

import fastnn
from fastnn.layers import Dense, Input, LayerNormalization

QEMU = shutil.which("qemu-arm") or shutil.which("qemu-arm-static")
LINUX = shutil.which("arm-linux-gnueabihf-gcc")
BARE = shutil.which("arm-none-eabi-gcc")
M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os", "-ffunction-sections"]


SYSTEM = shutil.which("qemu-system-arm")
STARTUP = """
#include <stdint.h>

extern void _start(void);

static void reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU */
    _start();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))0x20400000u, reset};
"""
"""What an MPS2 board with a Cortex-M4 begins with; what is printed goes to the emulator."""


@pytest.fixture
def exported(tmp_path):
    """The names of networks of float, double and int8, with test programs, and the reports on them."""
    model = fastnn.Sequential(
        [Input((9,)), Dense(20, "relu"), LayerNormalization(), Dense(6, "gelu"), Dense(3, "softmax")]
    )
    model.compile(loss="mse", backend="numpy")
    model.build()
    x = np.random.default_rng(0).normal(size=(50, 9))
    options = {"float32": {}, "float64": {}, "int8": {"calibration": x}}
    return {
        f"net_{dtype}": model.export(tmp_path / f"net_{dtype}.c", dtype=dtype, test_vectors=True, **given)
        for dtype, given in options.items()
    }


@pytest.mark.skipif(not (QEMU and LINUX), reason="no qemu-arm, or no gcc-arm-linux-gnueabihf")
def test_test_programs_pass_on_arm(exported, tmp_path):
    options = ["-static", "-mcpu=cortex-a7", "-mfpu=neon-vfpv4"]
    said = run_tests(list(exported), tmp_path, *options, cc=LINUX, under=[QEMU])
    assert said.count("the largest difference") == 3


@pytest.mark.skipif(not BARE, reason="no gcc-arm-none-eabi")
def test_a_cortex_m4_needs_what_is_said(exported, tmp_path):
    for stem, report in exported.items():
        compiled([tmp_path / f"{stem}.c"], tmp_path / f"{stem}.o", *M4, "-c", cc=BARE)
        said = subprocess.run(
            ["arm-none-eabi-size", tmp_path / f"{stem}.o"], capture_output=True, text=True, check=True
        )
        text, data, bss = map(int, re.findall(r"\d+", said.stdout)[:3])
        assert (data, bss) == (0, 0)
        assert report.flash <= text <= report.flash + 2500


@pytest.mark.skipif(not (BARE and SYSTEM), reason="no gcc-arm-none-eabi, or no qemu-system-arm")
def test_test_programs_pass_on_an_emulated_cortex_m4(exported, tmp_path):
    (tmp_path / "startup.c").write_text(STARTUP)
    for stem in exported:
        sources = [tmp_path / "startup.c", tmp_path / f"{stem}.c", tmp_path / f"{stem}_test.c"]
        places = ["-Wl,--section-start=.vectors=0", "-Wl,-Tdata=0x20000000"]
        command = [BARE, "-std=gnu99", "-O2", *M4[:4], "--specs=rdimon.specs", *sources, *places, "-lm", "-o"]
        subprocess.run([*command, tmp_path / "m4.elf"], check=True, capture_output=True)
        board = [SYSTEM, "-M", "mps2-an386", "-semihosting", "-nographic", "-monitor", "none", "-serial", "null"]
        done = subprocess.run([*board, "-kernel", tmp_path / "m4.elf"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{stem}: the largest difference" in done.stdout + done.stderr
