"""Mapping files as a configuration names them: one or several, each told by its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.core.model import fingerprint
from connector.errors import MappingError, UserError
from connector.mapping_files import digest_of, load_mapping, read_mapping, shown_path

ROOT = Path(__file__).parents[1]
SHIPPED = (ROOT / "mappings" / "opportunity.yaml", ROOT / "mappings" / "invitations.yaml")
FIRST = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity: {PartnerOpportunityIdentifier: Id, Project: {Title: Name}}
"""
SECOND = """version: 1
write_back: {A__c: opportunity.Id}
cases:
  - name: one
    given: {Name: Deal}
    expect: {opportunity: {Project: {Title: Another}}}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text(FIRST, encoding="utf-8")
    (tmp_path / "second.yaml").write_text(SECOND, encoding="utf-8")
    return tmp_path / "first.yaml", tmp_path / "second.yaml"


def test_what_is_shipped_is_right_alone_and_together() -> None:
    for mapping, problems in (read_mapping(SHIPPED[0]), read_mapping(SHIPPED[:1]), read_mapping(SHIPPED)):
        assert problems == ()
        assert mapping is not None
        assert Path(mapping.file).name == "opportunity.yaml"


def test_problems_of_several_files_name_the_right_one(files: tuple[Path, Path]) -> None:
    mapping, problems = read_mapping(files)
    assert mapping is not None
    assert [(problem.file, problem.line) for problem in problems] == [("second.yaml", 4)]
    assert load_mapping(files).write_back[0].file == "second.yaml"
    files[1].write_text(SECOND.replace("opportunity.Id", "opportunity.Idd"), encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(files)
    assert [str(problem) for problem in caught.value.problems] == [
        "second.yaml:2:14: There is no fact 'opportunity.Idd'. Did you mean 'opportunity.Id'?"
    ]


def test_a_file_that_is_gone_is_told(files: tuple[Path, Path]) -> None:
    files[1].unlink()
    with pytest.raises(UserError, match=r"There is no file second\.yaml"):
        read_mapping(files)


def test_files_are_called_as_people_call_them(files: tuple[Path, Path]) -> None:
    assert shown_path(files) == "first.yaml, second.yaml"
    assert shown_path(files[0]) == "first.yaml"


def test_a_change_of_any_file_is_another_version(files: tuple[Path, Path]) -> None:
    first, second = files
    alone, both = digest_of((first,)), digest_of(files)
    assert alone == fingerprint(FIRST), "a single file counts as it always did"
    assert both != alone
    assert digest_of((second, first)) != both
    second.write_text(SECOND + "\n", encoding="utf-8")
    assert digest_of(files) != both
    assert digest_of((first,)) == alone
