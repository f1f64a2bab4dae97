import { byId, el, say } from "./dom.js";
import { send } from "./api.js";
import { Detail } from "./detail.js";
import { emptyFor } from "./empty.js";
import { Breakpoints } from "./breakpoints.js";
import { Composer } from "./compose.js";
import { Explainer } from "./explain.js";
import { FilterBox, inAddress as filterInAddress, keep, terms } from "./filter.js";
import { importHAR } from "./har.js";
import { sentence } from "./format.js";
import { Header } from "./header.js";
import { keys } from "./keys.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { Matches } from "./matches.js";
import { isOff, showState } from "./state.js";
import { Store } from "./store.js";
import { Timeline } from "./timeline.js";

const narrow = matchMedia("(max-width: 50rem)");

const store = new Store();
const header = new Header();
const list = new List(byId("list"), store, { choose: chosen, open });
const detail = new Detail(byId("detail"), { open, close, door: () => header.door(), told });
const explainer = new Explainer();
const composer = new Composer(open);
new Breakpoints();
const matches = new Matches(changed, wrong);
store.fits = (s) => matches.has(s.id);
const timeline = new Timeline(store, () => header.known, changed);
const box = new FilterBox((member) => store.words(member), () => filter());
let paused = false;
let off = false; // nothing is captured
let due = false;
let linked = true; // what the address says is to be shown in the list
let imported = null; // the summaries of a file, in the place of the traffic

// The address says what is open, so that going back closes it, and a reload or a
// link finds it again.
const inAddress = () => Number(/^#(\d+)$/.exec(location.hash)?.[1] || 0);

function open(id) {
  if (inAddress() !== id) location.hash = id;
}

function close() {
  if (!detail.id) return;
  history.pushState(null, "", location.pathname + location.search);
  turned();
  byId("list").focus();
}

// turned shows what the address says.
function turned() {
  const id = inAddress();
  document.body.classList.toggle("opened", id > 0);
  if (!id) {
    detail.close();
  } else if (id !== detail.id) {
    detail.open(id);
    if (narrow.matches) detail.loaded.then(() => detail.focus());
    if (list.chosen !== id) list.choose(id);
  }
  follow();
}

// chosen lets an open pane go along with the chosen row.
function chosen(id) {
  if (!detail.id || narrow.matches || id === detail.id) return;
  history.replaceState(null, "", `${location.pathname}${location.search}#${id}`);
  turned();
}

// told lets the row of what is open grow with it: the server tells it of its begin,
// head and end alone.
function told({ request, response, interim, findings, ...summary }) {
  if (summary.state !== "active" || !store.byId.has(summary.id)) return;
  store.put(summary);
  changed();
}

// follow has the server tell the bytes of what is open while it runs. One that has
// ended is not followed any more when something else is opened.
function follow() {
  const summary = store.byId.get(detail.id);
  live.follow(summary && summary.state === "active" ? detail.id : 0);
}

// changed draws once a frame, however much came.
function changed() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; draw(); });
  if (document.hidden) setTimeout(() => { if (due) { due = false; draw(); } }, 1000);
}

function draw() {
  store.choose();
  list.update();
  timeline.draw();
  if (linked && detail.id && store.byId.has(detail.id)) { linked = false; list.choose(detail.id); }
  emptyFor(emptiness());
  count(store.size, store.shown.length);
  choices("route");
  choices("method");
}

function emptiness() {
  if (off) return "off";
  if (store.size) return store.shown.length ? "" : "filtered";
  return paused ? "paused" : "first";
}

function count(all, shown) {
  const unit = el("span", { class: "unit" }, all === 1 ? " exchange" : " exchanges");
  Object.assign(byId("count").dataset, { all, shown });
  byId("count").replaceChildren(...(all ? [shown === all ? `${all}` : `${shown} of ${all}`, unit] : []));
}

// choices offers the words that were met.
function choices(member) {
  const select = byId(member);
  const words = store.words(member);
  const have = new Set([...select.options].map((o) => o.value));
  for (const word of words) if (!have.has(word)) select.append(el("option", { value: word }, word));
}

const live = new Live({
  reload(answer) {
    pausedIs(answer.paused);
    if (imported) return;
    store.replace(answer.exchanges);
    if (matches.filter) matches.set(matches.filter);
    changed();
    if (detail.id) detail.renew();
    if (store.byId.get(detail.id)?.state === "active") follow();
  },
  exchange(summary) {
    if (imported) return;
    store.put(summary);
    matches.touch(summary.id);
    detail.changed(summary);
    changed();
  },
  chunk: (chunk) => detail.chunk(chunk),
  removed(ids) { if (!imported) { store.remove(ids); changed(); } },
  cleared() { if (!imported) { store.replace([]); changed(); } }, // what still runs is told behind it
  paused: pausedIs, // by whomever
  state,
});

