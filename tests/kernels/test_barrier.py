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


def test_the_caller_waits_for_all_even_if_the_run_was_aborted(kernels):
    """Each of them leaves then, and nothing is at work any more when the caller goes on."""
    meeting = Meeting(2)
    meeting.words[records.ABORTED] = 1
    meeting.run(lambda thread: kernels["barrier_leave"](meeting.place, thread))
    assert meeting.words[records.LEFT] == 2


def test_who_sleeps_for_long_is_woken_and_its_sleep_is_counted(kernels):
    """The other thread comes once the first one sleeps: at a barrier, and when the caller waits for all to leave."""
    meeting = Meeting(2)

    def meet(thread):
        while thread == 1 and not meeting.words[records.SLEEPERS]:
            pass
        return kernels["barrier"](meeting.place)

    assert meeting.run(meet) == [0, 0]
    assert meeting.words[records.SLEEPERS] == 0
    assert meeting.words[records.SLEPT] > 0

    def leave(thread):
        while thread == 1 and not meeting.words[records.SLEEPERS]:
            pass
        kernels["barrier_leave"](meeting.place, thread)

    meeting.run(leave)
    assert meeting.words[records.LEFT] == 2
    assert meeting.words[records.SLEEPERS] == 0


def worker_and_caller(workers):
    """Jobs of some workers that stand by, the words of each, and the job of a caller that knows of them."""
    words = np.zeros((workers, records.STANDBY_WORDS), np.int64)
    words[:, records.STATE] = records.GONE
    own = [job(run__mode=records.STAND_BY, run__synchronisation=row.ctypes.data, run__waits=1000) for row in words]
    places = np.array([row.ctypes.data for row in words])
    meeting = np.zeros(records.SYNCHRONISATION_WORDS, np.int64)
    caller = job(
        run__threads=1 + workers,
        run__synchronisation=meeting.ctypes.data,
        run__workers=places.ctypes.data,
        run__worker_count=workers,
    )
    return own, words, caller, (places, meeting)


def test_workers_that_stand_by_are_taken_together_or_not_at_all(kernels):
    """Whichever came first, both sides agree; who was taken waits, and goes when it is let go and nobody comes."""
    own, words, (record, caller), kept = worker_and_caller(2)
    threads = [threading.Thread(target=kernels["run"], args=(0, place, 0), daemon=True) for _, place in own]
    threads[0].start()
    record.run.waits = 3
    assert kernels["gather_workers"](caller) == 0  # one is not enough
    assert (words[:, records.CALLER] == 0).all()
    threads[1].start()
    record.run.waits = 10**6
    assert kernels["gather_workers"](caller) == 1
    assert (words[:, records.CALLER] == kept[1].ctypes.data).all()
    assert (words[:, records.STATE] & records.TAKEN).all()
    for row in words:
        kernels["let_go"](row.ctypes.data)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert (words[:, records.STATE] == records.GONE).all()


def test_who_has_gone_is_not_taken(kernels):
    _, words, (_, caller), _ = worker_and_caller(1)
    assert kernels["gather_workers"](caller) == 0
    assert words[0, records.STATE] == records.GONE
