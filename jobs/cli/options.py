"""Options that several commands have, each described once."""

from pathlib import Path
from typing import Annotated

import typer

ManifestArg = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST...", help="CSV, TSV, workbook, YAML or JSON of pairs, or several; - reads stdin."
    ),
]
BatchArg = Annotated[str, typer.Argument(help="Batch id.")]
ConfigOpt = Annotated[
    Path | None, typer.Option("--config", help="The settings' file; default ./config.yaml.")
]
OutputOpt = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder of the results; default output_dir, that is ./out."),
]
BatchOpt = Annotated[
    str | None, typer.Option("--batch", help="The batch's name; default `<file>-<8 hex of its content>`.")
]
SimulateOpt = Annotated[
    bool, typer.Option("--simulate", help="The simulated shop in place of the real one; buys nothing.")
]
StrictOpt = Annotated[
    bool, typer.Option("--strict", help="Stop before anything is recorded when any row is bad.")
]
AgainOpt = Annotated[
    str,
    typer.Option(
        "--again", metavar="LABEL", help="Buy pairs anew under this label, into a batch of its own."
    ),
]
AcceptOpt = Annotated[
    bool,
    typer.Option(
        "--accept-new-ledger",
        help="Go on although the known ledger is gone or older; what it lost may be bought again.",
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="One JSON object.")]
SheetOpt = Annotated[
    str | None,
    typer.Option("--sheet", help="Sheet of a workbook; default the first one that has the columns."),
]
VisibleOpt = Annotated[
    bool, typer.Option("--visible-only", help="Leave out the rows of a workbook that a filter hides.")
]
EncodingOpt = Annotated[
    str, typer.Option("--encoding", help="Encoding of a text, e.g. cp1252; default what its letters show.")
]
RootOpt = Annotated[
    Path | None,
    typer.Option("--root", help="Folder that pictures' paths begin at; default the manifest's own."),
]
CheckOpt = Annotated[
    bool, typer.Option("--check-urls", help="Ask each address whether its picture is there.")
]
OnlyOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="COLUMN=VALUE",
        help="Only rows with this value; given several times, all must hold.",
    ),
]
