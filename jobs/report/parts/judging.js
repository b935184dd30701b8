// Verdicts of the row one stands at, or of a range: by keys, by mouse and by touch alike.
const undos = [];
// Notes written before there was a verdict, by picture: they go with the next one.
const notes = new Map();
const reviewer = find("reviewer");
const SETTINGS = "vton.settings/";
const setting = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(SETTINGS + name);
    localStorage.setItem(SETTINGS + name, value);
  } catch { /* remembered as long as the page is open */ }
  return value ?? null;
};

const picturesOf = (some) => some.flatMap((row) => row.pictures.filter((picture) => picture.href).map((picture) => [row, picture.sha256]));
const rowsOf = (hashes) => { const wanted = new Set(hashes); return rows.filter((row) => everyPicture(row).some((picture) => wanted.has(picture.sha256))); };

// `told`: from what stands → the verdict, its reasons and its note.
const judge = (some, told) => {
  if (looksOnly) { say("You may look here, and not judge."); return false; }
  const name = reviewer.value.trim();
  if (!name) {
    say("Say first who you are: a verdict belongs to the person who gives it.");
    reviewer.focus();
    return false;
  }
  const pictures = picturesOf(some);
  if (!pictures.length) { say("There is no picture to judge here."); return false; }
  // What one has judged stays in sight, even when another version counts by it.
  for (const row of some) if (row.versions.length) row.look = looked(row);
  const done = new Map();
  for (const [row, sha256] of pictures) {
    if (done.has(sha256)) continue;
    const before = standing(sha256);
    const next = told(before);
    done.set(sha256, { before, row });
    give(sha256, { row: row.row, sku: row.sku, request_id: row.request, reviewer: name }, next.verdict, next.reasons || [], next.note ?? (before?.note || (next.verdict !== "clear" && notes.get(sha256)) || ""));
  }
  undos.push({ done, place: some[0] });
  say("");
  return [...done.keys()];
};

const settle = (hashes) => { redraw(rowsOf(hashes)); countVerdicts(); arrived(); };

// A verdict goes on to the row behind what was judged, which keeps its place though the filter may take judged ones out.
const decide = (verdict, { advance = true } = {}) => {
  const some = chosen();
  const behind = list[Math.max(anchor, at) + 1];
  const hashes = judge(some, (before) => ({ verdict, reasons: verdict === "reject" && before?.verdict === "reject" ? before.reasons : [] }));
  if (!hashes) return;
  settle(hashes);
  if (advance) onTo(behind, some.at(-1));
};

const onTo = (behind, last) => {
  const former = Math.max(anchor, at);
  filterRows();
  const next = behind ? list.indexOf(behind) : list.indexOf(last);
  go(next >= 0 ? next : Math.min(former, list.length - 1));
};

const giveReason = (name) => {
  const had = chosen().every((row) => row.pictures.every((picture) => standing(picture.sha256)?.reasons.includes(name)));
  const order = Object.keys(batch.reasons);
  const hashes = judge(chosen(), (before) => {
    const reasons = new Set(before?.verdict === "reject" ? before.reasons : []);
    if (had) reasons.delete(name); else reasons.add(name);
    return { verdict: "reject", reasons: order.filter((each) => reasons.has(each)) };
  });
  if (hashes) settle(hashes);
};

// The row one stands at with another of its versions: the next one, or the one that was pointed at.
const lookAt = (version) => {
  const row = list[at];
  const all = row ? row.versions.filter((each) => each.pictures.length) : [];
  if (all.length < 2) { say("This row has one version."); return; }
  row.look = all.find((each) => each.version === version) || all[(all.indexOf(looked(row)) + 1) % all.length];
  redraw([row]);
  arrived();
  say(`Version ${row.look.version} of ${row.sku || `row ${row.row}`}: what you say now is said of it. The version that is approved last counts.`);
};

