"""The processes of the installation, each started again when it is gone."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil
from django.conf import settings

from config.processes import WORKERS, Ports, commands

WATCH_SECONDS = 0.3
STOP_SECONDS = 40


class Crew:
    """Workers and Beat with the commands of `manage.py run`, and somebody who watches over them."""

    def __init__(self, ports: Ports, environ: Mapping[str, str], *, logs: Path) -> None:
        wanted = commands(ports, catcher=False)
        self._commands = {name: wanted[name] for name in (*WORKERS, "beat")}
        self._environ = dict(environ)
        self._logs = logs
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="crew", daemon=True)

    def start(self) -> None:
        self._restart_missing()
        self._watcher.start()

    def stop(self) -> None:
        """End all, gently and then not."""
        self._is_over.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _kill_group(process)

    def children(self, name: str) -> list[psutil.Process]:
        """Return the living processes that work for this one."""
        try:
            process = psutil.Process(self._processes[name].pid)
            return list(process.children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def kill(self, name: str) -> None:
        """Kill (-9) a process and its children."""
        _kill_group(self._processes[name])

    def terminate(self, name: str) -> None:
        """Ask a process to finish what it holds, and wait until it has."""
        process = self._processes[name]
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(process)

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _watch(self) -> None:
        while not self._is_over.wait(WATCH_SECONDS):
            self._restart_missing()

    def _restart_missing(self) -> None:
        with self._lock:
            for name, arguments in self._commands.items():
                process = self._processes.get(name)
                if process is None or process.poll() is not None:
                    self._processes[name] = self._started(name, arguments)

    def _started(self, name: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=settings.BASE_DIR,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
