// The batch and its rows, as the page or the scripts beside it bring them.
const find = (id) => document.getElementById(id);
const batch = JSON.parse(find("batch").textContent);
const rows = [];
// Key of a thumbnail → its data: address; only in a page that travels alone.
const small = new Map();

const el = (tag, given = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child));
  return made;
};

const thumbnail = (key) => (batch.chunks ? `thumbnails/${key.slice(0, 2)}/${key}.webp` : small.get(key) || "");
const number = new Intl.NumberFormat("en").format;

const prepare = (cells) => {
  const row = {};
  batch.fields.forEach((name, index) => { row[name] = cells[index]; });
  row.inputs = row.inputs.map(([label, name, href, key]) => ({ label, name, href, key }));
  const output = ([sha256, href, has]) => ({ sha256, href: href && batch.root + href, key: has ? sha256 : "" });
  row.pictures = row.pictures.map(output);
  const shown = row.version;
  row.versions = row.versions.map(([version, request, status, pictures]) => ({ version, request, status, pictures: pictures.map(output) }));
  if (row.versions.length) {
    // One looks at one version at a time, and judges that; which of them counts follows from the verdicts.
    row.look = null;
    Object.defineProperty(row, "pictures", { get: () => looked(row).pictures });
    Object.defineProperty(row, "request", { get: () => looked(row).request });
    row.flagged = row.versions.find((each) => each.version === shown);
  }
  row.person = row.inputs[0]?.label === "Person" ? row.inputs[0].name : "";
  row.garment = row.inputs.filter((each) => each.label !== "Person").map((each) => each.name).join(" + ");
  row.text = `${row.sku}\n${row.title}\n${row.row}`.toLowerCase();
  return row;
};

// Which version counts, as `counting` in jobs/records.py has it: the one approved last, else the newest that nobody has rejected.
const counting = (row) => {
  const ranked = row.versions.map((each, place) => {
    const said = each.pictures.map((picture) => standing(picture.sha256));
    if (!said.length) return [0, "", place];
    if (said.some((one) => one?.verdict === "reject")) return [1, "", place];
    if (said.every(Boolean)) return [3, said.map((one) => one.at).sort().at(-1), place];
    return [2, "", place];
  });
  const [, , best] = ranked.reduce((one, other) => ((other[0] - one[0] || (other[1] > one[1] ? 1 : other[1] < one[1] ? -1 : other[2] - one[2])) > 0 ? other : one));
  return row.versions[row.versions[best].pictures.length ? best : 0];
};
const looked = (row) => (row.versions.length ? row.look || counting(row) : null);
const counted = (row) => (row.versions.length ? counting(row).pictures : row.pictures);
const everyPicture = (row) => (row.versions.length ? row.versions.flatMap((each) => each.pictures) : row.pictures);
// Those that can be seen, four at most: the newest, and the one that is looked at.
const seenVersions = (row) => {
  const all = row.versions.filter((each) => each.pictures.some((picture) => picture.href));
  const [newest, here] = [all.slice(-4), looked(row)];
  return newest.includes(here) || !all.includes(here) ? newest : [here, ...newest.slice(1)];
};

const rank = Object.fromEntries(Object.keys(batch.statuses).map((name, index) => [name, index]));
const sku = new Intl.Collator("en", { numeric: true });
// What is flagged stands before what is not.
const unflagged = (row) => (row.flags?.length ? 0 : 1);
const orders = {
  "": (one, other) => rank[one.status] - rank[other.status] || unflagged(one) - unflagged(other) || one.row - other.row,
  row: (one, other) => one.row - other.row,
  sku: (one, other) => sku.compare(one.sku, other.sku) || one.row - other.row,
};

// Calls `more` whenever further rows are here. Rows beside the page are read one script after the other.
const readRows = async (more) => {
  for (const part of document.querySelectorAll("script.small")) {
    small.set(part.dataset.key, `data:image/webp;base64,${part.textContent}`);
    part.remove();
  }
  for (const part of document.querySelectorAll("script.rows")) {
    for (const cells of JSON.parse(part.textContent)) rows.push(prepare(cells));
    part.remove();
  }
  window.vtonRows = (chunk) => { for (const cells of chunk) rows.push(prepare(cells)); };
  if (!batch.chunks) more();
  for (let chunk = 1; chunk <= batch.chunks; chunk += 1) {
    const script = el("script", { src: `rows/${String(chunk).padStart(4, "0")}.js` });
    const ended = new Promise((done) => { script.onload = () => done(""); script.onerror = () => done(script.src); });
    document.body.append(script);
    const missing = await ended;
    script.remove();
    if (missing) say(`A part of this sheet is missing: ${missing}`);
    // Not for every part of a long sheet: it is sorted and filtered each time.
    if (chunk === 1 || chunk === batch.chunks || chunk % 10 === 0) more();
  }
};

const say = (text) => { find("said").textContent = text; };
