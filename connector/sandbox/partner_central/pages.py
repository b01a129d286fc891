"""Paging: opaque tokens over a sorted list, as every List operation has them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TypeVar

from connector.sandbox.partner_central.errors import REQUEST, Problem, refuse
from connector.sandbox.partner_central.paths import Json

DEFAULT_SIZE = 20

T = TypeVar("T")


def cut_page(body: Json, rows: Sequence[T], *, token_on_last_page: bool) -> tuple[list[T], str | None]:
    """The page that a request asks for and the token of the next one.

    A token belongs to the filters and the sorting it was given out for. With `token_on_last_page` the last
    page has a token too, which leads to an empty page.
    """
    question = _question(body)
    start = _start_of(body["NextToken"], question) if "NextToken" in body else 0
    end = start + body.get("MaxResults", DEFAULT_SIZE)
    page = list(rows[start:end])
    has_more = end < len(rows) or (token_on_last_page and bool(page))
    return page, _token(end, question) if has_more else None


def with_token(answer: Json, token: str | None) -> Json:
    """An answer with its NextToken, which is left out at the end."""
    return answer if token is None else {**answer, "NextToken": token}


def _question(body: Json) -> str:
    asked = {key: value for key, value in body.items() if key not in ("NextToken", "MaxResults")}
    return json.dumps(asked, sort_keys=True)


def _token(start: int, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([start, question]).encode()).decode()


def _start_of(token: str, question: str) -> int:
    try:
        start, asked = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError):
        start, asked = 0, None
    if asked != question:
        refuse([Problem("nextToken", "INVALID_VALUE", "nextToken is not valid for this request")], REQUEST)
    return int(start)
