// One row as a card of a fixed size.
const AGAIN = { true: ["yes", "Running it again may help"], false: ["no", "Running it again will not help"] };

const elsewhere = (text, href) => {
  const mark = el("span", { ariaHidden: "true", textContent: href ? "↗" : "∅" });
  const where = el("span", { className: "where", textContent: text });
  // Only http and https are followed, whatever a manifest says.
  return href && /^https?:\/\//i.test(href)
    ? el("a", { className: "elsewhere", href, target: "_blank", rel: "noopener noreferrer", tabIndex: -1 }, mark, where)
    : el("span", { className: "elsewhere" }, mark, where);
};

const image = (key, alt) => {
  const shown = el("img", { alt, decoding: "async", draggable: false });
  shown.onerror = () => shown.replaceWith(elsewhere("its thumbnail is not here", ""));
  shown.src = thumbnail(key);
  return shown;
};

const inputTile = (given) => el("figure", { className: `tile ${given.label === "Person" ? "person" : "garment"}` },
  given.key && thumbnail(given.key) ? image(given.key, given.label) : elsewhere(given.name || "no file", given.href),
  el("figcaption", { textContent: given.label }));

// Flags are of the version that the sheet was written with.
const flagsOf = (row, version = looked(row)) => (row.flags.length && (!row.flagged || row.flagged === version) ? `⚑ ${row.flags.join(", ")}` : "");

const resultTile = (row, picture) => el("figure", { className: "tile" },
  el("button", { type: "button", className: "zoom", title: "Enlarge", tabIndex: -1, ariaLabel: `Enlarge the result for ${row.sku || `row ${row.row}`}` },
    picture.key ? image(picture.key, `Result for ${row.sku || `row ${row.row}`}`) : elsewhere("not a picture that can be shown small", "")),
  picture === row.pictures[0] && flagsOf(row) && el("figcaption", { className: "flags", textContent: flagsOf(row) }));

const VERDICT_MARKS = { approve: " ✓", reject: " ✕", none: "" };
// Its name, whether it is the one that is looked at, and what was said of it; a button that shows it.
const versionButton = (row, each) => {
  const state = verdictOn(each.pictures);
  const counts = counting(row) === each ? ", the one that counts" : "";
  return el("button", { type: "button", className: `version v-${state}`, "data-version": String(each.version), ariaPressed: String(looked(row) === each), tabIndex: -1,
    title: `Version ${each.version}${counts}`, ariaLabel: `Version ${each.version} of ${row.sku || `row ${row.row}`}${counts}`, textContent: `v${each.version}${VERDICT_MARKS[state]}${counts ? " ●" : ""}` });
};

const versionTile = (row, each) => {
  const [picture] = each.pictures.filter((one) => one.href);
  return el("figure", { className: `tile${looked(row) === each ? " looked" : ""}` },
    picture.key ? image(picture.key, `Version ${each.version} for ${row.sku || `row ${row.row}`}`) : elsewhere("not a picture that can be shown small", ""),
    el("button", { type: "button", className: "zoom", title: "Enlarge", tabIndex: -1, "data-zoom": String(each.version), ariaLabel: `Enlarge version ${each.version} for ${row.sku || `row ${row.row}`}` }),
    flagsOf(row, each) && el("figcaption", { className: "flags", textContent: flagsOf(row, each) }),
    versionButton(row, each));
};

const reasonBox = (row) => {
  const [kind, again] = row.status === "unknown" ? ["held", "Running it again buys nothing: operations decide"]
    : row.status === "invalid" ? ["yes", "Fixed, it can be run again"] : AGAIN[row.retryable] || [];
  return el("div", { className: "reason", tabIndex: -1 },
    el("p", { className: "why", textContent: row.sentence }),
    row.owner && el("p", { className: "who" }, el("span", { textContent: "To be fixed by" }), ` ${batch.owners[row.owner]}`),
    again && el("p", { className: `again ${kind}`, textContent: again }),
    row.reason && el("code", { textContent: row.reason }));
};

const verdictLine = (row) => {
  const state = verdictOn(row.pictures);
  const said = row.pictures.map((picture) => standing(picture.sha256)).find((one) => one?.verdict === state);
  const words = !said ? "not judged yet" : [said.reasons.map((name) => batch.reasons[name] || name).join(", "), said.note, said.reviewer && `by ${said.reviewer}`].filter(Boolean).join(" · ");
  const button = (verdict, mark, name) => el("button", { type: "button", className: `v-${verdict}`, ariaPressed: String(state === verdict), ariaLabel: `${name} ${row.sku || `row ${row.row}`}`, title: name, tabIndex: -1, textContent: mark, "data-give": verdict });
  return el("div", { className: `verdict v-${state}` }, button("approve", "✓", "Approve"), button("reject", "✕", "Reject"), el("p", { textContent: words }));
};

const drawCard = (row) => {
  const shown = row.pictures.filter((picture) => picture.href);
  const inputs = row.inputs.length ? row.inputs.map(inputTile) : [el("figure", { className: "tile" }, elsewhere("no pictures", ""))];
  const versions = seenVersions(row);
  const tiles = versions.length > 1 ? versions.map((each) => versionTile(row, each)) : shown.map((picture) => resultTile(row, picture));
  const facts = Object.entries(row.extra).slice(0, 3);
  const name = row.sku || `row ${row.row}`;
  const made = el("li", { className: `card s-${row.status}`, tabIndex: -1, ariaLabel: `${name}, ${batch.statuses[row.status]}` },
    el("div", { className: "head" },
      el("div", { className: "name" }, el("h2", { textContent: row.sku || "—", title: row.sku }), row.title && el("p", { textContent: row.title })),
      el("span", { className: "badge", textContent: batch.statuses[row.status] })),
    el("div", { className: "pictures" },
      el("div", { className: "inputs" }, ...inputs),
      shown.length ? el("div", { className: `result${tiles.length > 1 ? " many" : ""}` }, ...tiles) : reasonBox(row)),
    shown.length && verdictLine(row),
    el("div", { className: "foot" },
      facts.length && el("dl", {}, ...facts.map(([key, value]) => el("div", {}, el("dt", { textContent: key }), el("dd", { textContent: value, title: value })))),
      el("p", { className: "notes", title: [row.request && `request ${row.request}`, row.task && `task ${row.task}`].filter(Boolean).join("\n") },
        ...[`Row ${row.row}`, ...row.notes].map((text, index) => el("span", { className: index ? "dot" : "", textContent: text })))));
  return made;
};
