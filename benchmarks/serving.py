"""What a web service adds to a prediction: an endpoint of FastAPI, asked by clients that wait for their answers.

uvicorn has one process; as many clients as are asked for, in threads of another one, ask without a pause over
connections that stay open.  An endpoint that predicts nothing says what the framework itself takes.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import fastnn

SERVICE = """
import sys
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, Field

kind, inputs = sys.argv[1], int(sys.argv[2])
if kind == "fastnn":
    import fastnn

    act = fastnn.load_model("model.fastnn").predictor()
    predict = lambda x: act(x)[0]
elif kind == "ONNX Runtime":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession("model.onnx", options)
    predict = lambda x: session.run(None, {"input": x[None].astype(np.float32)})[0][0]
else:
    predict = lambda x: x[:3]

app = FastAPI()


class Row(BaseModel):
    values: list[float] = Field(min_length=inputs, max_length=inputs)


@app.post("/predict")
async def probabilities(row: Row) -> list[float]:
    return predict(np.array(row.values)).tolist()


import uvicorn

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="error")
"""
KINDS = ("nothing", "fastnn", "ONNX Runtime")


def serving(seconds: float = 5.0, inputs: int = 30, clients: tuple[str, ...] = ("1", "4", "16")) -> None:
    """Milliseconds of an answer, the median and the 99th percentile, and answers a second, by the number of clients."""
    with tempfile.TemporaryDirectory() as folder:
        stack = [fastnn.Input((inputs,)), *(fastnn.layers.Dense(64, "relu") for _ in range(2))]
        model = fastnn.Sequential([*stack, fastnn.layers.Dense(3, "softmax")], seed=0)
        model.save(Path(folder, "model.fastnn"))
        model.export(Path(folder, "model.onnx"))
        print("| endpoint | clients | median ms | 99% ms | answers a second |\n| --- | ---: | ---: | ---: | ---: |")
        for count in clients:
            for kind in KINDS:
                times, whole = _asked(kind, folder, inputs, int(count), seconds)
                middle, late = (1e3 * np.quantile(times, part) for part in (0.5, 0.99))
                print(f"| {kind} | {count} | {middle:.2f} | {late:.2f} | {len(times) / whole:,.0f} |")


def _asked(kind: str, folder: str, inputs: int, clients: int, seconds: float) -> tuple[list[float], float]:
    """How long each answer of a service took, and for how long it was asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-c", SERVICE, kind, str(inputs), str(port)]
    service = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": root})
    try:
        _wait_for(port)
        _clients(port, inputs, clients, 0.5)
        begun = time.perf_counter()
        return _clients(port, inputs, clients, seconds), time.perf_counter() - begun
    finally:
        service.kill()
        service.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the service did not start")


def _clients(port: int, inputs: int, count: int, seconds: float) -> list[float]:
    body = json.dumps({"values": np.linspace(-1, 1, inputs).tolist()})
    found: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            found.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
