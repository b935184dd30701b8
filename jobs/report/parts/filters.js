// Which rows are shown, in which order; all of it stands in the page's address, so that it can be passed on.
const view = { q: "", order: "", exact: new Map(), contains: new Map() };
const EXACT = ["status", "owner", "verdict", "why", "flag"];
const verdictOn = (pictures) => {
  if (!pictures.length) return "";
  const said = pictures.map((picture) => standing(picture.sha256)?.verdict || "none");
  return said.includes("reject") ? "reject" : said.includes("none") ? "none" : "approve";
};
// Of several versions the verdict on the one that counts.
const verdictOf = (row) => verdictOn(counted(row));
const valuesOf = {
  status: (row) => [row.status],
  owner: (row) => [row.owner],
  verdict: (row) => [verdictOf(row)],
  why: (row) => counted(row).flatMap((picture) => standing(picture.sha256)?.reasons || []),
  flag: (row) => row.flags || [],
  versions: (row) => [row.versions.length ? String(row.versions.length) : ""],
  reason: (row) => [row.reason],
  person: (row) => [row.person],
  garment: (row) => [row.garment],
  reviewer: (row) => counted(row).map((picture) => standing(picture.sha256)?.reviewer || ""),
};
const valuesAt = (field, row) => (field.startsWith("col.") ? [row.extra[field.slice(4)] || ""] : valuesOf[field](row));
const LABELS = { reason: "Reason without picture", person: "Person", garment: "Garment", why: "Why rejected", reviewer: "Reviewer", flag: "Flag", versions: "Versions" };

const fits = (row) => {
  if (view.q && !row.text.includes(view.q)) return false;
  for (const [field, wanted] of view.exact) if (!valuesAt(field, row).some((value) => wanted.has(value))) return false;
  for (const [field, wanted] of view.contains) if (!valuesAt(field, row).some((value) => value.toLowerCase().includes(wanted))) return false;
  return true;
};

const readAddress = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  view.q = (given.get("q") || "").toLowerCase();
  view.order = given.get("order") in orders ? given.get("order") : "";
  view.exact.clear();
  view.contains.clear();
  for (const [field, value] of given) {
    if (EXACT.includes(field)) view.exact.set(field, (view.exact.get(field) || new Set()).add(value));
    else if (field in valuesOf || field.startsWith("col.")) view.contains.set(field, value.toLowerCase());
  }
};

const writeAddress = () => {
  const given = new URLSearchParams();
  if (view.q) given.set("q", view.q);
  if (view.order) given.set("order", view.order);
  for (const [field, wanted] of view.exact) for (const value of wanted) given.append(field, value);
  for (const [field, value] of view.contains) given.append(field, value);
  const hash = String(given);
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", `#${hash}`);
};

const toggle = (field, value) => {
  const wanted = view.exact.get(field) || new Set();
  if (!wanted.delete(value)) wanted.add(value);
  if (wanted.size) view.exact.set(field, wanted);
  else view.exact.delete(field);
};

// Buttons, the chosen columns and counts, as the view is now.
const drawFilters = (shown) => {
  const none = !view.q && !view.exact.size && !view.contains.size;
  for (const chip of document.querySelectorAll("[data-field]")) chip.ariaPressed = String(Boolean(view.exact.get(chip.dataset.field)?.has(chip.dataset.value)));
  for (const chip of document.querySelectorAll(".chips [data-all]")) chip.ariaPressed = String(none);
  const others = [...view.contains].map(([field, value]) => [field, `${LABELS[field] || field.slice(4)}: ${value || "any"}`]);
  for (const field of ["why", "flag"]) for (const value of view.exact.get(field) || []) others.push([field, `${LABELS[field]}: ${batch.reasons[value] || value}`]);
  find("facets").replaceChildren(...others.map(([field, text]) => el("button", { type: "button", ariaPressed: "true", textContent: `${text} ✕`, onclick: () => {
    view.contains.delete(field);
    view.exact.delete(field);
    refresh();
  } })));
  if (document.activeElement !== find("search")) find("search").value = view.q;
  find("order").value = view.order;
  find("shown").textContent = rows.length < batch.rows ? `${number(rows.length)} of ${number(batch.rows)} read` : `${number(shown)} shown`;
  find("nothing").hidden = shown > 0 || rows.length < batch.rows;
};

const countVerdicts = () => {
  const counts = { none: 0, approve: 0, reject: 0 };
  for (const row of rows) if (row.pictures.length) counts[verdictOf(row)] += 1;
  for (const place of document.querySelectorAll("[data-count]")) place.textContent = number(counts[place.dataset.count]);
};

const listColumns = () => {
  const columns = new Set();
  for (const row of rows) for (const name of Object.keys(row.extra)) columns.add(name);
  const fields = [...Object.keys(LABELS).filter((field) => rows.some((row) => valuesOf[field](row).some(Boolean)) || ["why", "reviewer"].includes(field)),
    ...[...columns].map((name) => `col.${name}`)];
  const chosen = find("column").value;
  find("column").replaceChildren(el("option", { value: "", textContent: "Filter by …" }), ...fields.map((field) => el("option", { value: field, textContent: LABELS[field] || field.slice(4) })));
  find("column").value = fields.includes(chosen) ? chosen : "";
};

const suggestValues = () => {
  const field = find("column").value;
  find("value").hidden = find("narrow").hidden = !field;
  if (!field) return;
  const counts = new Map();
  for (const row of rows) for (const value of valuesAt(field, row)) if (value) counts.set(value, (counts.get(value) || 0) + 1);
  const common = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 200);
  find("values").replaceChildren(...common.map(([value]) => el("option", { value })));
  find("value").value = "";
  find("value").focus();
};
