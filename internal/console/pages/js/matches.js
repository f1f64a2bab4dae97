import { get } from "./api.js";
import { once } from "./dom.js";

// Matches are the exchanges that a filter shows, by the console's word: it alone knows the
// language, and looks into heads and bodies.
export class Matches {
  // changed() is called when others match; wrong(error) when the filter cannot be read, or with undefined.
  constructor(changed, wrong) {
    Object.assign(this, { changed, wrong, filter: "", ids: null, due: new Set() });
    this.ask = once(60, () => this.renew());
  }

  // set takes another filter; "" shows all.
  async set(filter) {
    this.filter = filter;
    this.due.clear();
    if (!filter) {
      this.ids = null;
      this.wrong(undefined);
      return this.changed();
    }
    try {
      const { ids } = await get(`/api/matching?${new URLSearchParams({ filter, own: "1" })}`);
      if (this.filter !== filter) return;
      this.ids = new Set(ids);
      this.wrong(undefined);
      this.changed();
    } catch (error) {
      if (this.filter === filter) this.wrong(error);
    }
  }

  has(id) { return !this.ids || this.ids.has(id); }

  // touch has an exchange judged anew that came or changed.
  touch(id) {
    if (!this.ids) return;
    this.due.add(id);
    this.ask();
  }

  async renew() {
    const { filter } = this;
    const of = [...this.due].slice(0, askedMost);
    of.forEach((id) => this.due.delete(id));
    if (!of.length || !this.ids) return;
    const { ids } = await get(`/api/matching?${new URLSearchParams({ filter, own: "1", of: of.join(",") })}`).catch(() => ({ ids: [] }));
    if (this.filter !== filter || !this.ids) return;
    of.forEach((id) => this.ids.delete(id));
    ids.forEach((id) => this.ids.add(id));
    this.changed();
    if (this.due.size) this.ask();
  }
}

// askedMost keeps the address of a question short.
const askedMost = 500;
