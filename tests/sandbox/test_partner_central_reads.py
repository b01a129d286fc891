"""Reading: lists with their filters and pages, associations, solutions, and the quirks of what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from partner_central_bench import START, Bench, problems_of

from connector.sandbox.partner_central import postal


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def listed(bench: Bench, **request: Any) -> list[str]:
    rows = bench.client.list_opportunities(Catalog="Sandbox", **request)["OpportunitySummaries"]
    return [row["Id"] for row in rows]


def relate(bench: Bench, identifier: str, kind: str, entity: str, verb: str = "associate") -> None:
    getattr(bench.client, f"{verb}_opportunity")(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType=kind,
        RelatedEntityIdentifier=entity,
    )


def populate(bench: Bench) -> list[str]:
    """Three records, a minute apart, with different names and dates."""
    ids = []
    for name, day in (("Beta", "2027-05-01"), ("Alpha", "2027-04-01"), ("Gamma", "2027-06-01")):
        ids.append(bench.create(("Customer.Account.CompanyName", name), ("LifeCycle.TargetCloseDate", day)))
        bench.wait(60)
    return ids


def test_a_summary_has_what_the_list_shows_and_no_more(bench: Bench) -> None:
    bench.create(("Project.AdditionalComments", "Quiet"))
    (summary,) = bench.client.list_opportunities(Catalog="Sandbox")["OpportunitySummaries"]
    assert summary["PartnerOpportunityIdentifier"] == "006000000000001AAA"
    assert set(summary["Project"]) == {"DeliveryModels", "ExpectedCustomerSpend"}
    assert summary["LifeCycle"]["ReviewStatus"] == "Pending Submission"
    assert "RelatedEntityIdentifiers" not in summary


def test_amounts_read_back_differently_here_and_there(bench: Bench) -> None:
    identifier = bench.create()
    (summary,) = bench.client.list_opportunities(Catalog="Sandbox")["OpportunitySummaries"]
    amounts = [record["Project"]["ExpectedCustomerSpend"][0]["Amount"] for record in (bench.read(identifier), summary)]
    assert amounts == ["1000", "1000.0"]


def test_every_order(bench: Bench) -> None:
    beta, alpha, gamma = populate(bench)
    orders = {
        "LastModifiedDate": [beta, alpha, gamma],
        "CreatedDate": [beta, alpha, gamma],
        "Identifier": [beta, alpha, gamma],
        "CustomerCompanyName": [alpha, beta, gamma],
        "TargetCloseDate": [alpha, beta, gamma],
    }
    for name, expected in orders.items():
        assert listed(bench, Sort={"SortBy": name, "SortOrder": "ASCENDING"}) == expected
        assert listed(bench, Sort={"SortBy": name, "SortOrder": "DESCENDING"}) == expected[::-1]
    assert listed(bench) == [gamma, alpha, beta]


def test_every_filter(bench: Bench) -> None:
    beta, alpha, gamma = populate(bench)
    bench.start(alpha)
    minute = timedelta(minutes=1)
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"Identifier": [beta, gamma]}, {beta, gamma}),
        ({"CustomerCompanyName": ["Alpha"]}, {alpha}),
        ({"LifeCycleReviewStatus": ["Submitted"]}, {alpha}),
        ({"LifeCycleStage": ["Prospect"]}, set()),
        ({"LifeCycleStage": ["Qualified"], "CustomerCompanyName": ["Beta"]}, {beta}),
        ({"CreatedDate": {"AfterCreatedDate": START + minute}}, {alpha, gamma}),
        ({"CreatedDate": {"BeforeCreatedDate": START + minute}}, {alpha, beta}),
        ({"LastModifiedDate": {"AfterLastModifiedDate": START + 2 * minute}}, {alpha, gamma}),
        ({"LastModifiedDate": {"BeforeLastModifiedDate": START}}, {beta}),
        ({"TargetCloseDate": {"AfterTargetCloseDate": "2027-05-01"}}, {beta, gamma}),
        ({"TargetCloseDate": {"BeforeTargetCloseDate": "2027-04-30"}}, {alpha}),
    ]
    for request, expected in cases:
        assert set(listed(bench, **request)) == expected, request


def test_pages_join_up(bench: Bench) -> None:
    ids = [bench.create() for _ in range(25)]
    first = bench.client.list_opportunities(Catalog="Sandbox")
    assert (len(first["OpportunitySummaries"]), "NextToken" in first) == (20, True)
    pages = bench.client.get_paginator("list_opportunities").paginate(
        Catalog="Sandbox", PaginationConfig={"PageSize": 10}
    )
    seen = [[row["Id"] for row in page["OpportunitySummaries"]] for page in pages]
    assert [len(page) for page in seen] == [10, 10, 5]
    assert sorted(identifier for page in seen for identifier in page) == ids


def test_the_last_page_may_have_a_token_to_an_empty_one(bench: Bench) -> None:
    bench.service.configure(token_on_last_page=True)
    bench.create()
    last = bench.client.list_opportunities(Catalog="Sandbox")
    end = bench.client.list_opportunities(Catalog="Sandbox", NextToken=last["NextToken"])
    assert (end["OpportunitySummaries"], "NextToken" in end) == ([], False)


@pytest.mark.parametrize("token", ["nonsense", "WzEsMl0="])
def test_a_token_is_of_its_own_request(bench: Bench, token: str) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.client.list_opportunities(Catalog="Sandbox", NextToken=token)
    assert problems_of(caught.value) == {("nextToken", "INVALID_VALUE")}


def test_a_new_record_shows_late_where_told_to(bench: Bench) -> None:
    bench.service.configure(visible_after=30)
    identifier = bench.create()
    with pytest.raises(bench.client.exceptions.ResourceNotFoundException):
        bench.read(identifier)
    assert listed(bench) == []
    bench.wait(31)
    assert listed(bench) == [identifier] == [bench.read(identifier)["Id"]]


@pytest.mark.parametrize(
    ("mode", "use_case", "name"),
    [
        ("none", "Business Applications: Mainframe Modernization", "Smith & Sons"),
        ("use_case", "Business Applications: Mainframe Modernization", "Smith & Sons"),
        ("all", "Business Applications&amp;colon; Mainframe Modernization", "Smith &amp; Sons"),
    ],
)
def test_strings_come_back_escaped(bench: Bench, mode: str, use_case: str, name: str) -> None:
    bench.service.configure(escape=mode)
    sent = ("Project.CustomerUseCase", "Business Applications: Mainframe Modernization")
    record = bench.read(bench.create(sent, ("Customer.Account.CompanyName", "Smith & Sons")))
    assert record["Project"]["CustomerUseCase"] == use_case
    assert record["Customer"]["Account"]["CompanyName"] == name


def test_the_use_case_is_escaped_unless_told_otherwise(bench: Bench) -> None:
    assert bench.read(bench.create())["Project"]["CustomerUseCase"] == "Security &amp; Compliance"


def test_a_stub_of_spend_may_come_along(bench: Bench) -> None:
    bench.service.configure(stub_spend=True)
    spends = bench.read(bench.create())["Project"]["ExpectedCustomerSpend"]
    assert [sorted(spend) for spend in spends][1] == ["CurrencyCode"]


def test_the_owner_is_added_to_the_team(bench: Bench) -> None:
    member = {
        "Email": "a@b.example",
        "FirstName": "A",
        "LastName": "B",
        "BusinessTitle": "PartnerAccountManager",
    }
    team = bench.read(bench.create(("OpportunityTeam", [member])))["OpportunityTeam"]
    assert [one["BusinessTitle"] for one in team] == ["PartnerAccountManager", "OpportunityOwner"]


LISTING = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace"


@pytest.mark.parametrize(
    ("kind", "entity"),
    [
        ("Solutions", "S-0001111"),
        ("Solutions", "S-1234567"),
        ("AwsProducts", "AmazonEC2Linux"),
        ("AwsMarketplaceOffers", f"{LISTING}/Offer/offer-abc"),
        ("AwsMarketplaceOfferSets", f"{LISTING}/OfferSet/offerset-abc"),
        ("AwsMarketplaceSolutions", f"{LISTING}/Solution/soln-abc"),
        ("AwsMarketplaceProducts", f"{LISTING}/SaaSProduct/prod-abc"),
    ],
)
def test_entities_come_and_go_and_bump_the_stamp(bench: Bench, kind: str, entity: str) -> None:
    identifier = bench.create()
    before = bench.read(identifier)["LastModifiedDate"]
    relate(bench, identifier, kind, entity)
    record = bench.read(identifier)
    assert record["RelatedEntityIdentifiers"][kind] == [entity]
    assert record["LastModifiedDate"] > before
    relate(bench, identifier, kind, entity, "disassociate")
    assert bench.read(identifier)["RelatedEntityIdentifiers"][kind] == []


@pytest.mark.parametrize(
    ("kind", "entity"),
    [
        ("Solutions", "Other"),
        ("Solutions", "S-9999999"),
        ("AwsProducts", "AmazonLoom"),
        ("AwsMarketplaceOffers", "offer-abc"),
    ],
)
def test_unknown_entities_are_refused(bench: Bench, kind: str, entity: str) -> None:
    identifier = bench.create()
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        relate(bench, identifier, kind, entity)
    assert problems_of(caught.value) == {("relatedEntityIdentifier", "INVALID_VALUE")}
    with pytest.raises(bench.client.exceptions.ValidationException):
        relate(bench, identifier, kind, entity, "disassociate")


def test_a_second_association_is_a_conflict_or_nothing(bench: Bench) -> None:
    identifier = bench.create()
    relate(bench, identifier, "Solutions", "S-0001111")
    with pytest.raises(bench.client.exceptions.ConflictException):
        relate(bench, identifier, "Solutions", "S-0001111")
    bench.service.configure(associate_twice="accept")
    relate(bench, identifier, "Solutions", "S-0001111")
    assert bench.read(identifier)["RelatedEntityIdentifiers"]["Solutions"] == ["S-0001111"]


def test_associations_have_limits(bench: Bench) -> None:
    identifier = bench.create()
    relate(bench, identifier, "AwsMarketplaceOffers", f"{LISTING}/Offer/offer-abc")
    for kind, entity, code in (
        ("AwsMarketplaceOffers", f"{LISTING}/Offer/offer-def", "TOO_MANY_VALUES"),
        ("AwsMarketplaceOfferSets", f"{LISTING}/OfferSet/offerset-abc", "ACTION_NOT_PERMITTED"),
    ):
        with pytest.raises(bench.client.exceptions.ValidationException) as caught:
            relate(bench, identifier, kind, entity)
        assert problems_of(caught.value) == {("relatedEntityIdentifier", code)}


def test_the_last_solution_of_a_submitted_record_stays(bench: Bench) -> None:
    identifier = bench.create(("Project.OtherSolutionDescription", None))
    relate(bench, identifier, "Solutions", "S-0001111")
    bench.start(identifier)
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        relate(bench, identifier, "Solutions", "S-0001111", "disassociate")
    assert problems_of(caught.value) == {("relatedEntityIdentifier", "ACTION_NOT_PERMITTED")}
    relate(bench, identifier, "Solutions", "S-0001112")
    relate(bench, identifier, "Solutions", "S-0001111", "disassociate")
    assert bench.read(identifier)["RelatedEntityIdentifiers"]["Solutions"] == ["S-0001112"]


def test_solutions_are_filtered_sorted_and_paged(bench: Bench) -> None:
    def solutions(**request: Any) -> list[str]:
        rows = bench.client.list_solutions(Catalog="Sandbox", **request)["SolutionSummaries"]
        return [row["Id"] for row in rows]

    assert len(solutions(Status=["Active"])) == 9
    assert solutions(Status=["Draft"]) == []
    assert solutions(Identifier=["S-1234567", "S-0001111"]) == ["S-0001111", "S-1234567"]
    assert solutions(Category=["Professional Service"]) == ["S-0001118"]
    by_name = {"SortBy": "Name", "SortOrder": "ASCENDING"}
    assert solutions(Sort=by_name)[0] == "S-0001115"
    for name in ("Identifier", "Status", "Category", "CreatedDate"):
        assert len(solutions(Sort={"SortBy": name, "SortOrder": "DESCENDING"})) == 9
    pages = bench.client.get_paginator("list_solutions").paginate(Catalog="Sandbox", PaginationConfig={"PageSize": 4})
    assert [len(page["SolutionSummaries"]) for page in pages] == [4, 4, 1]


@pytest.mark.parametrize(
    ("country", "right", "wrong"),
    [
        ("US", ["10003", "10003-1234"], ["1000", "10003 1234", "100031234"]),
        ("CA", ["K1A 0B1", "K1A0B1"], ["K1A-0B1", "k1a 0b1"]),
        ("GB", ["M1 1AE", "B33 8TH", "CR2 6XH", "DN55 1PT", "W1A0AX", "EC1A 1BB"], ["M 1AE", "12345"]),
        ("NL", ["1234 AB", "1234AB"], ["1234"]),
        ("IE", ["D02 1X2B", "D021X2B"], ["D02-1X2B"]),
        ("SE", ["11455", "114 55", "S-11455", "SE-11455"], ["1145"]),
        ("JP", ["1000001", "100-0001"], ["100 0001"]),
        ("WF", ["98600"], ["97500"]),
        ("AR", ["C1425", "1425"], []),
    ],
)
def test_postal_codes_have_the_form_of_their_country(country: str, right: list[str], wrong: list[str]) -> None:
    assert [code for code in right if not postal.is_wellformed(country, code)] == []
    assert [code for code in wrong if postal.is_wellformed(country, code)] == []


def test_a_form_is_told_in_words() -> None:
    assert postal.describe("US") == "99999 OR 99999-9999"
    assert (postal.is_without("HK"), postal.is_without("US")) == (True, False)
