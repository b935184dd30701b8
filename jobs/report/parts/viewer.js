// One row, large: person, garment and result side by side, moved and enlarged together.
const viewer = find("viewer");
const panes = find("panes");
const look = { big: false, x: 0.5, y: 0.3, flip: false, picture: 0, opener: null };

const pane = (label, source, alt, text) => {
  const made = el("figure", { className: "pane" }, el("div", { className: "window" }), el("figcaption", { textContent: label }));
  made.firstChild.append(source ? el("img", { src: source, alt, draggable: false }) : elsewhere(text, ""));
  return made;
};

const versionPane = (row, each) => {
  const [picture] = each.pictures.filter((one) => one.href);
  const made = pane("", picture.key && thumbnail(picture.key), `Version ${each.version} for ${row.sku || `row ${row.row}`}`, "");
  made.classList.add("compared");
  made.querySelector("figcaption").append(versionButton(row, each), flagsOf(row, each) && ` ${flagsOf(row, each)}`);
  return made;
};

// The page may travel alone: the full picture versions the thumbnail's place only if its file is there.
const bringWhole = (img, href) => {
  const full = new Image();
  full.onload = () => { if (img?.isConnected) { img.src = full.src; place(); } };
  full.src = href;
};

const drawViewer = () => {
  const row = list[at];
  if (viewer.hidden || !row) return;
  const shown = row.pictures.filter((picture) => picture.href);
  look.picture = Math.min(look.picture, Math.max(0, shown.length - 1));
  const picture = shown[look.picture];
  const inputs = row.inputs.map((given) => pane(given.label, given.key && thumbnail(given.key), given.label, given.name));
  const name = shown.length > 1 ? `Result ${look.picture + 1} of ${shown.length}` : "Result";
  const flags = picture === row.pictures[0] ? flagsOf(row) : "";
  const single = () => shown.length ? pane([name, flags].filter(Boolean).join(" · "), picture.key && thumbnail(picture.key), `Result for ${row.sku || `row ${row.row}`}`, "") : el("figure", { className: `pane s-${row.status}` }, reasonBox(row));
  const versions = seenVersions(row);
  const results = versions.length > 1 ? versions.map((each) => versionPane(row, each)) : [single()];
  const result = results[Math.max(0, versions.length > 1 ? versions.indexOf(looked(row)) : 0)];
  result.classList.add("made");
  const [person] = row.inputs;
  if (picture && person?.key) result.firstChild.append(el("img", { className: "over", src: thumbnail(person.key), alt: "Person over the result", draggable: false, hidden: !look.flip }));
  panes.replaceChildren(...inputs, ...results);
  const whole = versions.length > 1 ? versions.map((each) => each.pictures.find((one) => one.href)) : [picture];
  results.forEach((each, index) => { if (whole[index]) bringWhole(each.querySelector("img"), whole[index].href); });
  if (picture) find("file").href = picture.href;
  find("file").hidden = !picture;
  find("flip").hidden = !(picture && person?.key);
  find("caption").textContent = [row.sku || `Row ${row.row}`, row.title].filter(Boolean).join(" · ");
  find("place").textContent = `${number(at + 1)} / ${number(list.length)}`;
  find("flip").ariaPressed = String(look.flip);
  find("zoom").ariaPressed = String(look.big);
  place();
};

// At 1:1 every pane shows the same part of its picture, at the size that the result's own pixels have.
const place = () => {
  panes.classList.toggle("big", look.big);
  const result = panes.querySelector(".made .window > img");
  const [width, height] = [result?.naturalWidth || 0, result?.naturalHeight || 0];
  for (const img of panes.querySelectorAll(".window > img")) {
    const within = img.parentElement;
    if (!look.big || !width) { img.style.cssText = ""; continue; }
    const own = img.naturalHeight ? img.naturalWidth / img.naturalHeight : width / height;
    const [w, h] = [height * own / devicePixelRatio, height / devicePixelRatio];
    img.style.width = `${w}px`;
    img.style.height = `${h}px`;
    img.style.transform = `translate(${within.clientWidth / 2 - w * look.x}px, ${within.clientHeight / 2 - h * look.y}px)`;
  }
};

const setBig = (big, x = look.x, y = look.y) => { Object.assign(look, { big, x, y }); find("zoom").ariaPressed = String(big); place(); };
const setFlip = (flip) => {
  look.flip = flip;
  find("flip").ariaPressed = String(flip);
  for (const over of panes.querySelectorAll(".over")) over.hidden = !flip;
};

const openViewer = (opener) => {
  look.opener = opener;
  viewer.hidden = false;
  find("page").inert = true;
  document.body.classList.add("viewing");
  drawViewer();
  viewer.focus();
};
const closeViewer = () => {
  viewer.hidden = true;
  find("page").inert = false;
  document.body.classList.remove("viewing");
  setFlip(false);
  look.big = false;
  go(at);
};

let held = null;
panes.addEventListener("pointerdown", (event) => {
  if (event.button || event.target.closest("a, button")) return;
  held = { x: event.clientX, y: event.clientY, fromX: look.x, fromY: look.y, moved: false };
  panes.setPointerCapture(event.pointerId);
});
panes.addEventListener("pointermove", (event) => {
  if (!held) return;
  const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
  held.moved ||= Math.hypot(dx, dy) > 6;
  const img = panes.querySelector(".made .window > img");
  if (!look.big || !img) return;
  const within = (value) => Math.min(1, Math.max(0, value));
  setBig(true, within(held.fromX - dx / img.offsetWidth), within(held.fromY - dy / img.offsetHeight));
});
const release = (event) => {
  if (!held) return;
  const { x, y, moved } = held;
  held = null;
  const dx = event.clientX - x;
  // A swipe goes on to the next row, a tap enlarges at its place.
  if (!look.big && Math.abs(dx) > 50 && Math.abs(dx) > 2 * Math.abs(event.clientY - y)) go(at + (dx < 0 ? 1 : -1));
  else if (!moved && event.type === "pointerup") {
    const img = document.elementsFromPoint(event.clientX, event.clientY).find((each) => each.matches(".window > img"));
    if (!img) return;
    const all = img.getBoundingClientRect();
    setBig(!look.big, (event.clientX - all.left) / all.width, (event.clientY - all.top) / all.height);
  }
};
panes.addEventListener("pointerup", release);
panes.addEventListener("pointercancel", () => { held = null; });
panes.addEventListener("wheel", (event) => { if (!look.big) go(at + Math.sign(event.deltaY)); event.preventDefault(); }, { passive: false });
addEventListener("resize", place);
find("flip").onclick = () => setFlip(!look.flip);
find("zoom").onclick = () => setBig(!look.big);
find("close").onclick = closeViewer;
find("back").onclick = () => go(at - 1);
find("on").onclick = () => go(at + 1);
