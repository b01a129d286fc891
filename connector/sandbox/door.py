"""The admin door under /_sandbox: look into a running sandbox, play AWS, another partner or a Salesforce user.

It is for tests, the demo and people at a shell. No connector ever uses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.faults import DOOR, Faults
from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.salesforce.faults import RowError
from connector.sandbox.salesforce.org import Org

Json = dict[str, Any]


class Door:
    """The door's actions on one sandbox; each takes the request's JSON and gives the answer's."""

    def __init__(self, service: PartnerCentral, org: Org, faults: Faults) -> None:
        self._service = service
        self._org = org
        self._faults = faults

    def state(self, _body: Json) -> Json:
        """Counts of both services and of the faults."""
        service = self._service
        return {
            "partner_central": {
                "opportunities": len(service.opportunities()),
                "writes": service.writes,
                "reads": service.reads,
                "throttled": service.throttled,
                "operations": dict(service.operations),
            },
            "salesforce": {"calls": len(self._org.calls)},
            "faults": {"fired": self._faults.fired},
        }

    def opportunities(self, _body: Json) -> list[Json]:
        """Every Partner Central record."""
        return self._service.opportunities()

    def add_fault(self, body: Json) -> Json:
        """Adds one rule, given by its fields."""
        self._faults.add(**body)
        return {}

    def clear_faults(self, _body: Json) -> Json:
        """Takes every rule away."""
        self._faults.clear()
        return {}

    def review(self, body: Json) -> Json:
        """`opportunity_id`, `status`, and `comments` and `reason` if you like: AWS's decision."""
        self._service.review(**body)
        return {}

    def edit_at_aws(self, body: Json) -> Json:
        """`opportunity_id` and `changes`, values by path: edits the partner's record as AWS does."""
        self._service.edit_at_aws(body["opportunity_id"], **body["changes"])
        return {}

    def summarise(self, body: Json) -> Json:
        """`opportunity_id` and `changes`, values by path: what AWS shows of its own side."""
        self._service.summarise(body["opportunity_id"], **body["changes"])
        return {}

    def invitations(self, _body: Json) -> list[Json]:
        """Every invitation."""
        return self._service.invitations()

    def answer_invitation(self, body: Json) -> Json:
        """`invitation_id`, `status`, and `reason` if you like: the invited partner's answer."""
        self._service.answer_invitation(**body)
        return {}

    def settings(self, body: Json) -> Json:
        """Settings of Partner Central by name."""
        self._service.configure(**body)
        return {}

    def script_tasks(self, body: Json) -> Json:
        """`times` and the fields of a TaskScript: how the next tasks end."""
        times = int(body.pop("times", 1))
        self._service.script_tasks(TaskScript(**body), times)
        return {}

    def edit(self, body: Json) -> Json:
        """`object`, `id`, `fields`: changes a Salesforce row as a person would."""
        self._org.update(body["object"], body["id"], body["fields"])
        return {}

    def insert(self, body: Json) -> Json:
        """`object`, `fields`: adds a Salesforce row as a person would; gives its `id`."""
        return {"id": self._org.insert(body["object"], body["fields"])}

    def delete(self, body: Json) -> Json:
        """`object`, `id`: moves a Salesforce row to the recycle bin."""
        self._org.delete(body["object"], body["id"])
        return {}


def create_door(door: Door) -> Starlette:
    """An ASGI app that serves a door."""
    return Starlette(
        routes=[
            Route(f"{DOOR}/state", _answer(door.state), methods=["GET"]),
            Route(f"{DOOR}/opportunities", _answer(door.opportunities), methods=["GET"]),
            Route(f"{DOOR}/faults", _answer(door.add_fault), methods=["POST"]),
            Route(f"{DOOR}/faults", _answer(door.clear_faults), methods=["DELETE"]),
            Route(f"{DOOR}/review", _answer(door.review), methods=["POST"]),
            Route(f"{DOOR}/aws-edit", _answer(door.edit_at_aws), methods=["POST"]),
            Route(f"{DOOR}/aws-summary", _answer(door.summarise), methods=["POST"]),
            Route(f"{DOOR}/invitations", _answer(door.invitations), methods=["GET"]),
            Route(f"{DOOR}/invitations", _answer(door.answer_invitation), methods=["POST"]),
            Route(f"{DOOR}/settings", _answer(door.settings), methods=["POST"]),
            Route(f"{DOOR}/tasks", _answer(door.script_tasks), methods=["POST"]),
            Route(f"{DOOR}/salesforce", _answer(door.edit), methods=["POST"]),
            Route(f"{DOOR}/salesforce", _answer(door.insert), methods=["PUT"]),
            Route(f"{DOOR}/salesforce", _answer(door.delete), methods=["DELETE"]),
        ]
    )


def _answer(action: Callable[[Json], Any]) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            return JSONResponse(await run_in_threadpool(action, body))
        except (KeyError, TypeError, ValueError, RowError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

    return respond
