"""More threads than processors, and processors busy with something else: training ends, with the same bits."""

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import naive
import numpy as np
import pytest

from fastnn.engine import processors

# sizes, batch size: steps split by rows, and by chunks
WORK = [([30, 70, 70, 3], 96), ([30, 64, 64, 3], 512)]
STEPS = 12
LONG = 60
"""Seconds after which a busy process ends by itself, should the test be killed."""


@contextlib.contextmanager
def busy(count):
    """So many processes that do nothing but take a processor's time."""
    code = f"import time\nprint(flush=True)\nend = time.time() + {LONG}\nwhile time.time() < end: pass"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            stack.callback(process.__exit__, None, None, None)
            stack.callback(process.kill)
            process.stdout.readline()  # it has begun
        yield


def trained(network, sizes, batch_size, **options):
    """Bytes of all that training and predicting give."""
    x, y = naive.random_data("sparse_categorical_crossentropy", STEPS * batch_size, sizes[0], sizes[-1])
    activations = [*["tanh"] * (len(sizes) - 2), "softmax"]
    weights = naive.random_weights(sizes)
    model = network(sizes, activations, weights, loss="sparse_categorical_crossentropy", optimizer="adam", **options)
    history = model.fit(x, y, batch_size=batch_size, verbose=0).history
    return [a.tobytes() for a in (*model.get_weights(), model.predict(x), np.array(history["loss"]))]


@pytest.mark.parametrize(("sizes", "batch_size"), WORK)
@pytest.mark.parametrize("threads", [2, 8])
def test_training_beside_busy_processes_completes_with_the_same_bits(network, backend, sizes, batch_size, threads):
    quiet = trained(network, sizes, batch_size, backend=backend, threads=1)
    with busy(min(processors(), 4)):
        assert trained(network, sizes, batch_size, backend=backend, threads=threads) == quiet


def test_more_threads_than_processors_train_several_models_at_once(network, backend):
    """Each of them waits for threads that have no processor."""

    def run(threads):
        return trained(network, *WORK[0], backend=backend, threads=threads)

    alone = run(1)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(run, [8, 8, 8])) == 3 * [alone]


NAN_ON_ONE_PROCESSOR = """
import os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import numpy as np, fastnn
from fastnn.layers import Dense, Input
model = fastnn.Sequential([Input((30,)), Dense(64, activation="relu"), Dense(2)], seed=0)
model.compile(loss="mse", backend=sys.argv[1], threads=int(sys.argv[2]))
x, y = np.zeros((5120, 30), "float32"), np.zeros((5120, 2), "float32")
model.fit(x, y, batch_size=256, verbose=0)
for row in range(1300, 5120, 127):
    x[row] = np.nan
    try:
        model.fit(x, y, batch_size=256, verbose=0)
        sys.exit(f"no error for row {row}")
    except ValueError:
        x[row] = 0
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="wants to choose its processor")
@pytest.mark.parametrize("threads", [2, 4])
def test_threads_that_share_a_processor_all_hear_of_a_nan(backend, threads):
    """One of them may be at the next batch, and find it there, before another has left the barrier."""
    subprocess.run([sys.executable, "-c", NAN_ON_ONE_PROCESSOR, backend, str(threads)], check=True, timeout=120)
