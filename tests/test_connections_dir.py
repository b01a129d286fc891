"""connections_dir: each file one connection, every mistake of every file at once, and nothing silently left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

import pytest
from click.testing import CliRunner

from connector.cli import main
from connector.config import Config, load
from connector.errors import ConfigError

ENVIRONMENT = {"SF_CLIENT_ID": "id", "SF_CLIENT_SECRET": "quite-secret"}
SECTION = dedent(
    """\
    salesforce:
      login_url: https://acme.my.salesforce.com
      auth:
        method: client_credentials
        client_id: ${SF_CLIENT_ID}
        client_secret: ${SF_CLIENT_SECRET}
    partner_central:
      catalog: Sandbox
    """
)
DIRECTORY = "connections_dir: connections\n"


def inline(*names: str) -> str:
    return "connections:\n" + "".join(f"  {name}:\n{indent(SECTION, '    ')}" for name in names)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "connections").mkdir()
    return tmp_path


def write(home: Path, text: str, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (home / "connections" / name).write_text(content, "utf-8")
    (home / "config.yaml").write_text(text, "utf-8")
    return home / "config.yaml"


def loaded(home: Path, text: str, files: Mapping[str, str]) -> Config:
    return load(write(home, text, files), ENVIRONMENT)


def problems_of(home: Path, text: str, files: Mapping[str, str]) -> list[str]:
    """Each as ``file:line:column: sentence. cure.``, the file as it lies below ``home``."""
    path = write(home, text, files)
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRONMENT)
    return [str(problem).replace(f"{home}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (DIRECTORY, ["acme", "globex"]),
        (DIRECTORY + "connections:\n", ["acme", "globex"]),
        (DIRECTORY + "connections: {}\n", ["acme", "globex"]),
        (DIRECTORY + inline("initech"), ["initech", "acme", "globex"]),
        (inline("initech"), ["initech"]),
    ],
    ids=["alone", "nothing beside", "none beside", "beside others", "not named"],
)
def test_every_file_is_a_connection(home: Path, text: str, names: list[str]) -> None:
    config = loaded(home, text, {"globex.yaml": SECTION, "acme.yaml": SECTION})
    assert list(config.connections) == names
    assert all(one == config.connections[names[0]] for one in config.connections.values())
    assert config.connections_dir == (home / "connections" if text.startswith(DIRECTORY) else None)


def test_a_directory_elsewhere_and_one_that_is_linked_to(home: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts them: each file a link into a hidden directory."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "..data").mkdir(parents=True)
    (elsewhere / "..data" / "acme.yaml").write_text(SECTION, "utf-8")
    (elsewhere / "acme.yaml").symlink_to(elsewhere / "..data" / "acme.yaml")
    assert list(loaded(home, f"connections_dir: {elsewhere}\n", {}).connections) == ["acme"]


def test_what_was_never_meant_to_be_one_is_no_mistake(home: Path) -> None:
    others = {"README.md": "x", ".gitkeep": "", "acme.yaml~": "x", ".acme.yaml.swp": "x"}
    assert list(loaded(home, DIRECTORY, {"acme.yaml": SECTION, **others}).connections) == ["acme"]


def test_paths_and_references_are_those_of_config_yaml(home: Path) -> None:
    (home / "secret").write_text("from-a-file\n")
    (home / "connections" / "secret").write_text("another\n")
    (home / "mine.yaml").touch()
    section = SECTION.replace("${SF_CLIENT_SECRET}", "${file:secret}") + "mapping: mine.yaml\n"
    config = loaded(home, DIRECTORY, {"acme.yaml": section})
    assert config.connections["acme"].mapping == (home / "mine.yaml",)
    assert "from-a-file" in list(config.secrets())


def test_every_mistake_of_every_file_is_told_at_once(home: Path) -> None:
    files = {
        "acme.yaml": SECTION.replace("login_url", "logn_url"),
        "globex.yaml": SECTION.replace("Sandbox", "sandbox").replace("${SF_CLIENT_ID}", "${NOBODY}"),
        "initech.yaml": "",
        "umbrella.yaml": "- a list\n",
        "hooli.yaml": "salesforce:\n  auth: {method: client_credentials\n",
    }
    assert problems_of(home, "schedule: {pull: 60}\n" + DIRECTORY, files) == [
        "config.yaml:1:12: schedule.pull has no unit. Write ms, s, m, h or d after the number, as in 30s.",
        "connections/acme.yaml:1:1: salesforce.login_url is missing. Add login_url.",
        "connections/acme.yaml:2:3: salesforce.logn_url is not a key of config.yaml. Did you mean login_url?",
        (
            "connections/globex.yaml:5:5: salesforce.auth.client_id reads the environment variable NOBODY, which is "
            "not set. Set NOBODY before you start."
        ),
        "connections/globex.yaml:8:3: partner_central.catalog must be AWS or Sandbox. Did you mean Sandbox?",
        *[line for line in problems_of(home, "schedule: {pull: 60}\n" + DIRECTORY, files) if "hooli" in line],
        "connections/initech.yaml:1:1: The file is empty. Write its content, or remove it.",
        "connections/umbrella.yaml:1:1: The file must have keys below it. Write `key: value` lines, indented.",
    ]
    assert any("hooli.yaml:2" in line for line in problems_of(home, DIRECTORY, files))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "acme.yml",
            "acme.yml:1:1: Only files that end in .yaml are read. Rename it to acme.yaml, or move it elsewhere.",
        ),
        ("Acme.YAML", "Acme.YAML:1:1: Only files that end in .yaml are read. Rename it to Acme.yaml, or move it"),
        (".acme.yaml", ".acme.yaml:1:1: A hidden file is not read. Rename it, or move it elsewhere."),
        (
            "Acme Inc.yaml",
            "Acme Inc.yaml:1:1: 'Acme Inc' cannot be the name of a connection. Name it by the connection",
        ),
        ("-acme.yaml", "-acme.yaml:1:1: '-acme' cannot be the name of a connection."),
        ("a" * 64 + ".yaml", f"{'a' * 64}.yaml:1:1: '{'a' * 64}' cannot be the name of a connection."),
    ],
)
def test_a_file_that_is_not_read_is_told(home: Path, name: str, expected: str) -> None:
    (problem,) = problems_of(home, DIRECTORY, {name: SECTION, "globex.yaml": SECTION})
    assert problem.startswith(f"connections/{expected}")


def test_what_is_wrong_in_a_file_with_a_wrong_name_is_told_as_well(home: Path) -> None:
    found = problems_of(home, DIRECTORY, {"A.yaml": SECTION.replace("catalog: Sandbox", "catalog: Prod")})
    assert [line.partition(": ")[0] for line in found] == ["connections/A.yaml:1:1", "connections/A.yaml:8:3"]


def test_a_directory_that_is_named_like_a_connection_is_told(home: Path) -> None:
    (home / "connections" / "acme.yaml").mkdir()
    (problem,) = problems_of(home, DIRECTORY, {"globex.yaml": SECTION})
    assert problem == "connections/acme.yaml:1:1: This is a directory. Each connection is one file."


def test_a_name_that_stands_in_both_is_told_with_both_places(home: Path) -> None:
    broken = SECTION.replace("Sandbox", "Sandbx")
    found = problems_of(home, DIRECTORY + inline("globex", "acme"), {"acme.yaml": broken})
    assert found == [
        f"connections/acme.yaml:1:1: The connection acme stands in {home}/config.yaml, line 12, as well. "
        "Keep one of the two.".replace(f"{home}/", ""),
        "connections/acme.yaml:8:3: partner_central.catalog must be AWS or Sandbox. Did you mean Sandbox?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DIRECTORY,
            (
                "1:1: connections_dir names connections, and no .yaml file is in it. "
                "Put a file NAME.yaml into it for each connection, or remove connections_dir."
            ),
        ),
        (DIRECTORY + inline("acme"), "1:1: connections_dir names connections, and no .yaml file is in it."),
        ("connections_dir: conections\n", "1:1: connections_dir names conections, and there is no such directory."),
        ("connections_dir: config.yaml\n", "1:1: connections_dir names config.yaml, and there is no such directory."),
        ("connections_dir: [connections]\n", "1:1: connections_dir must be the path of a directory. Put it in quotes."),
        (
            "connection_dir: connections\n" + inline("acme"),
            "1:1: connection_dir is not a key of config.yaml. Did you mean",
        ),
    ],
    ids=["empty", "empty beside others", "missing", "a file", "a list", "mistyped"],
)
def test_a_directory_that_cannot_be_used_is_told_once(home: Path, text: str, expected: str) -> None:
    (problem,) = problems_of(home, text, {})
    assert problem.startswith(f"config.yaml:{expected}")


def test_a_directory_beside_something_else_than_sections(home: Path) -> None:
    found = problems_of(home, DIRECTORY + "connections: [acme]\n", {"acme.yaml": SECTION.replace("Sandbox", "Prod")})
    assert [line.partition(": ")[2].partition(". ")[0] for line in found] == [
        "connections must have keys below it",
        "partner_central.catalog must be AWS or Sandbox",
    ]


# the commands


def run(home: Path, monkeypatch: pytest.MonkeyPatch, *command: str) -> tuple[int, str]:
    monkeypatch.chdir(home)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, list(command))
    return result.exit_code, result.stdout


def test_check_tells_a_mistake_by_the_file_it_stands_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, DIRECTORY, {"acme.yaml": SECTION, "globex.yaml": SECTION.replace("catalog", "catalogue")})
    code, output = run(home, monkeypatch, "check", "--offline", "--json")
    places = [(one["file"], one["line"]) for one in json.loads(output)["problems"] if one["severity"] == "error"]
    assert (code, places) == (2, [("connections/globex.yaml", 7), ("connections/globex.yaml", 8)])


def test_check_tells_a_secret_that_stands_in_a_connection_s_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, DIRECTORY, {"acme.yaml": SECTION.replace("${SF_CLIENT_SECRET}", "written-out")})
    _, output = run(home, monkeypatch, "check", "--offline", "--json")
    told = [one for one in json.loads(output)["problems"] if one["file"] == "connections/acme.yaml"]
    assert [(one["severity"], one["line"]) for one in told] == [("warning", 6)]
    assert "written-out" not in output


def test_the_other_commands_read_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, DIRECTORY, {"acme.yaml": SECTION, "globex.yaml": SECTION.replace("Sandbox", "AWS")})
    code, output = run(home, monkeypatch, "iam-policy")
    assert code == 0
    assert {"AWS", "Sandbox"} <= {word for word in ("AWS", "Sandbox") if f'"{word}"' in output}
    assert run(home, monkeypatch, "salesforce-package", "sfdx")[0] == 0
    assert (home / "sfdx" / "README.md").is_file()
    code, output = run(home, monkeypatch, "check", "--offline", "--connection", "umbrella")
    assert (code, "umbrella" in output) == (2, False)
    assert run(home, monkeypatch, "check", "--offline", "--connection", "globex")[0] == 0
