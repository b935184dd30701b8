"""What flags find among made pictures with known faults, and what measuring one picture costs."""

import io
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from msgspec.structs import asdict
from PIL import Image

from benchmarks.benches.flags_set import Made, made
from benchmarks.benches.options import Options
from benchmarks.benches.print import Rows, show
from jobs.config.settings import FlagSettings
from jobs.flags.batch import BatchFlags
from jobs.flags.measures import Measures, key_of, measured
from jobs.flags.traits import traits_of
from jobs.pictures.store import place
from jobs.records import Job, JobState, RequestId, ResultLine

COLUMNS = [
    ("wanted", "pictures with the fault", ".0f"),
    ("found", "flagged of these", ".0f"),
    ("recall", "recall", ".3f"),
    ("false", "flagged of the others", ".0f"),
    ("precision", "precision", ".3f"),
]
#: What the table has → the kinds of made pictures that have the fault, and the flags that are to find it.
FAULTS: dict[str, tuple[set[str], set[str]]] = {
    "unchanged: the person came back": ({"unchanged"}, {"unchanged"}),
    "swapped: the garment's or another row's": ({"garment", "another row's"}, {"is_garment", "same_as_row"}),
    "· is_garment": ({"garment"}, {"is_garment"}),
    "· same_as_row": ({"another row's"}, {"same_as_row"}),
    "blank": ({"blank"}, {"blank"}),
    "dark": ({"dark"}, {"dark"}),
    "grey": ({"grey"}, {"grey"}),
    "blurred": ({"blurred"}, {"blurred"}),
    "colour: recoloured": ({"recoloured"}, {"colour"}),
    "small": ({"small"}, {"small"}),
    "aspect: squeezed": ({"squeezed"}, {"aspect"}),
}
#: Kinds that have another fault's look too, which is no mistake: a blank picture may be dark and grey.
ALSO = {
    "dark": {"blank"},
    "blank": {"dark"},
    "grey": {"blank", "dark", "garment"},
    "blurred": {"dark", "garment", "unchanged", "small"},
    "colour: recoloured": {"garment", "another row's", "blank", "dark", "grey", "unchanged"},
    "aspect: squeezed": {"unchanged"},
}
TIMED = (864, 1152)


def run(options: Options) -> None:
    """One set, measured and flagged as a batch is."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        pictures = made(data_dir, share=0.05 if options.quick else 1.0)
        lines = _flagged(data_dir, pictures)
        costs = _costs(pictures, 5 if options.quick else 25)
    rows: Rows = {}
    for name, (kinds, flags) in FAULTS.items():
        every = [
            (each.kind in kinds, bool(flags & {flag.id for flag in line.flags}))
            for each, line in zip(pictures, lines, strict=True)
            if each.kind not in ALSO.get(name, set())
        ]
        found = sum(wanted and flagged for wanted, flagged in every)
        false = sum(flagged and not wanted for wanted, flagged in every)
        wanted = sum(wanted for wanted, _ in every)
        rows[name] = {
            "wanted": wanted,
            "found": found,
            "recall": found / wanted,
            "false": false,
            "precision": found / (found + false) if found + false else None,
        }
    fine = [line for each, line in zip(pictures, lines, strict=True) if each.kind == "fine"]
    whole = sum(not line.flags for line in fine)
    note = (
        f"{len(pictures)} made pictures; of {len(fine)} in order {whole} have no flag at all. A picture of 1 MP takes"
        f" {costs['measure_ms']:.1f} ms of CPU to measure, {costs['ratio']:.1f} x a bare decode."
    )
    rows_of = [(each.kind, asdict(line.measures)) for each, line in zip(pictures, lines, strict=True)]
    details = {"costs": costs, "measures": _spread(pictures, lines), "rows": rows_of}
    show("flags", "Flags", note, columns=COLUMNS, rows=rows, repeats=details, options=options)


def _flagged(data_dir: Path, pictures: list[Made]) -> list[ResultLine]:
    measures, store = Measures(data_dir), data_dir / "pictures"
    jobs = [
        Job(
            request_id=RequestId(str(row)),
            state=JobState.SUCCEEDED,
            pair=each.pair,
            refs={},
            pictures=(each.picture,),
        )
        for row, each in enumerate(pictures, start=1)
    ]
    for each in pictures:
        key = key_of(each.picture.sha256, each.pair)
        measures.take(key, place(store, each.picture.name), each.pair)
    flags = BatchFlags(measures, store, FlagSettings())
    flags.survey(enumerate(jobs, start=1))
    lines = (ResultLine(batch="made", row=row, sku="", status="succeeded") for row in range(1, len(jobs) + 1))
    return [flags.flagged(line, job) for line, job in zip(lines, jobs, strict=True)]


def _spread(pictures: list[Made], lines: list[ResultLine]) -> dict[str, dict[str, list[float]]]:
    """Measure → kind → least, 5 %, middle, 95 % and most."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each, line in zip(pictures, lines, strict=True):
        for name, value in asdict(line.measures).items():
            if value is not None:
                found[name][each.kind].append(value)
    shares = (0, 0.05, 0.5, 0.95, 1)
    return {
        name: {
            kind: [sorted(values)[round(share * (len(values) - 1))] for share in shares]
            for kind, values in kinds.items()
        }
        for name, kinds in found.items()
    }


def _costs(pictures: list[Made], repeats: int) -> dict[str, float]:
    """CPU of a picture of 1 MP: a bare decode, and all that is measured of it, in turns."""
    pair = pictures[0].pair
    person, garment = (traits_of(Path(source.path).read_bytes()) for _, source in pair.slots()[:2])  # type: ignore[union-attr]
    out = io.BytesIO()
    Image.open(pair.person.path).resize(TIMED).save(out, "JPEG", quality=90)  # type: ignore[union-attr]
    content, bare, ours = out.getvalue(), [], []
    for _ in range(repeats):
        began = time.process_time()
        Image.open(io.BytesIO(content)).load()
        between = time.process_time()
        measured(traits_of(content), person, [garment])
        bare.append(between - began)
        ours.append(time.process_time() - between)
    return {
        "measure_ms": 1000 * median(ours),
        "decode_ms": 1000 * median(bare),
        "ratio": median(ours) / median(bare),
    }
