"""How soon the page answers beside few and many links, both in one run: the first byte of each page over HTTP.

Run as ``python -m tests.bench_page CONFIG`` it serves one ledger until its input ends, and tells its address first.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from connector import config as configuration
from connector.app import App
from connector.config.models import Web
from connector.watch.beats import Beats
from connector.web.server import WebServer
from connector.web.serving import Serving
from tests.measurement import Measurement
from tests.world import ENVIRONMENT, wait_until

ROOT = Path(__file__).parents[1]
PAGES: Mapping[str, str] = {
    "overview": "/",
    "list": "/deals?connection=sandbox",
    "list of held": "/deals?connection=sandbox&state=Held",
    "list of approved": "/deals?connection=sandbox&place=approved",
    "search by a rare name": "/deals?connection=sandbox&q=for+company+777",
    "search in vain": "/deals?connection=sandbox&q=nowhere",
    "search by O-number": "/deals?q=O90000500",
    "search by the id of a task": "/deals?q=task-bench500",
    "deal": "/deals/sandbox/006000000100500AAA",
}
VARIED = (
    "UPDATE link SET name = 'Deal ' || id || ' for company ' || (id % 977)",
    "UPDATE link SET rest_status = 'Held', rest_message = 'Amount: It is missing.' WHERE id % 20 = 0",
    "UPDATE link SET rest_status = 'Pending', rest_message = 'In line.' WHERE id % 31 = 0",
    "INSERT INTO mention SELECT connection, catalog, 'task-bench' || id, id FROM link",
    "UPDATE link SET existing = json_set(existing, '$.LifeCycle.ReviewStatus', 'Approved') WHERE id % 3 = 0",
)


def vary(database: Path) -> None:
    """Give the links names and states of their own."""
    with closing(sqlite3.connect(database)) as ledger:
        for statement in VARIED:
            ledger.execute(statement)
        ledger.commit()


def measure_page(configs: Mapping[int, str], rounds: int) -> Iterator[Measurement]:
    """The first byte of each page, by the number of links of each configuration; each size has its turn in each round.

    A first look at every page comes before, as the counts do, which are made in the background.
    """
    took: dict[tuple[int, str], list[float]] = {}
    with ExitStack() as stack:
        addresses = {size: stack.enter_context(serving(config)) for size, config in configs.items()}
        for size, address in addresses.items():
            for path in PAGES.values():
                _first_byte(address, path)
            wait_until(lambda address=address: "being counted" not in _text(address, "/"), f"{size} links counted", 120)  # type: ignore[misc]
        for _ in range(rounds):
            for size, address in addresses.items():
                for name, path in PAGES.items():
                    took.setdefault((size, name), []).append(_first_byte(address, path))
    for (size, name), seconds in sorted(took.items(), key=lambda one: (list(PAGES).index(one[0][1]), one[0][0])):
        how = (
            f"median of {rounds} in turn, each on a connection of its own, SQLite; slowest {max(seconds) * 1000:.0f} ms"
        )
        yield Measurement("page", f"first byte of {name}, {size:,} links", median(seconds) * 1000, "ms", how)


@contextmanager
def serving(config: str) -> Iterator[str]:
    """The page of a ledger, served by a process of its own; gives its address."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench_page", config]
    environment = {**os.environ, **ENVIRONMENT}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.communicate(timeout=30)


def _first_byte(address: str, path: str) -> float:
    """Seconds from the request to the first byte of its answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        began = time.perf_counter()
        connection.request("GET", path)
        answered = connection.getresponse()
        took = time.perf_counter() - began
        answered.read()
        assert answered.status in {200, 303}, (path, answered.status)
        return took
    finally:
        connection.close()


def _text(address: str, path: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def main() -> None:
    read = configuration.load(Path(sys.argv[1]), ENVIRONMENT)
    app = App(replace(read, web=Web(listen="127.0.0.1:0")))
    app.require_ledger()
    server = WebServer(Serving(lambda: app, Beats(), "bench"))
    with server:
        wait_until(lambda: server.bound is not None, "the server listens", 20)
        assert server.bound is not None
        sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.bound[1]}"}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
