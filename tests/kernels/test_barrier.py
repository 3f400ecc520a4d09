"""Where threads meet: more of them than there are processors, many times, and the ways out."""

import threading

import numpy as np
import pytest
from kernel_memory import job

from fastnn.kernels import records

LINE = 8
"""Words of a cache line."""


class Meeting:
    """A job of some threads, and its words of synchronisation."""

    def __init__(self, threads):
        self.words = np.zeros(records.SYNCHRONISATION_WORDS, np.int64)
        self.job, self.place = job(run__threads=threads, run__synchronisation=self.words.ctypes.data)
        self.threads = threads

    def run(self, function, numbers=None):
        """Call function(thread) in as many threads as there are numbers, which come to an end; returns the results."""
        results = {}
        calls = [
            threading.Thread(target=lambda number=number: results.update({number: function(number)}), daemon=True)
            for number in (range(self.threads) if numbers is None else numbers)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join(60)
        assert not any(call.is_alive() for call in calls), "a thread still waits"
        return [results[number] for number in sorted(results)]


@pytest.mark.parametrize("apart", [1, LINE], ids=["one line", "a line each"])
@pytest.mark.parametrize(("threads", "meetings"), [(1, 10), (2, 4000), (3, 1000), (8, 200)])
def test_each_thread_sees_what_all_others_wrote_before(kernels, threads, meetings, apart):
    meeting, memory = Meeting(threads), np.zeros(8 * LINE, np.int64)
    found = meeting.run(
        lambda thread: kernels["meet"](meeting.place, thread, threads, meetings, memory.ctypes.data, apart)
    )
    assert found == [0] * threads
    assert memory[: threads * apart : apart].tolist() == [meetings] * threads
    assert meeting.words[records.GENERATION] == (2 * meetings if threads > 1 else 0)
    assert meeting.words[records.ARRIVED] == 0


def test_an_aborted_run_lets_all_out_that_wait(kernels):
    """One of four never comes."""
    meeting = Meeting(4)
    meeting.words[records.ABORTED] = 1
    assert meeting.run(lambda thread: kernels["barrier"](meeting.place), range(3)) == [1, 1, 1]


def test_who_waits_already_gets_out_too(kernels):
    meeting, came = Meeting(3), threading.Barrier(3)

    def wait(thread):
        came.wait()
        if thread == 2:  # once the others have arrived
            while meeting.words[records.ARRIVED] < 2:
                pass
            meeting.words[records.ABORTED] = 1
            return 1
        return kernels["barrier"](meeting.place)

    assert meeting.run(wait) == [1, 1, 1]


def test_the_caller_leaves_last(kernels):
    for _ in range(50):
        meeting, events = Meeting(3), []

        def leave(thread, meeting=meeting, events=events):
            if thread:
                events.append(thread)
            kernels["barrier_leave"](meeting.place, thread)
            if not thread:
                events.append(thread)

        meeting.run(leave)
        assert events[-1] == 0
        assert meeting.words[records.LEFT] == 3


def test_an_aborted_run_does_not_keep_the_caller(kernels):
    meeting = Meeting(2)
    meeting.words[records.ABORTED] = 1
    meeting.run(lambda thread: kernels["barrier_leave"](meeting.place, thread), [0])
    assert meeting.words[records.LEFT] == 1


def test_a_helper_that_stands_by_is_called_and_one_that_has_gone_is_not(kernels):
    """Whichever came first, both sides agree: a call that was accepted is answered, any other is not."""
    words = np.zeros(records.STANDBY_WORDS, np.int64)
    (_, waits), (_, calls) = (
        job(run__mode=records.MODES.index(mode), run__synchronisation=words.ctypes.data)
        for mode in ("stand_by", "engage")
    )
    accepted = 0
    for turn in range(60):
        words[:] = 0
        helper = threading.Thread(target=kernels["run"], args=(0, waits, 0))
        if turn % 2:
            helper.start()
            came = kernels["run"](0, calls, 0)  # to a job that is 0: go
            helper.join(60)
        else:  # nobody comes: it goes by itself
            helper.start()
            helper.join(60)
            came = kernels["run"](0, calls, 0)
            assert came == 0
        assert not helper.is_alive()
        accepted += came
        gone = words[records.CALLED] & records.GONE
        assert bool(gone) != bool(came)
    assert accepted <= 30
