"""Options that several commands have, each described once."""

from pathlib import Path
from typing import Annotated

import typer

ManifestArg = Annotated[
    str, typer.Argument(help="CSV, TSV, workbook, YAML or JSONL of pairs; - reads stdin.")
]
BatchArg = Annotated[str, typer.Argument(help="Batch id.")]
ConfigOpt = Annotated[Path | None, typer.Option("--config", help="Settings; default ./config.yaml.")]
OutputOpt = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for results; default ./out.")]
BatchOpt = Annotated[
    str | None, typer.Option("--batch", help="Batch id; default <file>-<hash of its content>.")
]
SimulateOpt = Annotated[
    bool, typer.Option("--simulate", help="The simulator in place of HiDream; buys nothing.")
]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Stop when any row is bad.")]
AgainOpt = Annotated[str, typer.Option("--again", metavar="LABEL", help="Buy pairs anew under this label.")]
AcceptOpt = Annotated[
    bool,
    typer.Option(
        "--accept-new-ledger",
        help="Go on though the known ledger is gone or older; what it lost may be bought again.",
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
SheetOpt = Annotated[
    str | None, typer.Option("--sheet", help="Sheet of a workbook; default the first that has the columns.")
]
VisibleOpt = Annotated[
    bool, typer.Option("--visible-only", help="Leave out the rows of a workbook that a filter hides.")
]
EncodingOpt = Annotated[
    str, typer.Option("--encoding", help="Encoding of a text, e.g. cp1252; default what its bytes say.")
]
RootOpt = Annotated[
    Path | None, typer.Option("--root", help="Folder that pictures' paths begin at; default the manifest's.")
]
