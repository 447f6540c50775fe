"""What the web processes of one server count together: files that they share.

Each answers a part of the requests, and any of them may be asked for all of it. prometheus_client
keeps such counts in files of one directory, if it knows that before it is imported.
"""

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def install() -> None:
    """Have this process share its counts with the others that the same server has started."""
    os.environ.setdefault(VARIABLE, str(directory(os.getppid())))


def directory(server: int) -> Path:
    """Make the directory of a server's processes, and drop those of servers that have ended.

    Not in the state directory: containers share that one, and have the same process ids.

    :param server: its process id.
    :raises OSError: somebody else has made it
    """
    above = Path(tempfile.gettempdir()) / f"godwit-metrics-{os.getuid()}"
    above.mkdir(mode=0o700, exist_ok=True)
    if above.is_symlink() or above.stat().st_uid != os.getuid():
        raise PermissionError(f"{above} is somebody else's")
    for old in above.iterdir():
        if not _lives(int(old.name)):
            shutil.rmtree(old, ignore_errors=True)  # another process does the same
    ours = above / str(server)
    ours.mkdir(exist_ok=True)
    return ours


def forget_the_dead() -> None:
    """Let what processes hold that have ended count no more: theirs is gone."""
    for file in Path(os.environ[VARIABLE]).glob("gauge_live*_*.db"):
        if not _lives(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
