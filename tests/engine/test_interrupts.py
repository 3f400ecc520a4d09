"""Ctrl-C under each way into fastnn, at some places where Python handles signals; interrupts.py tries all of them."""

import pytest
from interrupt_scenes import SCENES
from interrupts import places, press, some

PLACES = 8
"""Of each way in."""


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("backend", ["numba", "cython"], indirect=True)
def test_ctrl_c_leaves_whole_steps_and_a_model_that_works(scene, backend, tmp_path):
    places(scene, backend, 2, tmp_path)  # what is made once is made
    numbers = some(places(scene, backend, 2, tmp_path), every=False)
    for number in numbers[len(numbers) // PLACES // 2 :: max(1, len(numbers) // PLACES)]:
        assert press(scene, backend, 2, tmp_path, number) == ""
