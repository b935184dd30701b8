// What people have said of pictures: by the picture's hash and the person, kept in this browser until review.csv is saved.
// A verdict is written the moment it is given: to localStorage, or to IndexedDB when that is full. Two tabs share both.
const PREFIX = `vton.review/${batch.batch}/`;
const verdicts = new Map();
const unkept = new Set();
const keyOf = (one) => `${PREFIX}${one.picture_sha256}/${one.reviewer}`;
const later = (one, other) => one.at > other.at || (one.at === other.at && one.verdict > other.verdict);
const listeners = [];
const bus = "BroadcastChannel" in window ? new BroadcastChannel(PREFIX) : null;

// The verdict that counts: the last one; none when that took the earlier ones back.
const standing = (sha256) => {
  let last = null;
  for (const one of verdicts.get(sha256)?.values() || []) if (!last || later(one, last)) last = one;
  return last && last.verdict !== "clear" ? last : null;
};

// Takes a verdict in, unless a later one of the same person is here; says whether anything has changed.
const merge = (one) => {
  const said = verdicts.get(one.picture_sha256) || new Map();
  const before = said.get(one.reviewer);
  if (before && !later(one, before)) {
    if (one.saved && one.at === before.at && one.verdict === before.verdict && !before.saved) {
      said.set(one.reviewer, { ...before, saved: true });
      return true;
    }
    return false;
  }
  said.set(one.reviewer, one);
  verdicts.set(one.picture_sha256, said);
  return true;
};

const changed = (hashes) => { for (const listener of listeners) listener(hashes); };

let database = null;
const openDatabase = () => {
  database ??= new Promise((done, failed) => {
    const asked = indexedDB.open("vton.review", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("verdicts");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  return database;
};

// Writes a verdict where it outlives this tab.
const keep = async (one) => {
  const key = keyOf(one);
  try {
    localStorage.setItem(key, JSON.stringify(one));
    unkept.delete(key);
    return;
  } catch { /* full, or not allowed: the other store */ }
  // What an earlier word has left there would count for less, being older.
  unkept.add(key);
  try {
    const store = await openDatabase();
    await new Promise((done, failed) => {
      const step = store.transaction("verdicts", "readwrite", { durability: "strict" });
      step.objectStore("verdicts").put(one, key);
      step.oncomplete = done;
      step.onerror = step.onabort = () => failed(step.error);
    });
    unkept.delete(key);
    bus?.postMessage(one);
  } catch {
    say("This browser keeps no more verdicts: save review.csv now, and before you close this tab.");
  }
  changed([one.picture_sha256]);
};

const parsed = (text) => {
  try {
    const one = JSON.parse(text);
    return one && typeof one.picture_sha256 === "string" && typeof one.at === "string" ? one : null;
  } catch { return null; }
};

// Everything that this browser has of this batch.
const recall = async () => {
  const hashes = new Set();
  const take = (one) => { if (one && merge(one)) hashes.add(one.picture_sha256); };
  try {
    for (let index = 0; index < localStorage.length; index += 1) {
      const key = localStorage.key(index);
      if (key.startsWith(PREFIX)) take(parsed(localStorage.getItem(key)));
    }
    const store = await openDatabase();
    const range = IDBKeyRange.bound(PREFIX, `${PREFIX}\uffff`);
    const found = await new Promise((done, failed) => {
      const asked = store.transaction("verdicts").objectStore("verdicts").getAll(range);
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });
    found.forEach(take);
  } catch { /* a browser that keeps nothing: `keep` says so */ }
  if (hashes.size) changed([...hashes]);
};

const take = (one) => { if (one && merge(one)) changed([one.picture_sha256]); };
addEventListener("storage", (event) => { if (event.key?.startsWith(PREFIX)) take(parsed(event.newValue)); });
bus?.addEventListener("message", (event) => take(event.data));
addEventListener("visibilitychange", () => { if (!document.hidden) recall(); });

const everyVerdict = () => [...verdicts.values()].flatMap((said) => [...said.values()]);
const unsaved = () => everyVerdict().filter((one) => !one.saved).length;
addEventListener("beforeunload", (event) => { if (unkept.size) event.preventDefault(); });

// Gives a verdict; the next moment after any earlier one on this picture that is known here, whatever the clocks do.
const give = (sha256, of, verdict, reasons, note) => {
  const before = [...(verdicts.get(sha256)?.values() || [])].map((one) => Date.parse(one.at) + 1);
  const at = new Date(Math.max(Date.now(), ...before)).toISOString();
  const one = { ...of, picture_sha256: sha256, verdict, reasons, note, at, saved: false };
  merge(one);
  keep(one);
  wake();
  return one;
};
