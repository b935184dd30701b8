// Under `vton serve --review` verdicts go to the ledger as they are given, and others' come from there. What the server does not take,
// because it or its Redis is away, stays in this browser, is counted as not saved, and goes when they are back.
const { content: served, dataset: { looks } } = document.querySelector("meta[name=vton-served]");
// Who may look and not judge: the server takes nothing from such a page, and it gives nothing.
const looksOnly = looks !== undefined;
const SENT = ["row", "request_id", "picture_sha256", "verdict", "reasons", "note", "reviewer", "at"];
const MOST_SENT = 100;
const EVERY_MS = 2000;
const PATIENCE_MS = 20_000;
// What came last from the server, in its own words.
let position = "";
let trouble = "";
const refused = new Map();
// Half a character, which an input may cut off, would make the whole request unreadable.
const whole = (value) => value?.toWellFormed?.() ?? value;
const idOf = (one) => `${one.picture_sha256} ${one.at} ${one.reviewer}`;

// A server without some of what it once had (its ledger is an older one) is given that again.
const compare = (told) => {
  const there = new Set(told.map(idOf));
  for (const [sha256, said] of verdicts) {
    for (const one of said.values()) {
      if (!one.saved || there.has(idOf(one))) continue;
      const again = { ...one, saved: false };
      said.set(one.reviewer, again);
      keep(again);
    }
  }
};

const exchange = async () => {
  const sent = looksOnly ? [] : everyVerdict().filter((one) => !one.saved && !refused.has(idOf(one))).slice(0, MOST_SENT);
  const answer = await fetch("../verdicts", {
    method: "POST",
    headers: { "content-type": "application/json", "x-vton-review": served },
    body: JSON.stringify({ since: position, verdicts: sent.map((one) => Object.fromEntries(SENT.map((name) => [name, whole(one[name])]))) }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!answer.ok) throw new Error(answer.status === 403 ? "load this page again to enter" : "the server cannot save now");
  const told = await answer.json();
  position = told.position;
  const hashes = new Set();
  sent.forEach((one, index) => {
    if (index in told.refused) {
      refused.set(idOf(one), told.refused[index]);
      say(`A verdict on ${one.sku || `row ${one.row}`} is not saved: ${told.refused[index]}`);
      return;
    }
    const kept = { ...one, saved: true };
    if (merge(kept)) keep(kept);
  });
  for (const one of told.verdicts) if (merge({ sku: skus.get(one.row) ?? "", ...one, saved: true })) hashes.add(one.picture_sha256);
  if (told.whole) compare(told.verdicts);
  // The first ones come after the page was filtered by its address.
  if (told.whole && hashes.size) refresh();
  else if (hashes.size) changed([...hashes]);
  else countUnsaved();
  return sent.length;
};

const skus = new Map();
let wake = () => {};
const serve = async () => {
  for (const row of rows) skus.set(row.row, row.sku);
  find("unsaved").title = "Verdicts that the ledger does not have yet; this browser keeps them";
  for (;;) {
    let sent = 0;
    const before = trouble;
    try {
      sent = await exchange();
      trouble = "";
    } catch (error) {
      trouble = error instanceof TypeError || error.name === "TimeoutError" ? "the server does not answer" : error.message;
    }
    if (trouble !== before) countUnsaved();
    // More may wait: what was given meanwhile, or beyond what goes at once.
    if (sent) continue;
    await new Promise((done) => { wake = done; setTimeout(done, EVERY_MS); });
  }
};
