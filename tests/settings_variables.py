"""Which environment variables the settings read, and what they make of them."""

import os
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.env import SECRETS

SETTINGS = Path(__file__).resolve().parent.parent / "config" / "settings.py"


class _Recording(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)


def load(environ: Mapping[str, str], state_dir: Path) -> tuple[dict[str, Any], set[str]]:
    """Run config/settings.py in an environment; return its names, and the variables it read."""
    recording = _Recording({"GODWIT_STATE_DIR": str(state_dir), **environ})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", recording)
        names = runpy.run_path(str(SETTINGS))
    files = {f"{name}_FILE" for name in SECRETS}  # of any of which there may be one
    return names, recording.asked - files
