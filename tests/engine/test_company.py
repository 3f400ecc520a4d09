"""Threads in company: how many there are, by made-up times, and the same bits when that changes within a run."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import naive
import numpy as np
import pytest

from fastnn import callbacks, optimizers
from fastnn.engine import Engine, company
from fastnn.engine.company import PATIENCE, WINDOW, Team


class Machine:
    """Makes up what steps take, and how many processors their threads lack."""

    def __init__(self, monkeypatch, wanted=2):
        self.now = 1000.0
        monkeypatch.setattr(company, "perf_counter", lambda: self.now)
        self.team = Team(wanted)

    def run(self, seconds, paces, taken=0.0, slept=0.0):
        """The numbers of threads in turn, where a step takes paces[threads] and others take so many processors."""
        counts, end = [self.team.count], self.now + seconds
        while self.now < end:
            pace, several = paces[self.team.count], self.team.count > 1
            self.now += 100 * pace
            self.team.note(100, 100 * pace, several * (taken + slept) * 100 * pace, several * slept * 100 * pace)
            counts.append(self.team.count)
        return [count for count, _ in itertools.groupby(counts)]


QUIET = {1: 0.9e-3, 2: 0.5e-3}
ONE_FREE = {1: 0.9e-3, 2: 1.4e-3}
SHARED = {1: 3e-3, 2: 2e-3}


def test_nothing_is_tried_while_nobody_else_is_there(monkeypatch):
    machine = Machine(monkeypatch)
    assert machine.run(20, QUIET, taken=0.03) == [2]
    assert machine.run(20, QUIET, taken=0.03, slept=0.4) == [2]  # threads with unequal parts wait for each other


def test_fewer_threads_go_on_where_they_are_faster_and_more_are_tried_now_and_then(monkeypatch):
    machine = Machine(monkeypatch)
    counts = machine.run(30, ONE_FREE, taken=0.6, slept=0.3)
    assert counts[:3] == [2, 1, 2]
    least = 30 / (PATIENCE[1] + 4 * WINDOW) / 1.5
    assert least < counts.count(2) < 30 / PATIENCE[1] + 5


def test_all_threads_are_back_when_the_others_have_gone(monkeypatch):
    machine = Machine(monkeypatch)
    machine.run(30, ONE_FREE, taken=0.6)
    machine.run(PATIENCE[1] + 2 * WINDOW, QUIET)
    assert machine.run(20, QUIET) == [2]


def test_threads_that_are_faster_in_company_stay(monkeypatch):
    machine = Machine(monkeypatch)
    counts = machine.run(60, SHARED, taken=1.3)
    assert counts[:3] == [2, 1, 2]
    assert counts.count(1) < 60 / PATIENCE[1] + 5


def test_many_threads_give_up_as_many_as_others_have_taken(monkeypatch):
    machine = Machine(monkeypatch, 64)
    paces = dict.fromkeys(range(1, 65), 1e-3) | {64: 2e-3}
    assert machine.run(0.4, paces, taken=0.5, slept=30.0) == [64, 63]


def test_a_number_between_is_left_to_either_side(monkeypatch):
    machine = Machine(monkeypatch, 8)
    counts = machine.run(30, {n: 1e-3 * n for n in range(1, 9)}, taken=3.0)
    assert counts[:2] == [8, 5]
    assert {8, 5, 2, 1} == set(counts)


def test_what_one_team_has_met_the_next_one_knows_for_a_while(monkeypatch):
    machine = Machine(monkeypatch)
    machine.run(0.5, ONE_FREE, taken=0.6)
    assert machine.team.count == 1
    assert Team(2, machine.team).count == 1
    assert Team(3, machine.team).count == 3
    machine.now += 3 * PATIENCE[1]
    assert Team(2, machine.team).count == 2


# sizes, batch size, rows: steps in each of the ways there are
WORK = {
    "chunks": ([30, 64, 64, 2], 512, 1500),
    "columns": ([784, 256, 10], 128, 300),
    "rows": ([33, 257, 257, 3], 100, 450),
    "parameters of their own": ([64, 100, 10], 200, 637),
}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("rule", ["adam", "accumulated", "clipped"])
def test_results_are_the_same_bits_when_the_number_changes_in_the_midst_of_a_run(
    network, backend, dtype, work, rule, monkeypatch
):
    if backend == "numpy":
        pytest.skip("NumPy uses one thread")
    sizes, batch_size, rows = WORK[work]
    loss = "sparse_categorical_crossentropy"
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    monkeypatch.setattr("fastnn.training.loop.SLICE_SECONDS", 0)  # each step is a call of the kernels
    monkeypatch.setattr("fastnn.engine.cost_model.processors", lambda: 4)
    monkeypatch.setattr("fastnn.engine.cost_model.OPERATIONS_A_THREAD", 1)
    turns, seen = itertools.cycle([1, 3, 2, 4, 2, 1]), []

    def note(team, *_):
        seen.append(team.count)
        team.count = next(turns)

    monkeypatch.setattr(Team, "note", note)
    options = {"adam": {}, "accumulated": {"gradient_accumulation_steps": 2}, "clipped": {"global_clipnorm": 0.5}}

    def trained(threads):
        activations = ["tanh"] * (len(sizes) - 2) + ["softmax"]
        optimizer = optimizers.Adam(0.01, **options[rule])
        weights = naive.random_weights(sizes)
        how = {"loss": loss, "optimizer": optimizer, "backend": backend, "dtype": dtype, "threads": threads}
        model = network(sizes, activations, weights, **how)
        history = model.fit(x, y, batch_size=batch_size, epochs=3, verbose=0).history
        return [w.tobytes() for w in model.get_weights()], np.array(history["loss"]).tobytes()

    changing = trained(None)
    assert {1, 2, 3, 4} <= set(seen)
    seen.clear()
    assert changing == trained(1)
    assert not seen  # as many as were asked for stay
    assert changing == trained(2)


def test_threads_that_were_asked_for_stay(network):
    sizes = [30, 64, 2]
    model = network(sizes, ["tanh", "linear"], naive.random_weights(sizes), backend="auto", threads=2)
    assert model._engine.team_of(256, 2) is None
    model._engine.threads = None
    team = model._engine.team_of(256, 2)
    assert team.count == 2
    assert model._engine.team_of(256, 2) is team  # from fit to fit
    assert model._engine.team_of(128, 2) is not team
    assert model._engine.team_of(128, 1) is None


# --- Fits of one process ---


@pytest.fixture
def fitted(network, monkeypatch):
    """Fits a model of four threads' work on four processors; returns by how many threads the kernels were called."""
    sizes = [64, 100, 10]
    x, y = naive.random_data("sparse_categorical_crossentropy", 400, 64, 10)
    monkeypatch.setattr("fastnn.engine.cost_model.processors", lambda: 4)
    monkeypatch.setattr("fastnn.engine.company.processors", lambda: 4)
    monkeypatch.setattr("fastnn.engine.cost_model.OPERATIONS_A_THREAD", 1)
    monkeypatch.setattr(Team, "note", lambda *_: None)
    used = {}
    call = Engine.call

    def noted(engine, job, synchronisation, threads, replicate=False):
        used.setdefault(threading.get_ident(), []).append(threads)
        return call(engine, job, synchronisation, threads, replicate)

    monkeypatch.setattr(Engine, "call", noted)

    def fit(callback=None, epochs=2, optimizer="adam", **options):
        options = {"loss": "sparse_categorical_crossentropy", "optimizer": optimizer, **options}
        model = network(sizes, ["tanh", "softmax"], naive.random_weights(sizes), **options)
        used.pop(threading.get_ident(), None)
        model.fit(x, y, batch_size=400, epochs=epochs, callbacks=[callback] if callback else None, verbose=0)
        return used[threading.get_ident()], [w.tobytes() for w in model.get_weights()]

    return fit


