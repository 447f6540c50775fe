"""The processes of the installation, each started again when it is gone."""

import threading
from collections.abc import Mapping
from pathlib import Path

import psutil

from config.processes import WORKERS, Ports, commands
from config.rig.processes import Processes

WATCH_SECONDS = 0.3


class Crew:
    """Workers and Beat with the commands of `manage.py run`, and somebody who watches over them."""

    def __init__(self, ports: Ports, environ: Mapping[str, str], *, logs: Path) -> None:
        wanted = commands(ports, catcher=False)
        self._commands = {name: wanted[name] for name in (*WORKERS, "beat")}
        self._processes = Processes(environ, logs=logs)
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
        self._processes.end(*self._commands)

    def children(self, name: str) -> list[psutil.Process]:
        """Return the living processes that work for this one."""
        try:
            process = psutil.Process(self._processes.running[name].pid)
            return list(process.children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def kill(self, name: str) -> None:
        """Kill (-9) a process and its children."""
        self._processes.kill(name)

    def terminate(self, name: str) -> None:
        """Ask a process to finish what it holds, and wait until it has."""
        self._processes.terminate(name)

    def _watch(self) -> None:
        while not self._is_over.wait(WATCH_SECONDS):
            self._restart_missing()

    def _restart_missing(self) -> None:
        for name, arguments in self._commands.items():
            process = self._processes.running.get(name)
            if process is None or process.poll() is not None:
                self._processes.start_python(name, arguments)
