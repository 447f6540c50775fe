"""Ask whether the packages have known vulnerabilities: `make check` does, once a day.

Where that cannot be asked (no network, no data) it says so in a line, and is not in the way.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOL = Path(sys.prefix) / "audit"  # apart from the product's packages
ASKED = TOOL / "asked"
DAY = 24 * 3600
PATIENCE = 120  # seconds, of pip and of pip-audit
AUDITED = ["base.txt", "production.txt", "development.txt"]


class NotAsked(Exception):
    """Why nobody knows."""


def main() -> int:
    if _is_fresh(ASKED, *(HERE / name for name in AUDITED), now=time.time()):
        return 0
    try:
        _install()
        # One first: where there are no data, it takes the rest a long time to say so.
        verdict([_ask("--requirement", str(_first()))])
        found = verdict([_ask("--require-hashes", "--requirement", str(HERE / n)) for n in AUDITED])
    except NotAsked as why:
        sys.stdout.write(f"known vulnerabilities of packages: not asked, {why}\n")
        return 0
    sys.stderr.write("".join(f"error: {line}\n" for line in found))
    if not found:
        ASKED.touch()
    return bool(found)


def verdict(reports: list[dict[str, Any]]) -> list[str]:
    """Return what is known of packages, a line for each vulnerability.

    :param reports: as pip-audit writes them in JSON.
    :raises NotAsked: of some package nothing could be asked.
    """
    packages = [package for report in reports for package in report["dependencies"]]
    found = {
        f"{package['name']} {package['version']} has {each['id']}, mended in"
        f" {', '.join(each['fix_versions']) or 'no version yet'}"
        for package in packages
        for each in package.get("vulns", [])
    }
    unknown = {package["name"] for package in packages if "skip_reason" in package}
    if unknown and not found:
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise NotAsked(f"there are no data of {min(unknown)}{others}")
    return sorted(found)


def _is_fresh(stamp: Path, *files: Path, now: float) -> bool:
    if not stamp.exists():
        return False
    asked = stamp.stat().st_mtime
    return now - asked < DAY and all(file.stat().st_mtime < asked for file in files)


def _install() -> None:
    pins, stamp = HERE / "audit.txt", TOOL / "installed"
    if stamp.exists() and stamp.stat().st_mtime > pins.stat().st_mtime:
        return
    options = "--quiet --disable-pip-version-check --no-input --no-deps --require-hashes --upgrade"
    _run(["pip", "install", *options.split(), "--target", str(TOOL), "--requirement", str(pins)])
    if not (TOOL / "pip_audit").is_dir():
        raise NotAsked("pip-audit could not be installed")
    stamp.touch()


def _first() -> Path:
    """Return a file with one of the packages."""
    file = TOOL / "first.txt"
    pinned = (HERE / "base.txt").read_text().splitlines()
    file.write_text(next(line.split()[0] for line in pinned if "==" in line) + "\n")
    return file


def _ask(*options: str) -> dict[str, Any]:
    fixed = "--disable-pip --no-deps --format json --progress-spinner off"
    answer = _run(["pip_audit", *fixed.split(), *options])
    try:
        report: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise NotAsked("pip-audit has not answered") from None
    return report


def _run(arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env={**os.environ, "PYTHONPATH": str(TOOL)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise NotAsked(f"{arguments[0]} took longer than {PATIENCE} seconds") from None
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