class Together(callbacks.Callback):
    """Waits for those who fit at the same time, or does something, as epochs begin and end."""

    def __init__(self, begin, end=lambda: None):
        super().__init__()
        self.begin, self.end = begin, end

    def on_epoch_begin(self, epoch, logs=None):
        self.begin()

    def on_epoch_end(self, epoch, logs=None):
        self.end()


def test_fits_at_once_have_the_processors_between_them(fitted):
    alone, bits = fitted()
    assert set(alone) == {4}
    for count, each in ((2, {2}), (3, {1}), (5, {1})):
        meet = threading.Barrier(count).wait
        with ThreadPoolExecutor(count) as pool:
            futures = [pool.submit(fitted, Together(meet, meet)) for _ in range(count)]
        assert [(set(future.result()[0]), future.result()[1]) for future in futures] == count * [(each, bits)]
    assert fitted() == (alone, bits)


def test_a_fit_has_all_processors_again_when_the_others_have_ended(fitted):
    ended, met = threading.Event(), threading.Barrier(2).wait
    begins, ends = iter([met, ended.wait]), iter([met, bool])
    with ThreadPoolExecutor(1) as pool:
        longer = pool.submit(fitted, Together(lambda: next(begins)(), lambda: next(ends)()))
        fitted(Together(met, met), epochs=1)
        ended.set()
        assert longer.result()[0] == [2, 4]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_fit_within_a_callback_of_another_one_has_all_processors(fitted, optimizer):
    pytest.importorskip("scipy")
    inner = []
    fitted(Together(lambda: inner.append(fitted(optimizer=optimizer)[0])), epochs=1)
    assert set(inner[0]) == {4}


def test_full_batches_have_their_share_too(fitted):
    pytest.importorskip("scipy")
    ended, met = threading.Event(), threading.Barrier(2).wait
    begins = itertools.chain([met], itertools.repeat(bool))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(fitted, Together(met, ended.wait), epochs=1)
        used, _ = fitted(Together(lambda: next(begins)()), optimizer="lbfgs")
        ended.set()
        other.result()
    assert set(used) == {2}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_fit_that_was_cut_short_is_at_work_no_more(fitted, error):
    def fail():
        raise error

    def cut_short():
        try:
            fitted(Together(fail))
        except (ValueError, KeyError):  # KeyError: no step was taken
            return True
        return False

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cut_short).result()
        assert set(fitted()[0]) == {4}  # while the thread of the other is still there


def test_a_mark_that_was_left_behind_is_gone_with_its_fit():
    company._at_work[-1] = company.ref(company._AtWork())
    assert company.share(8) == 8
    del company._at_work[-1]
