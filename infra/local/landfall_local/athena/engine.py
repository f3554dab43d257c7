"""The server's end of the process that runs statements (worker)."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
ENDED = "the local Athena's engine ended"


class EngineEndedError(Exception):
    pass


class Engine:
    """Starts the worker, and again if it ends. Passes statements to it and waits for their results."""

    def __init__(self, endpoint: str):
        self._endpoint = endpoint
        self._process: subprocess.Popen | None = None
        self._waiting: dict[str, tuple[subprocess.Popen, Future]] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts the worker if it is not running. It is ready when it answers."""
        with self._lock:
            self._started()

    def execute(self, request: dict) -> dict:
        """Runs {"id", "sql", ...} in the worker and returns its answer."""
        future: Future = Future()
        with self._lock:
            process = self._started()
            self._waiting[request["id"]] = process, future
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            except OSError as error:
                self._waiting.pop(request["id"], None)
                raise EngineEndedError(ENDED) from error
        return future.result()

    def stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.stdin.close()
            process.wait()

    def _started(self) -> subprocess.Popen:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "landfall_local.athena.worker", self._endpoint],
                env={**os.environ, "PYTHONPATH": str(PACKAGE)},
                stdin=subprocess.PIPE,  # the worker ends when it closes
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C reaches only the server, which then ends the worker
            )
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        return self._process

    def _read(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            answer = json.loads(line)
            with self._lock:
                _, future = self._waiting.pop(answer.pop("id"))
            future.set_result(answer)
        process.wait()  # the next statement then finds that it has ended
        with self._lock:
            lost = [query for query, (worker, _) in self._waiting.items() if worker is process]
            futures = [self._waiting.pop(query)[1] for query in lost]
        for future in futures:
            future.set_exception(EngineEndedError(ENDED))
