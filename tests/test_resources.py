from __future__ import annotations

from pathlib import Path

import pytest

from connector import resources
from connector.errors import UserError


def test_a_checkout_has_its_data_beside_the_package() -> None:
    root = Path(__file__).resolve().parent.parent
    assert resources.packaged("config.example.yaml") == root / "config.example.yaml"


def test_a_wheel_has_its_data_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "connector"
    for directory in (package / "_data" / "mappings", tmp_path / "mappings"):
        directory.mkdir(parents=True)
        (directory / "opportunity.yaml").touch()
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert resources.packaged("mappings", "opportunity.yaml") == package / "_data/mappings/opportunity.yaml"
    assert resources.packaged("mappings") == package / "_data" / "mappings"


def test_missing_data_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "connector")
    with pytest.raises(UserError, match=r"mappings/opportunity\.yaml is missing\. Install"):
        resources.packaged("mappings", "opportunity.yaml")
