"""A corrupt file is an error or the model that was saved: a few hundred of them, each run others.

`python tests/tools/fuzz.py` goes through ten thousand.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("safetensors")
import fuzz


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return fuzz.Fuzz(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("family", [fuzz.BLIND, fuzz.CAREFUL, fuzz.FORGED])
def test_corrupt_model_is_refused_or_right(files, family):
    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(family), st.sampled_from(["model 0", "backup"]), st.integers(0, 2**32))
    def check(corruption, kind, seed):
        files.check(kind, "model 1", corruption, seed)

    check()


@settings(max_examples=200, deadline=None)
@given(corruption=st.sampled_from(fuzz.BLIND + fuzz.TENSORS), seed=st.integers(0, 2**32))
def test_corrupt_weights_are_refused_or_right(files, corruption, seed):
    files.check("weights 0", "weights 1", corruption, seed)


@settings(max_examples=200, deadline=None)
@given(bits=st.lists(st.integers(0, 2**14), min_size=1, max_size=8))
def test_flipped_bits_are_found(files, bits):
    """Where hypothesis wants them, and not where chance does."""
    content = bytearray(files.files["model 0"])
    for bit in bits:
        content[bit // 8 % len(content)] ^= 1 << bit % 8
    files.load("model 0", bytes(content), fuzz.flip_bits)


def test_file_cut_anywhere_is_refused(files):
    content = files.files["weights 0"]
    for length in range(len(content)):
        assert files.load("weights 0", content[:length], fuzz.cut) == "refused"


def test_whole_files_are_right(files):
    """Else the others prove nothing."""
    for kind in ("model 0", "backup", "weights 0"):
        assert files.load(kind, files.files[kind], fuzz.cut) == "the right model"


def test_files_are_forged_well_enough_to_be_loaded(files):
    outcomes = {files.check("model 0", "model 1", fuzz.forge, seed) for seed in range(100)}
    assert outcomes == {"refused", "a model"}
