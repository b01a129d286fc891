"""The ledger's tables. Rows never leave this package; nouns of ``core.model`` come out instead.

A ``table=True`` model does not validate what it is made from, so only ``store`` makes them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Optional

from sqlalchemy import JSON, Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant; a naive one is refused. SQLite keeps no zone: what comes back without one is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Title(TypeDecorator[str]):
    """A record's name, as long as Salesforce's own can be at most: it is a key, and PostgreSQL's have an end."""

    impl = Text
    cache_ok = True
    LONGEST = 255

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value[: self.LONGEST]


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


def _instant() -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime(), nullable=True))


def _text() -> Any:
    return Field(default="", sa_column=Column(Text(), nullable=False, server_default=""))


def _short(length: int) -> Any:
    return Field(default="", sa_column=Column(String(length), nullable=False, server_default=""))


class LinkRow(SQLModel, table=True):
    """One Salesforce record and its AWS opportunity.

    ``revision`` grows with every change of a fact, so that whoever planned with an older one is told.
    ``due_at``, ``poll_at`` (its task), ``refresh_at`` (AWS's own word), ``answer_at`` (its invitations) and
    ``write_back_at`` say when somebody has to look (null: not at all), so that the cost grows with what is open.
    ``flagged_at`` is since when the record is shared, ``asked`` which person asked for it since it last rested, and
    how, ``cause`` what brought its last news.
    ``rest_*`` is what the last plan came to; it is written in the transaction that clears ``due_at`` and cleared by
    every change of the facts it was computed from.
    """

    __tablename__: ClassVar[str] = "link"
    # Every query names connection and catalog. An index on another column alone would never be chosen: to SQLite the
    # unique constraint's two equalities promise more, and it would read every link of the connection each time.
    __table_args__ = (
        UniqueConstraint("connection", "catalog", "salesforce_id"),
        Index("ix_link_due_at", "connection", "catalog", "due_at"),
        Index("ix_link_poll_at", "connection", "catalog", "poll_at"),
        Index("ix_link_refresh_at", "connection", "catalog", "refresh_at"),
        Index("ix_link_answer_at", "connection", "catalog", "answer_at"),
        Index("ix_link_write_back_at", "connection", "catalog", "write_back_at"),
        Index("ix_link_opportunity_id", "connection", "catalog", "opportunity_id"),
        # Holds all that a search by part of a name looks at, or it would read every link.
        Index("ix_link_name", "connection", "catalog", "name", "id"),
        # Counts by status and code are read from it alone.
        Index("ix_link_rest_status", "connection", "catalog", "rest_status", "rest_code"),
        # Few have one, so that `connector status` need not read all; its text is too long to be a key.
        Index(
            "ix_link_write_back_error",
            "connection",
            "catalog",
            sqlite_where=Column("write_back_error") != "",
            postgresql_where=Column("write_back_error") != "",
        ),
    )

    id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
    revision: int = Field(default=0, sa_column=Column(Integer(), nullable=False, server_default="0"))
    connection: str = Field(max_length=63)
    catalog: str = Field(max_length=16)
    salesforce_id: str = Field(max_length=18)
    name: str = Field(default="", sa_column=Column(Title(), nullable=False, server_default=""))
    presence: str = Field(default="flagged", max_length=16)
    mapped: Any = _json()
    content: str = Field(default="", max_length=32)
    opportunity_id: str = Field(default="", max_length=32)
    candidate_id: str = Field(default="", max_length=32)
    existing: Any = _json()
    base: Any = _json()
    attached: Any = _json()
    task: Any = _json()
    submitted: str = Field(default="", max_length=32)
    refusal: Any = _json()
    refusals: Any = _json()
    aws: Any = _json()
    assigned: Any = _json()
    invitations: Any = _json()
    taken: Any = _json()
    flagged_at: Optional[datetime] = _instant()  # noqa: UP045
    asked: Any = _json()
    cause: str = _text()
    attempts: int = 0
    next_try_at: Optional[datetime] = _instant()  # noqa: UP045
    changed_at: Optional[datetime] = _instant()  # noqa: UP045
    shown: Any = _json()
    write_back_error: str = _text()
    rest_status: str = Field(default="", max_length=16)
    rest_code: str = _short(64)
    rest_message: str = _text()
    due_at: Optional[datetime] = _instant()  # noqa: UP045
    poll_at: Optional[datetime] = _instant()  # noqa: UP045
    refresh_at: Optional[datetime] = _instant()  # noqa: UP045
    answer_at: Optional[datetime] = _instant()  # noqa: UP045
    write_back_at: Optional[datetime] = _instant()  # noqa: UP045


class OperationRow(SQLModel, table=True):
    """One write to AWS: committed with its exact body and token before the call, closed with its outcome after."""

    __tablename__: ClassVar[str] = "operation"
    __table_args__ = (
        Index(
            "uq_operation_open_link",
            "link_id",
            unique=True,
            sqlite_where=Column("state") == "open",
            postgresql_where=Column("state") == "open",
        ),
        # Holds all that the day's allowance needs: it is added up before every write.
        Index("ix_operation_sent_at", "connection", "sent_at", "attempts"),
        Index("ix_operation_created_at", "connection", "action", "created_at"),
    )

    id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
    link_id: int = Field(foreign_key="link.id", index=True)
    connection: str = Field(max_length=63)
    action: str = Field(max_length=64)
    body: str = _text()
    body_sha256: str = _short(64)
    intent: Any = _json()
    client_token: str = Field(default="", max_length=64)
    state: str = Field(default="open", max_length=8, index=True)
    attempts: int = 0
    ambiguous: bool = False
    created_at: Optional[datetime] = _instant()  # noqa: UP045
    sent_at: Optional[datetime] = _instant()  # noqa: UP045
    finished_at: Optional[datetime] = _instant()  # noqa: UP045
    next_attempt_at: Optional[datetime] = _instant()  # noqa: UP045
    error: str = _text()
    response: Any = _json()


