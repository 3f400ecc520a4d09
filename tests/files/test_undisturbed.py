"""What no Ctrl-C may cut in two is done to its end, however often Ctrl-C comes."""

import threading

import pytest

from fastnn.undisturbed import Task, undisturbed


@pytest.mark.parametrize("times", [1, 2, 5])
def test_work_is_done_before_ctrl_c_is_raised(monkeypatch, times):
    begun, struck, done, wait, calls = threading.Event(), threading.Event(), [], Task.wait, []

    def interrupted(task):
        begun.wait()
        calls.append(task)
        if len(calls) <= times:
            if len(calls) == times:
                struck.set()
            raise KeyboardInterrupt
        wait(task)

    def work():
        begun.set()
        struck.wait()
        done.append(sum(range(1_000_000)))  # a while, in which a caller that did not wait would be back

    monkeypatch.setattr(Task, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        undisturbed(work)
    assert len(done) == 1
    assert len(calls) == times + 1


def test_what_it_returns_and_raises_is_the_work_s():
    assert undisturbed(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        undisturbed(lambda: 1 // 0)
