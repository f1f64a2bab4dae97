import { isError } from "./format.js";

// most is how many exchanges the page keeps; the recorder's own budget of bytes
// is mostly reached before.
const most = 12000;

const ends = (s) => new Date(s.began).getTime() + (s.state === "active" ? Date.now() - new Date(s.began) : s.took_ms);

// orders are how the list can be sorted, by the name of the column.
const orders = {
  time: (s) => s.id, number: (s) => s.id, method: (s) => s.method, host: (s) => s.host, target: (s) => s.target, route: (s) => s.route, status: (s) => s.status,
  decision: (s) => s.decision, type: (s) => s.content_type, size: (s) => s.response_bytes, took: (s) => (s.state === "active" ? Infinity : s.took_ms), fall: (s) => s.id,
};

// A Store holds the summaries that the page knows, by ID, and which of them are to be
// shown, in their order.
export class Store {
  constructor() {
    this.byId = new Map();
    this.shown = [];
    this.fits = () => true; // the filter
    this.own = false; // what the proxy did by itself is shown, too
    this.range = null; // [from, to] in milliseconds: only what was under way then
    this.order = { name: "time", down: false };
  }

  replace(list) {
    this.byId = new Map(list.map((summary) => [summary.id, summary]));
    this.choose();
  }

  // put adds or renews one; choose is due after some of them.
  put(summary) {
    this.byId.set(summary.id, summary);
    if (this.byId.size > most) this.byId.delete(this.byId.keys().next().value);
  }

  remove(ids) { ids.forEach((id) => this.byId.delete(id)); }

  choose() {
    const all = [...this.byId.values()].filter((s) => (this.own || !s.own) && this.fits(s));
    this.inTime = all; // for the timeline, which chooses the range
    const { range, order } = this;
    this.shown = range ? all.filter((s) => new Date(s.began) <= range[1] && ends(s) >= range[0]) : all;
    const of = orders[order.name];
    const way = order.down ? -1 : 1;
    const sorted = (a, b) => way * compare(of(a), of(b)) || a.id - b.id;
    if (this.shown.some((s, i) => i > 0 && sorted(this.shown[i - 1], s) > 0)) this.shown = [...this.shown].sort(sorted);
  }

  // chronological says whether new ones come at the end.
  get chronological() { return ["time", "number", "fall"].includes(this.order.name) && !this.order.down; }

  // all are those that could be shown, whatever the filter says.
  get size() { return this.own ? this.byId.size : [...this.byId.values()].reduce((n, s) => n + !s.own, 0); }

  // words are the distinct values of a member, for the filter's choices.
  words(member) { return [...new Set([...this.byId.values()].filter((s) => !s.own || this.own).map((s) => s[member]).filter(Boolean))].sort(); }
}

const compare = (a, b) => (a === b ? 0 : typeof a === "string" ? a.localeCompare(b) : a - b);

// kindOf is the class of an exchange in what is drawn: "open", "bad", "warn", "soft" or "good".
export function kindOf(s) {
  if (s.status >= 500 || s.error || s.ended) return "bad";
  if (isError(s)) return "warn";
  if (!s.status) return "open";
  return s.status >= 300 || s.status < 200 ? "soft" : "good";
}

export { ends };
