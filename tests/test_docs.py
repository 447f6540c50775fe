"""Whether the documentation says what is so, as far as that can be asked."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from campaigns.sending.transports import open_transport
from config.env import SECRETS
from tests import settings_variables
from tracking.ledger import TASK_STATUS, TRANSITIONS

ROOT = Path(__file__).resolve().parent.parent
TOP = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
DOCUMENTS = [*TOP, *sorted((ROOT / "docs").glob("*.md"))]
IDS = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
# What a WSGI server tells of a request (PEP 3333), in a mapping that is called so as well.
OF_A_REQUEST = re.compile(r"REQUEST_METHOD|PATH_INFO|REMOTE_ADDR|HTTP_\w+")
APPS = {name for name in settings.INSTALLED_APPS if (ROOT / name).is_dir()}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def code(text: str) -> list[str]:
    """Return the lines of code blocks, long ones joined, and what stands between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return lines + re.findall(r"`([^`]+)`", prose)


# --- links, paths, names ----------------------------------------------------------------------


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", document.read_text())

    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_path_that_is_named_exists(document: Path) -> None:
    top = {path.name for path in ROOT.iterdir()} - {".venv", ".godwit"}
    named = {word for line in code(document.read_text()) for word in re.findall(r"[\w.*/-]+", line)}
    paths = {word for word in named if "/" in word and word.split("/")[0] in top}

    missing = {path for path in paths if not (ROOT / path).exists()}

    # What the reader makes.
    assert {path for path in missing if not re.match(r"docker/(\.env|secrets)\b", path)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_test_that_is_named_exists(document: Path) -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    functions = set(re.findall(r"^def (test_\w+)", tests, flags=re.MULTILINE))

    named = set(re.findall(r"`(test_\w+)`", document.read_text()))

    assert named <= functions


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())

    assert pictures
    assert all(picture.stat().st_size <= 150_000 for picture in pictures)


def test_the_map_of_the_apps_is_complete() -> None:
    named = re.findall(r"^(\w+)/ {2,}\S", read("README.md"), flags=re.MULTILINE)

    assert set(named) == APPS


# --- commands ---------------------------------------------------------------------------------


def options_of(command: str) -> set[str]:
    parser = load_command_class(get_commands()[command], command).create_parser("", command)
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_command_exists_and_has_the_options_that_it_is_shown_with(document: Path) -> None:
    for line in code(document.read_text()):
        for command, arguments in re.findall(r"manage\.py ([a-z]\w*)(.*)", line):
            assert command in get_commands(), line
            assert set(re.findall(r"(?<!\S)--[a-z-]+", arguments)) <= options_of(command), line


def test_the_list_of_commands_is_complete_and_its_options_exist() -> None:
    rows = re.findall(
        r"^\| (`[a-z_]+[^|]*) \| (.*) \|$", read("docs/operations.md"), flags=re.MULTILINE
    )
    commands: set[str] = set()
    for first, second in rows:
        here = {word for word in re.findall(r"[a-z_]+", first) if word in get_commands()}
        known = set[str]().union(*(options_of(command) for command in here))
        assert set(re.findall(r"--[a-z-]+", first + second)) <= known, first
        commands |= here

    assert commands == {name for name, app in get_commands().items() if app in APPS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_a_target_of_make_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))

    named = {
        name for line in code(document.read_text()) for name in re.findall(r"^make ([a-z]+)", line)
    }

    assert named <= targets


def test_the_tools_of_the_hooks_are_installed_with_the_product() -> None:
    tools = re.findall(r"entry: \.venv/bin/(\S+)", read(".pre-commit-config.yaml"))

    assert tools
    assert [tool for tool in tools if not Path(sys.executable).with_name(tool).exists()] == []


