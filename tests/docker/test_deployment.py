"""Whether the samples for servers of one's own fit the product, and the programs that read them."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.processes import STOP_SECONDS, WORKERS
from tests import settings_variables
from tests.docker.test_docker import ONE_SHOT, OURS, SERVICES, command_of

DOCKER = Path(__file__).resolve().parents[2] / "docker"
BIN = "/srv/godwit/.venv/bin/"
UNITS = sorted((DOCKER / "systemd").glob("*.service"))
MANIFESTS = [
    document
    for path in sorted((DOCKER / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
PROCESSES = ["web", "beat", *(f"worker-{name}" for name in WORKERS)]
EXPECTED = {name: command_of(name) for name in PROCESSES}
LOOPBACK = [word.replace("0.0.0.0", "127.0.0.1") for word in EXPECTED["web"]]  # noqa: S104
LOCAL = {**EXPECTED, "web": LOOPBACK}


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in MANIFESTS if found["kind"] == kind}


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    return dict(deployment["spec"]["template"]["spec"])


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(comment_prefixes=("#", ";"), strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def words(command: str) -> list[str]:
    """Return a command as it is run: a doubled percent sign is one, for both of its readers."""
    return shlex.split(command.replace("%%", "%").removeprefix(BIN))


def is_available(program: str) -> str:
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin:/bin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


# --- systemd ----------------------------------------------------------------------------------


def test_the_units_run_the_commands_of_the_composition() -> None:
    found = {
        path.stem.removeprefix("godwit-"): words(parsed(path.read_text())["Service"]["ExecStart"])
        for path in UNITS
    }

    assert found == LOCAL


@pytest.mark.parametrize("unit", UNITS, ids=[path.stem for path in UNITS])
def test_a_unit_starts_again_and_its_worker_gets_the_time_to_finish(unit: Path) -> None:
    service = parsed(unit.read_text())["Service"]

    assert service["Restart"] == "always"
    assert service["User"] == "godwit"
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    if "worker" in unit.stem:
        assert service["KillMode"] == "mixed"


def test_the_target_wants_every_unit() -> None:
    wanted = parsed((DOCKER / "systemd" / "godwit.target").read_text())["Unit"]["Wants"]

    assert sorted(wanted.split()) == [path.name for path in UNITS]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = is_available("systemd-analyze")
    for path in (DOCKER / "systemd").iterdir():
        here = path.read_text().replace(BIN, f"{Path(sys.executable).parent}/")
        (tmp_path / path.name).write_text(here)
    files = [str(tmp_path / path.name) for path in UNITS]

    done = subprocess.run([analyze, "verify", *files], capture_output=True, text=True)

    assert [line for line in done.stderr.splitlines() if "godwit" in line] == []


# --- supervisor -------------------------------------------------------------------------------


def test_supervisor_runs_the_commands_of_the_composition_and_starts_them_again() -> None:
    parser = parsed((DOCKER / "supervisor" / "godwit.conf").read_text())
    programs = {
        name.removeprefix("program:godwit-"): parser[name]
        for name in parser.sections()
        if name.startswith("program:")
    }

    assert {name: words(program["command"]) for name, program in programs.items()} == LOCAL
    for program in programs.values():
        assert program["autorestart"] == "true"
        assert program["stopasgroup"] == "false"
        assert int(program["stopwaitsecs"]) > STOP_SECONDS
    grouped = parser["group:godwit"]["programs"].split(",")
    assert sorted(grouped) == sorted(f"godwit-{name}" for name in programs)


# --- Kubernetes -------------------------------------------------------------------------------


def test_the_manifests_run_the_commands_and_checks_of_the_composition() -> None:
    found = {
        name.removeprefix("godwit-"): pod_of(deployment)["containers"][0]
        for name, deployment in of_kind("Deployment").items()
    }

    assert {name: container["command"] for name, container in found.items()} == EXPECTED
    for name, container in found.items():
        check = container["livenessProbe"]["exec"]["command"]
        assert check == SERVICES[name]["healthcheck"]["test"][1:]
    [job] = [found for found in MANIFESTS if found["kind"] == "Job"]
    assert pod_of(job)["containers"][0]["command"] == command_of("migrate")
    assert {"migrate"} == ONE_SHOT


def test_a_pod_gets_the_time_that_the_composition_gives() -> None:
    for name, deployment in of_kind("Deployment").items():
        grace = SERVICES[name.removeprefix("godwit-")].get("stop_grace_period")
        if grace:
            minutes = int(grace.removesuffix("m"))
            assert pod_of(deployment)["terminationGracePeriodSeconds"] == 60 * minutes


def test_the_manifests_set_no_variable_that_the_settings_do_not_read(tmp_path: Path) -> None:
    values = of_kind("ConfigMap")["godwit"]["data"]

    given = {**values, "GODWIT_STATE_DIR": str(tmp_path / "state"), "MEDIA_DIR": str(tmp_path)}
    names, read = settings_variables.load(given, tmp_path)

    assert values.keys() <= read
    assert names["ENV_PROBLEMS"] == []


def test_the_manifests_ask_for_what_they_have() -> None:
    for deployment in of_kind("Deployment").values():
        pod = pod_of(deployment)
        [container] = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
        claim = volumes["files"]["persistentVolumeClaim"]["claimName"]
        assert claim in of_kind("PersistentVolumeClaim")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
    for service in of_kind("Service").values():
        assert service["spec"]["selector"]["app"] in of_kind("Deployment")


def test_workers_are_scaled_by_a_queue_that_they_serve() -> None:
    for scaled in of_kind("ScaledObject").values():
        target = scaled["spec"]["scaleTargetRef"]["name"]
        [trigger] = scaled["spec"]["triggers"]
        deployment = of_kind("Deployment")[target]
        command = pod_of(deployment)["containers"][0]["command"]

        assert command[command.index("-Q") + 1] == trigger["metadata"]["listName"]
        # What scales decides alone: each `kubectl apply` would set a number anew.
        assert "replicas" not in deployment["spec"]


# --- proxies ----------------------------------------------------------------------------------


def test_nginx_takes_its_sample(tmp_path: Path) -> None:
    nginx = is_available("nginx")
    sample = (DOCKER / "nginx" / "godwit.conf").read_text()
    make_certificate(tmp_path)
    (tmp_path / "site.conf").write_text(sample.replace("/etc/ssl/godwit", str(tmp_path)))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}"
        f" http {{ access_log off; {places} include {tmp_path}/site.conf; }}"
    )

    done = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def make_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
         "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        capture_output=True, check=True,
    )  # fmt: skip


def test_caddy_takes_its_sample() -> None:
    caddy = is_available("caddy")

    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(DOCKER / "caddy/Caddyfile")],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_nginx_says_itself_whether_it_was_https_and_who_asks() -> None:
    sample = (DOCKER / "nginx" / "godwit.conf").read_text()

    headers = dict(re.findall(r"proxy_set_header (\S+) (\S+);", sample))

    assert headers["X-Forwarded-Proto"] == "$scheme"
    assert headers["X-Forwarded-For"] == "$proxy_add_x_forwarded_for"
    assert headers["Host"] == "$host"
    assert OURS["web"]["ports"][0].endswith(":8000")