function state(word, error) {
  const wasOff = off;
  off = isOff(error);
  showState(word, error, paused);
  document.body.classList.toggle("stale", word === "lost" && !off);
  if (off !== wasOff) draw();
  if (off) byId("empty").querySelector("p").textContent = sentence(error.hint);
}

function pausedIs(is) {
  paused = is;
  byId("pause").classList.toggle("on", is);
  byId("pause").textContent = is ? "Resume" : "Pause";
  state("live");
  changed();
}

async function pause() {
  try {
    await send("POST", "/api/capture", { paused: !paused }); // which tells all pages
  } catch (error) { say(error.sentence); }
}

// clear asks first: nothing brings the exchanges back.
function clear() {
  const dialog = byId("clears");
  dialog.onclose = () => { if (dialog.returnValue === "yes") forget(); dialog.returnValue = ""; };
  dialog.showModal();
}

async function forget() {
  try {
    await send("DELETE", "/api/exchanges");
    close();
    live.reload();
  } catch (error) { say(error.sentence); }
}

function filter() {
  const tools = byId("tools").elements;
  const wanted = terms(tools);
  store.own = tools.own.checked || /(^|\s)-?is:own(\s|$)/i.test(wanted);
  keep(wanted);
  matches.set(wanted);
  byId("har").href = `/har${wanted && `?${new URLSearchParams({ filter: wanted })}`}`;
  byId("count").ariaLive = "polite"; // what was asked for is told, what comes by itself is not
  changed();
  setTimeout(() => { byId("count").ariaLive = "off"; }, 1000);
}

// wrong says what is wrong with the filter; what was shown before stays.
function wrong(error) {
  byId("wrong").textContent = error ? error.sentence : "";
  byId("text").setAttribute("aria-invalid", String(Boolean(error)));
}

// show has a file's exchanges in the place of the traffic, or the traffic again.
function show(file) {
  imported = file;
  close();
  detail.imported = file?.records || null;
  store.range = null;
  byId("tools").reset();
  byId("tools").inert = Boolean(file); // the console knows the traffic alone
  filter();
  byId("imported").hidden = !file;
  if (!file) return live.reload();
  byId("imported").replaceChildren(`${file.name}: ${file.summaries.length} exchanges of a file, not of this proxy. `, el("button", { type: "button", class: "quiet", onclick: () => show(null) }, "Back to the traffic"));
  store.replace(file.summaries);
  changed();
}

async function choseFile(event) {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  try {
    show(await importHAR(file));
  } catch (error) { say(`${file.name} cannot be shown: ${error.message}.`); }
}

function relieve() {
  if (byId("empty").dataset.reason === "paused") return pause();
  byId("tools").reset();
  store.range = null;
  filter();
}

// back shows the filter that the address has now.
function back() {
  if (terms(byId("tools").elements) === filterInAddress()) return;
  byId("tools").reset();
  byId("text").value = filterInAddress();
  filter();
}

const step = (by) => () => list.move(by);

// go opens what it moves to.
const go = (by) => () => { list.move(by); if (list.chosen) open(list.chosen); };

// onOpen acts on what is open, and opens what is chosen first, where nothing is.
const onOpen = (action) => () => {
  if (!detail.id && list.chosen) { open(list.chosen); turned(); }
  if (detail.id) detail.loaded.then(action);
};
const explain = () => explainer.open(detail.record, header.try);
const help = () => byId("help").showModal();

keys({
  j: go(1), k: go(-1),
  "list ArrowDown": step(1), "list ArrowUp": step(-1),
  "list PageDown": () => list.move(list.page()), "list PageUp": () => list.move(-list.page()),
  "list Home": () => list.move(-Infinity), "list End": () => list.move(Infinity),
  "list Enter": () => { if (list.chosen && list.chosen === detail.id) detail.focus(); else if (list.chosen) open(list.chosen); },
  Escape: escape,
  "/": () => byId("text").focus(),
  p: pause, s: () => list.sortNext(), n: () => composer.open(), e: explain, "?": help, c: onOpen(() => detail.copy()), r: onOpen(() => detail.again()),
}, (target) => target === byId("list") || target === document.body);

function escape() {
  const focused = document.activeElement;
  if (byId("tools").contains(focused)) return byId("list").focus();
  if (detail.record && detail.place.firstChild) return detail.place.replaceChildren();
  close();
}

addEventListener("popstate", () => { back(); turned(); }); // comes with every change of the hash, too
byId("tools").addEventListener("input", filter);
byId("tools").addEventListener("submit", (event) => event.preventDefault());
byId("asks").addEventListener("click", explain);
byId("helps").addEventListener("click", help);
byId("relief").addEventListener("click", relieve);
byId("pause").addEventListener("click", pause);
byId("clear").addEventListener("click", clear);
byId("composes").addEventListener("click", () => composer.open());
byId("imports").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", choseFile);
byId("text").value = filterInAddress();
filter();
turned();