class SightingRow(SQLModel, table=True):
    """An opportunity seen at AWS that carries a partner's own id: what keeps us from making it twice."""

    __tablename__: ClassVar[str] = "sighting"
    __table_args__ = (Index("ix_sighting_partner_identifier", "connection", "catalog", "partner_identifier"),)

    connection: str = Field(max_length=63, primary_key=True)
    catalog: str = Field(max_length=16, primary_key=True)
    opportunity_id: str = Field(max_length=32, primary_key=True)
    partner_identifier: str = Field(max_length=64)


class MentionRow(SQLModel, table=True):
    """An id of AWS that a link's task or invitations name, or once named, so that it is found by any of them."""

    __tablename__: ClassVar[str] = "mention"

    connection: str = Field(max_length=63, primary_key=True)
    catalog: str = Field(max_length=16, primary_key=True)
    identifier: str = Field(max_length=80, primary_key=True)
    link_id: int = Field(foreign_key="link.id", primary_key=True, index=True)


class WatermarkRow(SQLModel, table=True):
    """How far a loop has come, or when it last succeeded, as text."""

    __tablename__: ClassVar[str] = "watermark"

    connection: str = Field(max_length=63, primary_key=True)
    name: str = Field(max_length=32, primary_key=True)
    value: str = _text()


class UsageRow(SQLModel, table=True):
    """Calls made in one hour, for allowances that span 24 hours and restarts."""

    __tablename__: ClassVar[str] = "usage"

    connection: str = Field(max_length=63, primary_key=True)
    kind: str = Field(max_length=32, primary_key=True)
    hour: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    calls: int = 0


class RequestRow(SQLModel, table=True):
    """A person asked for a record to be read again now; the process that owns the ledger does it."""

    __tablename__: ClassVar[str] = "request"

    id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
    connection: str = Field(max_length=63, index=True)
    salesforce_id: str = Field(max_length=18)
    requested_at: Optional[datetime] = _instant()  # noqa: UP045
    asked_by: str = _text()


class AuditRow(SQLModel, table=True):
    """Who or what caused something, and what became of it. Rows are added; the database refuses to change one.

    No personal data: of what was sent there is a digest only.
    """

    __tablename__: ClassVar[str] = "audit"
    __table_args__ = (
        Index("ix_audit_at", "connection", "at"),
        Index("ix_audit_salesforce_id", "connection", "salesforce_id", "at"),
    )

    id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
    at: datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))
    connection: str = Field(max_length=63)
    salesforce_id: str = _short(18)
    opportunity_id: str = _short(32)
    operation_id: Optional[int] = None  # noqa: UP045
    event: str = Field(max_length=32)
    action: str = _short(64)
    actor: str = _text()
    cause: str = _text()
    body_sha256: str = _short(64)
    client_token: str = _short(64)
    detail: str = _text()


class FenceRow(SQLModel, table=True):
    """Who may write for an AWS account, where several processes could: whoever raised ``epoch`` last.

    ``free_at`` is when the next write may leave, as the last holder's pace had it.
    """

    __tablename__: ClassVar[str] = "fence"

    account: str = Field(max_length=64, primary_key=True)
    epoch: int = 0
    holder: str = _text()
    taken_at: Optional[datetime] = _instant()  # noqa: UP045
    released_at: Optional[datetime] = _instant()  # noqa: UP045
    free_at: Optional[datetime] = _instant()  # noqa: UP045


class AlertRow(SQLModel, table=True):
    """What people were last told of a connection, so that each change of state is told once, whoever notices it.

    ``tell_by`` is set while ``message`` has not been told: until then somebody is about to, after it anybody may.
    """

    __tablename__: ClassVar[str] = "alert"

    connection: str = Field(max_length=63, primary_key=True)
    kind: str = Field(max_length=16, primary_key=True)
    state: str = Field(max_length=32)
    message: str = _text()
    since: Optional[datetime] = _instant()  # noqa: UP045
    tell_by: Optional[datetime] = _instant()  # noqa: UP045
    told_at: Optional[datetime] = _instant()  # noqa: UP045


LINK: Table = LinkRow.__table__  # type: ignore[attr-defined]
OPERATION: Table = OperationRow.__table__  # type: ignore[attr-defined]
SIGHTING: Table = SightingRow.__table__  # type: ignore[attr-defined]
MENTION: Table = MentionRow.__table__  # type: ignore[attr-defined]
WATERMARK: Table = WatermarkRow.__table__  # type: ignore[attr-defined]
USAGE: Table = UsageRow.__table__  # type: ignore[attr-defined]
REQUEST: Table = RequestRow.__table__  # type: ignore[attr-defined]
AUDIT: Table = AuditRow.__table__  # type: ignore[attr-defined]
FENCE: Table = FenceRow.__table__  # type: ignore[attr-defined]
ALERT: Table = AlertRow.__table__  # type: ignore[attr-defined]