const writeNote = () => {
  const text = find("note").value.trim();
  const said = standing(picturesOf(chosen().slice(0, 1))[0]?.[1]);
  for (const [, sha256] of picturesOf(chosen())) if (said) notes.delete(sha256); else notes.set(sha256, text);
  if ((said?.note || "") === text) return;
  if (!said) { say("The note is kept with the verdict that comes now: approve or reject."); return; }
  const hashes = judge(chosen(), (before) => ({ verdict: before?.verdict || said.verdict, reasons: before?.reasons || [], note: text }));
  if (hashes) settle(hashes);
};

const undo = () => {
  const last = undos.pop();
  if (!last) { say("Nothing to undo."); return; }
  for (const [sha256, { before, row }] of last.done) {
    give(sha256, { row: row.row, sku: row.sku, request_id: row.request, reviewer: reviewer.value.trim() }, before?.verdict || "clear", before?.reasons || [], before?.note || "");
  }
  settle([...last.done.keys()]);
  filterRows();
  const index = list.indexOf(last.place);
  if (index >= 0) go(index);
  say("Undone.");
};

// The bar, as the row one stands at has it.
const arrived = () => {
  const row = list[at];
  const [sha256] = row ? picturesOf([row]).map(([, hash]) => hash) : [];
  const said = standing(sha256);
  const some = chosen();
  find("current").textContent = !row ? "" : some.length > 1 ? `${number(some.length)} rows` : row.sku || `Row ${row.row}`;
  for (const button of document.querySelectorAll("[data-verdict]")) button.ariaPressed = String(said?.verdict === button.dataset.verdict);
  for (const button of document.querySelectorAll("[data-reason]")) button.ariaPressed = String(Boolean(said?.reasons.includes(button.dataset.reason)));
  if (document.activeElement !== find("note")) find("note").value = (said ? said.note : notes.get(sha256)) || "";
  find("judge").classList.toggle("nothing-here", !row || !picturesOf([row]).length);
  find("version").hidden = !row || row.versions.filter((each) => each.pictures.length).length < 2;
  countUnsaved();
  drawViewer();
};

const countUnsaved = () => {
  const open = looksOnly ? 0 : unsaved();
  const lost = unkept.size ? `, ${number(unkept.size)} only in this tab` : "";
  const words = open ? `${number(open)} not saved${lost}` : everyVerdict().length ? "all saved" : "";
  find("unsaved").textContent = [words, trouble].filter(Boolean).join(": ");
  find("unsaved").classList.toggle("open", open > 0);
};

const saveTable = () => {
  const all = everyVerdict();
  if (!all.length) { say("There is no verdict yet."); return; }
  const address = URL.createObjectURL(new Blob([toTable(all)], { type: "text/csv" }));
  const name = (reviewer.value.trim() || "all").replace(/[^\p{L}\p{N}._-]+/gu, "_");
  el("a", { href: address, download: `review-${batch.batch}-${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  // Served, saved is what the ledger has.
  if (!served) for (const one of all.filter((each) => !each.saved)) { const kept = { ...one, saved: true }; merge(kept); keep(kept); }
  arrived();
  say(`${number(all.length)} verdicts are in the file.${served ? "" : " Bring them in with: vton review apply FILE"}`);
};

const loadTables = async (files) => {
  if (looksOnly) return;
  let [merged, bad, strange] = [0, 0, 0];
  const known = new Set(rows.flatMap((row) => everyPicture(row).map((picture) => picture.sha256)));
  for (const file of files) {
    const found = fromTable(await file.text());
    bad += found.bad;
    for (const one of found.good) {
      if (!known.has(one.picture_sha256)) { strange += 1; continue; }
      const mine = { ...one, saved: !served };
      if (merge(mine)) { merged += 1; keep(mine); }
    }
  }
  refresh();
  say([`${number(merged)} verdicts merged`, strange && `${number(strange)} are of pictures that are not on this sheet (replaced?)`, bad && `${number(bad)} lines are no verdicts`].filter(Boolean).join("; "));
};
