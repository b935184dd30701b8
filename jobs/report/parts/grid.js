// The cards that can be seen, and no others: boxes have one size, so each one's place follows from its number.
const GAP = 18;
const LEAST = 318;
const MOST_CARDS = 150;
// Browsers draw no page of any height; beyond this the way down is shortened.
const MOST_PIXELS = 12_000_000;
let list = [];
let at = 0;
let anchor = 0;
const sheet = find("sheet");
const drawn = new Map();
const box = { columns: 1, width: LEAST, height: 500, lines: 0, top: 0 };

const measure = () => {
  const whole = sheet.clientWidth;
  box.columns = Math.max(1, Math.floor((whole + GAP) / (LEAST + GAP)));
  box.width = (whole - GAP * (box.columns - 1)) / box.columns;
  box.height = Math.round((box.width - 16) * 0.895) + 66 + 42 + 66;
  box.lines = Math.ceil(list.length / box.columns);
  box.top = sheet.getBoundingClientRect().top + scrollY;
  sheet.style.height = `${Math.min(box.lines * (box.height + GAP), MOST_PIXELS)}px`;
  sheet.style.setProperty("--width", `${box.width}px`);
  sheet.style.setProperty("--height", `${box.height}px`);
};

// How far a long sheet runs ahead of its page.
const ahead = () => {
  const whole = box.lines * (box.height + GAP);
  if (whole <= MOST_PIXELS) return 0;
  const share = Math.min(1, Math.max(0, (scrollY - box.top) / (MOST_PIXELS - innerHeight)));
  return share * (whole - MOST_PIXELS);
};

const draw = () => {
  const moved = ahead();
  const step = box.height + GAP;
  const top = Math.max(0, scrollY - box.top) + moved;
  const first = Math.max(0, Math.floor(top / step) - 1) * box.columns;
  const until = Math.min(list.length, (Math.ceil((top + innerHeight) / step) + 1) * box.columns, first + MOST_CARDS);
  const wanted = new Set(list.slice(first, until));
  for (const [row, card] of drawn) if (!wanted.has(row)) { card.remove(); drawn.delete(row); }
  for (let index = first; index < until; index += 1) {
    const row = list[index];
    let card = drawn.get(row);
    if (!card) {
      card = drawCard(row);
      card.row = row;
      drawn.set(row, card);
      sheet.append(card);
    }
    card.style.transform = `translate(${(index % box.columns) * (box.width + GAP)}px, ${Math.floor(index / box.columns) * step - moved}px)`;
    card.ariaSetSize = String(list.length);
    card.ariaPosInSet = String(index + 1);
    card.tabIndex = index === at ? 0 : -1;
    card.classList.toggle("at", index === at);
    card.classList.toggle("chosen", anchor !== at && index >= Math.min(anchor, at) && index <= Math.max(anchor, at));
  }
};

let asked = false;
const drawSoon = () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
};

// Draws cards anew whose verdicts have changed.
const redraw = (touched) => {
  for (const row of touched) { drawn.get(row)?.remove(); drawn.delete(row); }
  draw();
};

// Goes to a row of the list, which comes into sight.
const go = (index, { range = false, focus = true } = {}) => {
  if (!list.length) { at = anchor = 0; return; }
  at = Math.min(list.length - 1, Math.max(0, index));
  if (!range) anchor = at;
  const step = box.height + GAP;
  const whole = box.lines * step;
  const line = Math.floor(at / box.columns) * step;
  const bars = find("tools").offsetHeight * (getComputedStyle(find("tools")).position === "sticky" ? 1 : 0) + 8;
  const seen = innerHeight - bars - find("judge").offsetHeight;
  const place = line - ahead() + box.top - scrollY;
  if (place < bars || place + box.height > bars + seen) {
    const wanted = place < bars ? line - bars : line + box.height - bars - seen + 8;
    const long = whole > MOST_PIXELS ? (MOST_PIXELS - innerHeight) / (whole - innerHeight) : 1;
    scrollTo({ top: box.top + Math.max(0, wanted) * long, behavior: "instant" });
  }
  draw();
  if (focus && find("viewer").hidden) drawn.get(list[at])?.focus({ preventScroll: true });
  arrived();
};

// The rows that a verdict is for: one, or the range that Shift has marked.
const chosen = () => list.slice(Math.min(anchor, at), Math.max(anchor, at) + 1);
addEventListener("scroll", drawSoon, { passive: true });
addEventListener("resize", () => { measure(); draw(); });
