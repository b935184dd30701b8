"""`python -m tests.double --folder F --port P`: prints `double ready http://…` and serves until it is killed."""

import argparse
import os
import socket
import sys
import threading
from pathlib import Path

from tests.double.account import Account
from tests.double.books import Books, Reader
from tests.double.script import Script
from tests.double.wire import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.double", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="books.jsonl and script.json lie here")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--follow", action="store_true", help="end with whoever holds its standard input")
    given = parser.parse_args()
    if given.follow:
        threading.Thread(target=_follow, daemon=True).start()
    given.folder.mkdir(parents=True, exist_ok=True)
    books = given.folder / "books.jsonl"
    with socket.create_server(("127.0.0.1", given.port), backlog=256) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        earlier = Reader(books).entries()
        account = Account(Books(books), Script(given.folder / "script.json"), address, earlier)
        sys.stdout.write(f"double ready {address}\n")
        sys.stdout.flush()
        serve(listener, account.answer)


def _follow() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
