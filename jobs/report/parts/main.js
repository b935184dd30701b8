// Puts it together: what is shown, keys, mouse and touch.
let sorted = { order: null, rows: [] };
const filterRows = () => {
  if (sorted.order !== view.order || sorted.rows.length !== rows.length) sorted = { order: view.order, rows: [...rows].sort(orders[view.order]) };
  list = sorted.rows.filter(fits);
  measure();
};

// After anything that may change which rows are shown; one stays at the same row if it is still there.
const refresh = () => {
  const row = list[at];
  filterRows();
  const index = list.indexOf(row);
  at = anchor = index >= 0 ? index : 0;
  for (const card of drawn.values()) card.remove();
  drawn.clear();
  draw();
  drawFilters(list.length);
  countVerdicts();
  writeAddress();
  arrived();
};

const change = (how) => { how(); refresh(); if (scrollY > box.top) scrollTo({ top: Math.max(0, box.top - find("tools").offsetHeight), behavior: "instant" }); };

document.addEventListener("click", (event) => {
  const target = event.target.closest("button, .card, #unsaved");
  if (!target) return;
  if (target.dataset.all !== undefined) change(() => { view.q = find("search").value = ""; view.exact.clear(); view.contains.clear(); });
  else if (target.dataset.field) change(() => toggle(target.dataset.field, target.dataset.value));
  else if (target.dataset.verdict) decide(target.dataset.verdict);
  else if (target.dataset.reason) giveReason(target.dataset.reason);
  else if (target.dataset.version && inViewer()) lookAt(Number(target.dataset.version));
  const card = event.target.closest(".card");
  if (!card || event.target.closest("a")) return;
  go(list.indexOf(card.row), { range: event.shiftKey });
  if (target.dataset.version) lookAt(Number(target.dataset.version));
  else if (target.dataset.give) decide(verdictOn(card.row.pictures) === target.dataset.give ? "clear" : target.dataset.give, { advance: false });
  else if (event.target.closest(".zoom, .inputs .tile") && !event.shiftKey) {
    const version = Number(event.target.closest(".zoom")?.dataset.zoom);
    if (version) lookAt(version);
    openViewer(card);
  }
});
find("undo").onclick = undo;
find("version").onclick = () => lookAt();
find("save").onclick = saveTable;
find("load").onclick = () => find("files").click();
find("files").onchange = async () => { await loadTables(find("files").files); find("files").value = ""; };
find("search").oninput = () => change(() => { view.q = find("search").value.trim().toLowerCase(); });
find("order").onchange = () => change(() => { view.order = find("order").value; });
find("column").onchange = suggestValues;
find("more").onsubmit = (event) => {
  event.preventDefault();
  const field = find("column").value;
  const text = find("value").value.trim();
  if (!field) return;
  const named = Object.entries(batch.reasons).find(([, label]) => label.toLowerCase() === text.toLowerCase());
  change(() => { if (EXACT.includes(field)) view.exact.set(field, new Set([named?.[0] || text])); else view.contains.set(field, text.toLowerCase()); });
  find("column").value = "";
  suggestValues();
};
find("note").onchange = writeNote;
reviewer.value = setting("reviewer") || "";
reviewer.onchange = () => setting("reviewer", reviewer.value.trim());
find("keys").checked = setting("keys") !== "off";
find("keys").onchange = () => { setting("keys", find("keys").checked ? "on" : "off"); document.body.classList.toggle("no-keys", !find("keys").checked); };
document.body.classList.toggle("no-keys", !find("keys").checked);
document.body.classList.toggle("looks-only", looksOnly);
document.body.classList.toggle("served", !!served);

const inViewer = () => !viewer.hidden;
const MOVES = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => (inViewer() ? 1 : box.columns), ArrowUp: () => (inViewer() ? -1 : -box.columns), Home: () => -Infinity, End: () => Infinity, PageDown: () => box.columns * 2, PageUp: () => -box.columns * 2 };
const SINGLE = {
  p: () => decide("approve"), x: () => decide("reject"), u: () => decide("clear"),
  v: () => lookAt(),
  n: () => find("note").focus(), "/": () => find("search").focus(),
  f: () => inViewer() && setFlip(!look.flip), z: () => inViewer() && setBig(!look.big),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (inViewer()) closeViewer();
    return;
  }
  if (typing) {
    // Written, and back to the row: the next key judges.
    if (event.key === "Enter" && event.target.matches("#note, #reviewer")) { event.target.blur(); (inViewer() ? viewer : drawn.get(list[at]))?.focus(); }
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) { event.preventDefault(); undo(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onCard = event.target.matches(".card, body, #viewer") || inViewer();
  if (event.key in MOVES && onCard) {
    event.preventDefault();
    go(at + MOVES[event.key](), { range: event.shiftKey });
    return;
  }
  if (event.key === "Enter" && event.target.matches(".card")) { event.preventDefault(); openViewer(event.target); return; }
  if (inViewer() && event.key === "Tab") keepInside(event);
  if (!find("keys").checked) return;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  const reason = digit && !event.shiftKey ? Object.keys(batch.reasons)[digit - 1] : "";
  const act = reason ? () => giveReason(reason) : SINGLE[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

// Tab goes round within the viewer and the bar: what lies behind them is out of reach.
const keepInside = (event) => {
  const all = [...viewer.querySelectorAll("button, a"), ...find("judge").querySelectorAll("button, input")].filter((each) => each.offsetParent);
  const [first, last] = [all[0], all.at(-1)];
  if (event.shiftKey && [first, viewer].includes(document.activeElement)) { event.preventDefault(); last.focus(); }
  else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); first.focus(); }
};

// What others say leaves alone what one looks at, unless it is about that.
listeners.push((hashes) => {
  const touched = rowsOf(hashes);
  redraw(touched);
  countVerdicts();
  if (touched.includes(list[at])) arrived();
  else countUnsaved();
});
addEventListener("hashchange", () => { readAddress(); refresh(); });
readAddress();
readRows(() => {
  for (const row of rows) {
    if (row.taken) continue;
    row.taken = true;
    row.verdicts.forEach((said) => {
      merge({ row: row.row, sku: row.sku, request_id: row.request, ...said, saved: true });
    });
  }
  refresh();
  if (rows.length < batch.rows) return;
  listColumns();
  recall().then(() => { refresh(); document.body.dataset.ready = "yes"; if (served) serve(); });
});

// What lies above the bar ends where it begins.
new ResizeObserver(() => document.body.style.setProperty("--bar", `${find("judge").offsetHeight + 8}px`)).observe(find("judge"));
