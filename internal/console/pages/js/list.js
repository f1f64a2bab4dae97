import { el, byId } from "./dom.js";
import { clock, decision, line, mood, size, wait } from "./format.js";
import { ends, kindOf } from "./store.js";

// beyond is how many rows are kept above and below those in sight.
const beyond = 8;

const columns = [
  ["number", "#", (s) => String(s.id)],
  ["time", "Time", time],
  ["method", "Method", (s) => line(s.method || "")],
  ["host", "Host", (s) => line(s.host || "–")],
  ["target", "Target", target],
  ["route", "Route", (s) => line(s.route || "–")],
  ["status", "Status", status],
  ["decision", "Decision", (s) => (s.own ? `own: ${line(s.own)}` : decision(s.decision))],
  ["type", "Type", (s) => line((s.content_type || "").split(";")[0])],
  ["size", "Size", (s) => size(s.response_bytes)],
  ["took", "Took", took],
  ["fall", "Waterfall", () => []],
];

// time leaves out the milliseconds where the list is narrow.
function time(s) {
  const [seconds, rest] = clock(s.began).split(".");
  return [seconds, el("span", { class: "fine" }, `.${rest}`)];
}

function target(s) {
  const notes = [];
  if (s.avs) notes.push(el("b", { class: "avs" }, line(s.avs)));
  if (s.replay_of) notes.push(el("i", { class: "tag" }, `replay of ${s.replay_of}`));
  if (s.replayed) notes.push(el("i", { class: "tag" }, "token renewed"));
  const why = s.error || s.ended;
  return [...notes.flatMap((note) => [note, " "]), line(s.target || ""), ...(why ? [" ", el("span", { class: "why bad" }, line(why))] : [])];
}

function status(s) {
  const text = s.status ? String(s.status) : "···";
  const end = s.ended || s.error;
  return el("span", { class: mood(s), title: end ? line(end) : null }, s.status && end && s.status < 400 ? `${text} ✕` : text);
}

function took(s) {
  return s.state === "active" ? wait(Date.now() - new Date(s.began)) + " …" : wait(s.took_ms);
}

const newRow = (id) => el("div", { class: "row", role: "row", id: `x${id}` }, ...columns.map(([name]) => el("div", { class: name, role: "gridcell" })));

// fill leaves the elements of a row in place: a click on one that was renewed
// between press and release would be lost.
function fill(row, summary) {
  if (row.summary === summary) return;
  row.summary = summary;
  row.classList.toggle("active", summary.state === "active");
  columns.forEach(([name, , text], i) => { if (name !== "fall") row.children[i].replaceChildren(...[text(summary)].flat()); });
}