# --- configuration ----------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """Return what docs/configuration.md says of each variable."""
    parts = re.split(r"^### `(\w+)`$", read("docs/configuration.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def said(kind: str) -> dict[str, str]:
    """Return what stands in backticks in the line of this kind of each variable that has one."""
    found = {
        name: re.search(rf"^- {kind}: `([^`]*)`", text, re.MULTILINE)
        for name, text in variables().items()
    }
    return {name: match[1] for name, match in found.items() if match}


def assignments(line: str) -> dict[str, str]:
    return dict(re.findall(r"([A-Z_]+)=(\S+)", line))


def test_every_variable_that_the_settings_read_is_documented_and_no_other(tmp_path: Path) -> None:
    _, asked = settings_variables.load({}, tmp_path)

    assert variables().keys() == asked


def test_each_secret_that_may_be_in_a_file_is_named() -> None:
    [paragraph] = re.findall(
        r"^A secret may be in a file.*?:\n\n",
        read("docs/configuration.md"),
        re.MULTILINE | re.DOTALL,
    )

    assert set(re.findall(r"`([A-Z_]{5,})`", paragraph)) - {"_FILE"} == set(SECRETS)


def test_nothing_else_reads_the_environment() -> None:
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    text = "\n".join(path.read_text() for path in files)

    named = set(re.findall(r"environ(?:\.get\(|\[)\s*\"(\w+)\"", text))

    assert {name for name in named if not OF_A_REQUEST.fullmatch(name)} <= variables().keys()


def test_the_default_of_a_variable_is_what_its_absence_means(tmp_path: Path) -> None:
    unset = plain(settings_variables.load({}, tmp_path)[0])

    for name, value in (said("Default") | {"GODWIT_STATE_DIR": str(tmp_path)}).items():
        names, _ = settings_variables.load({name: value}, tmp_path)
        assert plain(names) == unset, name
    assert settings.BASE_DIR / said("Default")["GODWIT_STATE_DIR"] == ROOT / ".godwit"


def plain(names: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in names.items() if name.isupper()}


def test_every_example_is_taken(tmp_path: Path) -> None:
    examples = {name: assignments(line)[name] for name, line in said("Example").items()}

    names, _ = settings_variables.load({**examples, "GODWIT_STATE_DIR": str(tmp_path)}, tmp_path)

    assert examples.keys() == variables().keys()
    assert names["ENV_PROBLEMS"] == []
    open_transport(names["EMAIL_URL"]).close()


@pytest.mark.parametrize("name", sorted(said("Wrong")))
def test_a_wrong_value_is_named_as_documented(name: str, tmp_path: Path) -> None:
    line = re.search(r"^- Wrong: `(.*?)` → `(.*)`$", variables()[name], flags=re.MULTILINE)
    assert line

    names, _ = settings_variables.load(assignments(line[1]), tmp_path)

    assert names["ENV_PROBLEMS"] == [f"{name}: {line[2]}"]


def test_the_example_of_wrong_values_prints_what_is_shown(tmp_path: Path) -> None:
    block = re.search(r"```console\n\$ (.*?)\n(.*?)```", read("docs/configuration.md"), re.DOTALL)
    assert block

    names, _ = settings_variables.load(assignments(block[1]), tmp_path)

    assert block[2].splitlines() == [f"error: {problem}" for problem in names["ENV_PROBLEMS"]]


# --- states -----------------------------------------------------------------------------------


def test_the_table_of_states_is_that_of_the_ledger() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([A-Z]+) \| .* \|(.*)\|$", read("docs/architecture.md"), flags=re.MULTILINE
    )

    statuses = {state: status for state, status, _ in rows}
    targets = {state: set(re.findall(r"`(\w+)`", cell)) for state, _, cell in rows}

    assert statuses == {str(state): status for state, status in TASK_STATUS.items()}
    assert targets == {str(state): set(map(str, allowed)) for state, allowed in TRANSITIONS.items()}


# --- the site ---------------------------------------------------------------------------------


def site() -> dict[str, Any]:
    """Return mkdocs.yml, but what is Python in it."""
    text = re.sub(r"!!python/\S+ (\{.*\})", r"\1", read("mkdocs.yml"))
    return dict(yaml.safe_load(text))


def pages_of(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages_of(part)]  # type: ignore[attr-defined]


def test_every_page_is_in_the_sites_contents_once() -> None:
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))

    assert sorted(pages_of(site()["nav"])) == sorted(
        [*pages, "reference/api.md", "reference/commands.md"]
    )


def test_the_site_is_strict_and_asks_no_other_server() -> None:
    assert site()["strict"] is True
    assert site()["theme"]["font"] is False
    assert not site().keys() & {"extra_css", "extra_javascript"}


# --- the workflow -----------------------------------------------------------------------------


def test_the_workflow_runs_the_commands_of_the_readme_on_each_python() -> None:
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    required = tomllib.loads(read("pyproject.toml"))["project"]["requires-python"]
    oldest, below = map(int, re.findall(r"3\.(\d+)", required))
    steps = {name: [step.get("run", "") for step in job["steps"]] for name, job in jobs.items()}

    assert "make test" in steps["test"]
    assert any(step.startswith("make run ") for step in steps["run"])
    for name in ("test", "run"):
        pythons = jobs[name]["strategy"]["matrix"]["python"]
        assert pythons == [f"3.{minor}" for minor in range(oldest, below)]


def test_the_workflow_calls_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))

    called = set(re.findall(r"\bmake ([a-z]+)", read(".github/workflows/ci.yml")))

    assert called <= targets
