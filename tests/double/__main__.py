"""`python -m tests.double --folder F --port P`: prints `double ready http://…` and serves until it is killed."""

import argparse
import socket
import sys
from pathlib import Path

from tests.double.account import Account
from tests.double.books import Books, Reader
from tests.double.script import Script
from tests.double.wire import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.double", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="books.jsonl and script.json lie here")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    books = given.folder / "books.jsonl"
    with socket.create_server(("127.0.0.1", given.port), backlog=256) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        earlier = Reader(books).entries()
        account = Account(Books(books), Script(given.folder / "script.json"), address, earlier)
        sys.stdout.write(f"double ready {address}\n")
        sys.stdout.flush()
        serve(listener, account.answer)


if __name__ == "__main__":
    main()
