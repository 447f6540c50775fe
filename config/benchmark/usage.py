"""What processes use: CPU time, memory. From the kernel's own books, by process id."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

_KIB = 1024


def cpu_seconds(kinds: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Return the CPU time so far of each kind of process, its roots given by their ids.

    With all their children, and with those that have ended: a connection to PostgreSQL is a process
    that may be gone when one looks, and its parent has inherited what it used.
    """
    return {kind: sum(map(_tree_seconds, pids)) for kind, pids in kinds.items()}


def peak_memory(root: int) -> dict[int, int]:
    """Return the largest memory so far of each child of a process, in bytes, by its id.

    Of the process itself where it has none. Resident memory, shared with the parent's or not.
    """
    found = {}
    for process in _children(root) or [psutil.Process(root)]:
        try:
            found[process.pid] = _peak(process)
        except psutil.Error:
            continue
    return found


def _tree_seconds(pid: int) -> float:
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_seconds, [root, *_children(pid)]))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _peak(process: psutil.Process) -> int:
    # Linux keeps the peak itself; elsewhere it is that of the moments at which one looks.
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return int(process.memory_info().rss)
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmHWM"].split()[0]) * _KIB if "VmHWM" in lines else 0