// A List shows the store's rows that are in sight, and no others, so that the
// page stays small at thousands of exchanges. It is a grid with one stop for the
// tabulator: the chosen row is named by aria-activedescendant.
export class List {
  // hooks: choose(id) when another row was chosen, open(id) when it is to be opened.
  constructor(grid, store, hooks) {
    Object.assign(this, { grid, store, hooks, chosen: 0, top: true, follows: true, rows: new Map(), seen: 0 });
    this.head = el("div", { class: "row head", role: "row", "aria-rowindex": 1 },
      ...columns.map(([name, title]) => el("div", { class: name, role: "columnheader", "data-column": name }, el("button", { type: "button", tabindex: "-1", title: `Sort by ${title === "#" ? "number" : title.toLowerCase()}`, onclick: () => this.sort(name) }, title))));
    this.sorted();
    this.space = el("div", { class: "space", role: "rowgroup" });
    grid.append(el("div", { role: "rowgroup", class: "heads" }, this.head), this.space);
    grid.addEventListener("scroll", () => this.scrolled());
    grid.addEventListener("click", (event) => this.clicked(event));
    byId("newer").addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.update()).observe(grid); // rows are higher where it is narrow
    setInterval(() => this.tick(), 1000);
  }

  // sort goes round: up, down, and back to the order in which they came.
  sort(name) {
    const { order } = this.store;
    if (order.name !== name || name === "time" && !order.down) this.store.order = { name, down: name === order.name };
    else if (!order.down) this.store.order = { name, down: true };
    else this.store.order = { name: "time", down: false };
    this.sorted();
    this.store.choose();
    this.update();
  }

  // sortNext is for the keyboard: the next column that is there to be seen.
  sortNext() {
    const names = [...this.head.children].filter((cell) => cell.checkVisibility()).map((cell) => cell.dataset.column);
    const next = names[(names.indexOf(this.store.order.name) + 1) % names.length] || "time";
    this.store.order = { name: next, down: false };
    this.sorted();
    this.store.choose();
    this.update();
  }

  sorted() {
    const { name, down } = this.store.order;
    for (const cell of this.head.children) {
      if (cell.dataset.column === name) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.follows = this.follows && this.store.chronological;
  }

  get height() { return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 28; }

  scrolled() {
    this.follows = this.store.chronological && this.grid.scrollTop + this.grid.clientHeight >= this.grid.scrollHeight - this.height;
    if (this.follows) this.seen = this.last();
    this.draw();
  }

  last() { return this.store.shown.at(-1)?.id || 0; }

  toEnd() {
    this.grid.scrollTop = this.grid.scrollHeight;
    this.scrolled();
  }

  // update shows the store as it is now. Who reads further up keeps the place, also
  // while the list is hidden, when it has none of its own.
  update() {
    if (!this.grid.clientHeight) return;
    const height = this.height;
    const index = Math.floor(this.grid.scrollTop / height);
    const anchor = this.follows ? undefined : this.anchor;
    this.space.style.height = `${this.store.shown.length * height}px`;
    this.grid.setAttribute("aria-rowcount", this.store.shown.length + 1);
    if (this.follows) this.toEnd();
    else if (anchor && this.store.chronological) {
      const now = this.store.shown.findIndex((s) => s.id >= anchor);
      if (now >= 0 && now !== index) this.grid.scrollTop += (now - index) * height;
    }
    this.draw();
  }

  draw() {
    if (!this.grid.clientHeight) return;
    const { shown } = this.store;
    const height = this.height;
    const first = Math.max(0, Math.floor(this.grid.scrollTop / height) - beyond);
    const end = Math.min(shown.length, Math.ceil((this.grid.scrollTop + this.grid.clientHeight) / height) + beyond);
    this.anchor = shown[Math.floor(this.grid.scrollTop / height)]?.id;
    const rows = new Map();
    for (let i = first; i < end; i++) this.place(rows, shown[i], i, height);
    const at = this.index();
    if (at >= 0 && (at < first || at >= end)) this.place(rows, shown[at], at, height);
    for (const [id, row] of this.rows) if (rows.get(id) !== row) row.remove();
    this.rows = rows;
    this.mark();
    this.newer();
    this.fall();
  }

  place(rows, summary, index, height) {
    const row = this.rows.get(summary.id) || newRow(summary.id);
    fill(row, summary);
    row.style.transform = `translateY(${index * height}px)`;
    row.setAttribute("aria-rowindex", index + 2);
    if (!row.isConnected) this.space.append(row);
    rows.set(summary.id, row);
  }

  // fall draws when the exchanges in sight ran, beside each other.
  fall() {
    const { scrollTop, clientHeight } = this.grid;
    const inSight = (row) => { const i = row.ariaRowIndex - 2; return (i + 1) * this.height >= scrollTop && i * this.height <= scrollTop + clientHeight; };
    const seen = [...this.rows.values()].filter(inSight).map((row) => row.summary);
    const from = Math.min(...seen.map((s) => new Date(s.began).getTime()));
    const long = Math.max(...seen.map(ends), from + 1) - from;
    for (const row of this.rows.values()) {
      const s = row.summary, cell = row.lastChild;
      const bar = cell.firstChild || cell.appendChild(el("div", { class: "bar" }));
      bar.className = `bar ${kindOf(s)}`;
      bar.style.setProperty("--from", `${((new Date(s.began) - from) / long * 100).toFixed(2)}%`);
      bar.style.setProperty("--long", `${((ends(s) - new Date(s.began)) / long * 100).toFixed(2)}%`);
    }
  }

  mark() {
    for (const [id, row] of this.rows) row.setAttribute("aria-selected", String(id === this.chosen));
    if (this.rows.has(this.chosen)) this.grid.setAttribute("aria-activedescendant", `x${this.chosen}`);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  newer() {
    const button = byId("newer");
    const n = this.follows || !this.store.chronological ? 0 : this.store.shown.reduce((sum, s) => sum + (s.id > this.seen), 0);
    button.hidden = n === 0;
    button.textContent = `↓ ${n} newer`;
  }

  // tick renews how long those in sight have run.
  tick() {
    for (const row of this.rows.values()) {
      if (row.summary.state === "active") row.querySelector(".took").textContent = took(row.summary);
    }
    if (this.grid.clientHeight && [...this.rows.values()].some((row) => row.summary.state === "active")) this.fall();
  }

  index() { return this.store.shown.findIndex((s) => s.id === this.chosen); }

  clicked(event) {
    const row = event.target.closest(".row");
    if (!row?.summary) return;
    this.choose(row.summary.id);
    this.hooks.open(row.summary.id);
  }

  choose(id) {
    this.chosen = id;
    this.reveal();
    this.draw();
    this.hooks.choose(id);
  }

  // move chooses the row that many further down; the first time, the newest.
  move(by) {
    const { shown } = this.store;
    if (!shown.length) return;
    const at = this.index();
    const to = at < 0 ? shown.length - 1 : Math.min(Math.max(at + by, 0), shown.length - 1);
    this.choose(shown[to].id);
  }

  reveal() {
    const at = this.index();
    if (at < 0) return;
    const top = at * this.height;
    const room = this.grid.clientHeight - this.head.offsetHeight - this.height;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + room) this.grid.scrollTop = top - room;
  }

  page() { return Math.max(1, Math.floor(this.grid.clientHeight / this.height) - 2); }
}
