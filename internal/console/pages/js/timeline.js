import { byId, el } from "./dom.js";
import { clock, line } from "./format.js";
import { kindOf } from "./store.js";

const bins = 80;
const kinds = ["good", "soft", "warn", "bad", "open"]; // from the bottom up
const height = 40, lane = 12;
const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  return element;
};

// A Timeline draws requests over time, by class, and what befell the credentials. A part
// of it can be chosen with the pointer, or with the arrows.
export class Timeline {
  // changed() is called when another range was chosen.
  constructor(store, credentials, changed) {
    Object.assign(this, { store, credentials, changed, box: byId("timeline"), drag: null });
    this.picture = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.brush = el("div", { class: "brush", hidden: true });
    this.told = el("p", { class: "range soft" });
    this.plot = el("div", { class: "plot", id: "plot", tabindex: "0", role: "group", "aria-label": "Requests over time" }, this.picture, this.brush);
    this.box.append(this.plot, this.told);
    this.plot.addEventListener("pointerdown", (e) => this.down(e));
    this.plot.addEventListener("pointermove", (e) => this.move(e));
    this.plot.addEventListener("pointerup", (e) => this.up(e));
    this.plot.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    this.plot.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // draw shows the store as it is now.
  draw() {
    const list = this.store.inTime || [];
    this.box.hidden = list.length < 2 && !this.store.range;
    if (this.box.hidden || !list.length) return;
    const began = list.map((s) => new Date(s.began).getTime());
    this.from = Math.min(...began);
    this.to = Math.max(...began, this.from + 1000);
    const counts = kinds.map(() => new Array(bins).fill(0));
    list.forEach((s, i) => { counts[kinds.indexOf(kindOf(s))][this.bin(began[i])]++; });
    const lanes = this.lives();
    const most = Math.max(...Array.from({ length: bins }, (_, i) => counts.reduce((sum, c) => sum + c[i], 0)), 1);
    this.picture.setAttribute("viewBox", `0 0 ${bins} ${height + lanes.length * lane}`);
    this.plot.style.setProperty("--height", `${height + lanes.length * lane}px`);
    this.picture.replaceChildren(...this.bars(counts, most), ...lanes.flatMap((l, i) => this.lane(l, i)));
    this.tell(list.length, most);
  }

  bin(at) { return Math.min(bins - 1, Math.max(0, Math.floor((at - this.from) / (this.to - this.from) * bins))); }

  bars(counts, most) {
    const rects = [];
    for (let i = 0; i < bins; i++) {
      let y = height;
      kinds.forEach((kind, k) => {
        const n = counts[k][i];
        if (!n) return;
        const h = Math.max(1.5, n / most * height);
        y -= h;
        rects.push(svg("rect", { x: i + 0.08, y, width: 0.84, height: h, class: kind }));
      });
    }
    return rects;
  }

  // lives are the credentials with what befell them: got, renewed, refused, healed, ends.
  lives() {
    const known = new Map(this.credentials().map((c) => [c.name, []]));
    for (const s of this.store.byId.values()) {
      if (!s.credential || !(s.own || s.replayed)) continue;
      const failed = s.own && (s.status >= 400 || s.ended);
      if (!known.has(s.credential)) known.set(s.credential, []);
      const what = s.replayed ? "healed" : failed ? "refused" : { login: "got", renewal: "renewed" }[s.own];
      if (what) known.get(s.credential).push([new Date(s.began).getTime(), what]);
    }
    for (const c of this.credentials()) {
      if (c.renewed_at) known.get(c.name).push([new Date(c.renewed_at).getTime(), "got"]);
      if (c.expires_at) known.get(c.name).push([new Date(c.expires_at).getTime(), "ends"]);
    }
    return [...known].filter(([, marks]) => marks.some(([at]) => at >= this.from && at <= this.to)).slice(0, 4);
  }

  lane([name, marks], i) {
    const y = height + i * lane;
    return [svg("line", { x1: 0, x2: bins, y1: y + lane / 2, y2: y + lane / 2, class: "lane" }),
      ...marks.filter(([at]) => at >= this.from && at <= this.to).map(([at, what]) => {
        const mark = svg("rect", { x: (at - this.from) / (this.to - this.from) * (bins - 0.5), y: y + 2, width: 0.5, height: lane - 4, class: `mark ${what}` });
        const title = svg("title");
        title.textContent = `${line(name)}: ${what} ${clock(at).slice(0, 8)}`;
        mark.append(title);
        return mark;
      })];
  }

  tell(n, most) {
    const { range } = this.store;
    const per = (this.to - this.from) / bins / 1000;
    const told = range
      ? [`${clock(range[0]).slice(0, 8)}–${clock(range[1]).slice(0, 8)} `, el("button", { type: "button", class: "quiet", onclick: () => this.choose(null) }, "All times")]
      : [`${clock(this.from).slice(0, 8)}–${clock(this.to).slice(0, 8)}, ${most / per >= 10 ? Math.round(most / per) : (most / per).toFixed(1)}/s at most`];
    const text = told.map((t) => (typeof t === "string" ? t : "x")).join("");
    if (this.said !== text) this.told.replaceChildren(...told);
    this.said = text;
    const credentials = this.lives().map(([name, marks]) => `${name} ${marks.map(([, what]) => what).join(", ")}`).join("; ");
    this.plot.setAttribute("aria-label", `${n} requests over time${credentials ? `; credentials: ${credentials}` : ""}. Choose a part with the arrows, or by dragging`);
    if (this.drag !== null) return;
    this.brush.hidden = !range;
    if (range) this.paint(this.place(range[0]), this.place(range[1]));
  }

  paint(a, b) {
    this.brush.hidden = false;
    const [from, to] = [Math.min(a, b), Math.max(a, b)].map((x) => Math.min(1, Math.max(0, x)));
    this.brush.style.setProperty("--from", `${from * 100}%`);
    this.brush.style.setProperty("--long", `${(to - from) * 100}%`);
  }

  at(event) {
    const box = this.plot.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  down(event) {
    if (event.button !== 0) return;
    this.drag = this.time(this.at(event));
    this.plot.setPointerCapture(event.pointerId);
  }

  time(x) { return this.from + x * (this.to - this.from); }

  place(at) { return (at - this.from) / (this.to - this.from); }

  move(event) { if (this.drag !== null) this.paint(this.place(this.drag), this.at(event)); }

  up(event) {
    if (this.drag === null) return;
    const [a, b] = [this.drag, this.time(this.at(event))].sort((x, y) => x - y);
    this.drag = null;
    this.choose(b - a < 0.005 * (this.to - this.from) ? null : [a, b]);
  }

  // key moves a twelfth of the whole on; Escape chooses all again.
  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape" && this.store.range) this.choose(null);
    else if (step && this.to > this.from) {
      const long = (this.to - this.from) / 12;
      const start = this.store.range ? this.store.range[0] + step * long : step > 0 ? this.from : this.to - long;
      const from = Math.min(Math.max(start, this.from), this.to - long);
      this.choose([from, from + long]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(range) {
    this.store.range = range;
    this.changed();
  }
}
