import { isError } from "./format.js";

// most is how many exchanges the page keeps; the recorder's own budget of bytes
// is mostly reached before.
const most = 5000;

// A Store holds the summaries that the page knows, by ID, and which of them the
// filter lets through, oldest first.
export class Store {
  constructor() {
    this.byId = new Map();
    this.filter = {};
    this.shown = [];
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
    const fits = predicate(this.filter);
    this.shown = [...this.byId.values()].filter(fits).sort((a, b) => a.id - b.id);
  }

  // words are the distinct values of a member, for the filter's choices.
  words(member) { return [...new Set([...this.byId.values()].map((s) => s[member]).filter(Boolean))].sort(); }
}

// predicate says which summaries a filter lets through; it reads as the API's own
// filter does.
export function predicate(f) {
  const text = (f.text || "").trim().toLowerCase();
  return (s) =>
    (!f.route || s.route === f.route) &&
    (!f.method || s.method === f.method) &&
    (!f.status || String(s.status || "").startsWith(f.status[0])) &&
    (!f.errors || isError(s)) &&
    (!text || haystack(s).includes(text));
}

function haystack(s) {
  return [s.method, s.scheme + "://" + s.host + s.target, s.content_type, s.avs, s.decision, s.error, s.ended].join("\n").toLowerCase();
}

// query is a filter as the API takes it.
export function query(f) {
  const pairs = Object.entries(f).filter(([, value]) => value).map(([name, value]) => [name, value === true ? "1" : value]);
  return new URLSearchParams(pairs).toString();
}
