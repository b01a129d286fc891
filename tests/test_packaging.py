"""The wheel works where no checkout is: built, installed and run in an environment that cannot see this folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.xdist_group("wheel")

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = {
    "alembic",
    "boto3",
    "botocore",
    "pydantic",
    "rich",
    "simple_salesforce",
    "sqlalchemy",
    "sqlmodel",
    "starlette",
}
HELP = """\
import runpy
sys.argv = ["connector", "--help"]
try:
    runpy.run_module("connector", run_name="__main__")
except SystemExit as end:
    assert not end.code
"""
CONFIG = """\
database: sqlite:///ledger.db
connections:
  acme:
    salesforce:
      login_url: https://acme.my.salesforce.example
      auth: {method: access_token, instance_url: https://acme.my.salesforce.example, token: "${TOKEN}"}
    partner_central: {catalog: Sandbox}
"""


@dataclass(frozen=True)
class Installation:
    """The wheel in an environment of its own, and an empty folder to work in."""

    python: Path
    packages: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CONNECTOR"))
        }
        environment |= {"TOKEN": "a-token", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        command = [str(self.python), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, text=True, capture_output=True, timeout=60, check=False
        )

    def modules(self, code: str) -> set[str]:
        """The top-level modules that are loaded once ``code`` has run."""
        done = self.run(
            "-c", f"import sys\n{code}\nimport json\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
        )
        assert done.returncode == 0, done.stderr
        return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.fixture(name="wheel", scope="module")
def wheel_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout by the locked build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(name="installation", scope="module")
def installation_fixture(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A new environment with the wheel in it. The locked dependencies are seen through a .pth file, and a .pth file
    within a folder that was added so is not read: the editable installation of the checkout stays unseen.
    """
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    work = folder / "elsewhere"
    work.mkdir()
    (work / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Installation(python, packages, work)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files(folder: Path) -> set[str]:
    """What a checkout's folder holds, as paths below the checkout."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_ships_every_file_of_the_package_and_its_data(wheel: Path) -> None:
    data = {f"connector/_data/{name}" for name in _files(ROOT / "mappings") | _files(ROOT / "migrations")}
    package = _files(ROOT / "connector")
    assert {"connector/py.typed", "connector/sandbox/salesforce/seed.json"} <= package
    assert any(name.endswith(".txt") for name in package)
    assert {"connector/_data/mappings/opportunity.yaml", "connector/_data/migrations/env.py"} <= data
    assert package | data | {"connector/_data/config.example.yaml"} <= _names(wheel)


def test_the_wheel_ships_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in _names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"connector"}
    assert [name for name in _names(wheel) if re.search(r"__pycache__|(^|/)test", name)] == []


def test_what_runs_is_the_installed_wheel(installation: Installation) -> None:
    done = installation.run("-c", "import connector; print(connector.__file__)")
    assert Path(done.stdout.strip()) == installation.packages / "connector" / "__init__.py", done.stderr
    assert installation.run("-c", "import tests").returncode != 0


def test_the_entry_point_and_the_types_are_declared(installation: Installation) -> None:
    (found,) = installation.packages.glob("partner_central_connector-*.dist-info")
    scripts = PathDistribution(found).entry_points.select(group="console_scripts")
    assert {entry.name: entry.value for entry in scripts} == {"connector": "connector.cli:main"}
    assert (installation.packages / "connector" / "py.typed").is_file()


def test_the_command_answers(installation: Installation) -> None:
    module = installation.run("-m", "connector", "--help")
    assert (module.returncode, "resync" in module.stdout) == (0, True), module.stderr
    script = installation.python.with_name("connector")
    assert subprocess.run([script, "--version"], capture_output=True, check=True).stdout.startswith(b"connector")


def test_the_packaged_mapping_is_in_order(installation: Installation) -> None:
    done = installation.run("-m", "connector", "check", "--offline")
    assert (done.returncode, "in order" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_packaged_migrations_make_a_ledger(installation: Installation) -> None:
    for expected in ("is upgraded", "is up to date"):
        done = installation.run("-m", "connector", "db", "upgrade")
        assert (done.returncode, expected in done.stdout) == (0, True), done.stdout + done.stderr
    assert (installation.folder / "ledger.db").stat().st_size > 0


@pytest.mark.parametrize(
    "code", ["import connector", "import connector.cli", HELP], ids=["package", "commands", "help"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(installation: Installation, code: str) -> None:
    assert installation.modules(code) & HEAVY == set()


def _locked() -> Mapping[str, str]:
    """Version by canonical name, as requirements.lock pins them."""
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE)
    }


def _required() -> list[Any]:
    groups = PROJECT["dependency-groups"].values()
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    return [*wanted, *(text for group in groups for text in group)]


@pytest.mark.parametrize("text", _required())
def test_the_lock_satisfies(text: str) -> None:
    requirement = Requirement(text)
    version = _locked().get(canonicalize_name(requirement.name))
    assert version is not None
    assert requirement.specifier.contains(version)


def test_every_runtime_requirement_has_a_lower_bound() -> None:
    bounds = {text: {s.operator for s in Requirement(text).specifier} for text in PROJECT["project"]["dependencies"]}
    assert [text for text, operators in bounds.items() if not operators & {">=", "==", "~="}] == []


def test_the_lock_names_no_place_to_download_from_and_a_hash_for_everything() -> None:
    assert re.findall(r"://|\s@\s|^--?\w.*", LOCK, re.MULTILINE) == []
    blocks = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) == len(_locked())
