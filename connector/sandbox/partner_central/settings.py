"""The switches of the emulator: which of AWS's documented or observed behaviours it shows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Settings:
    """All durations are seconds. The defaults are the strictest behaviour that AWS is known to show."""

    # Quotas are per account. `quota_scale` multiplies the rates and the 24 h windows alike.
    quotas: bool = True
    quota_scale: float = 1.0
    writes_per_second: float = 1.0
    reads_per_second: float = 10.0
    writes_per_day: int = 10_000
    reads_per_day: int = 100_000

    # How long a client token is remembered; None: for ever.
    token_lifetime: float | None = None
    # What a known token with the same body gets: the first answer again, or an error, as the API reference can be read.
    replay: Literal["answer", "conflict"] = "answer"

    # How long an answer is held: of every operation, and (least, most) of StartEngagementFromOpportunityTask.
    latency: float = 0.0
    start_latency: tuple[float, float] = (0.0, 0.0)

    # Tasks: seconds IN_PROGRESS, null ids as in old recordings, ReasonCode "null" on success, UPPER_SNAKE.
    task_seconds: float = 0.0
    task_ids_null: bool = False
    success_reason_null: bool = True
    reason_code_upper: bool = False

    # Reading back: which strings come HTML-escaped, how late a created record shows, empty spend entries.
    escape: Literal["none", "use_case", "all"] = "use_case"
    visible_after: float = 0.0
    token_on_last_page: bool = False
    stub_spend: bool = False

    # Sandbox nulls a ReviewStatus that an update of a pending opportunity leaves out.
    null_review_status: bool = True
    # What follows a fix of Action Required; not documented.
    after_action_required: Literal["Submitted", "In review"] = "Submitted"
    # AWS's decision, by itself, this long after submission; None: only by `review`.
    review_after: float | None = None
    review_as: Literal["In review", "Approved", "Rejected", "Action Required"] = "Approved"

    # Seconds from the approval until AWS names its team; None: only by `summarise`.
    team_after: float | None = None
    # Whether a change of AWS's side only moves the partner record's LastModifiedDate; not documented.
    summary_bumps: bool = False

    # The other partner's answer to an invitation, by itself, this long after it was sent; None: only by
    # `answer_invitation`.
    invitations_after: float | None = None
    invitations_as: Literal["ACCEPTED", "REJECTED", "EXPIRED"] = "ACCEPTED"

    # Whether associations may change while AWS reviews; not documented.
    associate_in_review: bool = True
    associate_twice: Literal["conflict", "accept"] = "conflict"
    # A second submission for the same company name fails as "Duplicate Record".
    duplicate_check: bool = False
    # Accounts that may be invited; None: every account.
    connected_accounts: frozenset[str] | None = None
    # The e-mail addresses of the partner's users, who alone may be assigned; None: everybody is one.
    users: frozenset[str] | None = None
    # Services partners have to name the customer's AWS account at Launched.
    launched_needs_account: bool = True
    # Partners in special programs have to tell the whole contract (SoftwareRevenue) at Launched.
    launched_needs_revenue: bool = False
    # Whether moving to Launched waives the rule of a future close date; not documented.
    launched_may_be_past: bool = False
    # False: the account is not registered with Partner Central, every call is denied.
    registered: bool = True
    # Who calls, as the end of an ARN: `user/…`, `assumed-role/role/session`, `federated-user/…` or `root`.
    caller: str = "user/sandbox"
    # Operations that no policy grants the caller: of Partner Central, and what IAM itself is asked.
    denied_operations: frozenset[str] = frozenset()
    # Solutions that the partner has taken back.
    inactive_solutions: frozenset[str] = frozenset()
    # By how many seconds the clock that the answers' Date tells is ahead.
    clock_ahead: float = 0.0

    def changed(self, changes: dict[str, Any]) -> Settings:
        """These settings with some replaced, as JSON gives them. Raises ValueError for an unknown name or choice."""
        known = {field.name for field in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}")
        for name, value in changes.items():
            _check_choice(name, value)
        return replace(self, **{name: _from_json(name, value) for name, value in changes.items()})


_SETS = ("connected_accounts", "users", "denied_operations", "inactive_solutions")


def _check_choice(name: str, value: Any) -> None:
    hint = get_type_hints(Settings)[name]
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"{name} is one of {', '.join(get_args(hint))}, not {value}")


def _from_json(name: str, value: Any) -> Any:
    if name == "start_latency":
        least, most = value
        return (float(least), float(most))
    if name in _SETS and value is not None:
        return frozenset(value)
    return value
