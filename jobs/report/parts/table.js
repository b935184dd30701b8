// review.csv: cells that no spreadsheet runs, read back as they were.
const COLUMNS = ["row", "sku", "request_id", "picture_sha256", "verdict", "reasons", "note", "reviewer", "at"];
const RUNS = /^[\s\0\ufeff\u00ad\u200b-\u200f\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]|^[\t\r]/;

const cell = (text) => {
  const safe = RUNS.test(text) ? `'${text}` : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
const uncell = (text) => (text[0] === "'" && RUNS.test(text.slice(1)) ? text.slice(1) : text);

const toTable = (all) => {
  const lines = [...all].sort((one, other) => one.row - other.row || (one.at < other.at ? -1 : 1))
    .map((one) => COLUMNS.map((name) => cell(name === "reasons" ? one.reasons.join(" ") : String(one[name] ?? ""))).join(","));
  // The mark before the text tells spreadsheets that it is UTF-8.
  return `\ufeff${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
};

// A text as lists of cells; the separator is the one that the first line has.
const cells = (text) => {
  const body = text.replace(/^\ufeff/, "");
  const head = body.split(/\r?\n/, 1)[0];
  const mark = [",", ";", "\t"].reduce((best, each) => (head.split(each).length > head.split(best).length ? each : best));
  const lines = [];
  let line = [];
  let at = 0;
  while (at < body.length) {
    let value = "";
    if (body[at] === '"') {
      at += 1;
      for (;;) {
        const end = body.indexOf('"', at);
        if (end < 0) { value += body.slice(at); at = body.length; break; }
        value += body.slice(at, end);
        at = end + 1;
        if (body[at] !== '"') break;
        value += '"';
        at += 1;
      }
    }
    let end = at;
    while (end < body.length && body[end] !== mark && body[end] !== "\n") end += 1;
    value += body.slice(at, end).replace(/\r$/, "");
    line.push(value);
    at = end + 1;
    if (end >= body.length || body[end] === "\n") { lines.push(line); line = []; }
  }
  return lines;
};

// The verdicts of a review.csv, and how many of its lines are none.
const fromTable = (text) => {
  const [head = [], ...lines] = cells(text);
  const names = head.map((name) => name.trim().toLowerCase());
  const good = [];
  let bad = 0;
  for (const line of lines) {
    if (line.length === 1 && !line[0]) continue;
    const of = Object.fromEntries(names.map((name, index) => [name, uncell(line[index] ?? "")]));
    const at = new Date(of.at);
    if (!/^[0-9a-f]{64}$/.test(of.picture_sha256) || !["approve", "reject", "clear"].includes(of.verdict) || Number.isNaN(at.getTime())) { bad += 1; continue; }
    const reasons = (of.reasons ?? "").split(" ").filter((name) => name in batch.reasons);
    good.push({ row: Number(of.row) || 0, sku: of.sku ?? "", request_id: of.request_id ?? "", picture_sha256: of.picture_sha256,
      verdict: of.verdict, reasons, note: of.note ?? "", reviewer: of.reviewer ?? "", at: at.toISOString(), saved: true });
  }
  return { good, bad };
};
