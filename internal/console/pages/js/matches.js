import { get } from "./api.js";
import { once } from "./dom.js";

const patience = 120; // ms between a key and the question
const askedMost = 500; // keeps the address of a question short

const ask = (filter, more) => get(`/api/matching?${new URLSearchParams({ filter, own: "1", ...more })}`);

// Matches are the exchanges that a filter shows, by the console's word: it alone knows the
// language, and looks into heads and bodies.
export class Matches {
  // changed() is called when others match; wrong(error) when the filter cannot be read, or with undefined.
  constructor(changed, wrong) {
    Object.assign(this, { changed, wrong, filter: "", ids: null, due: new Set(), turn: 0 });
    this.judge = once(60, () => this.renew());
  }

  // set takes another filter; "" shows all. What matched before stays until the answer is there.
  set(filter) {
    this.filter = filter;
    clearTimeout(this.timer);
    const turn = ++this.turn; // older answers do not count any more
    if (!filter) {
      this.ids = null;
      this.due.clear();
      this.wrong(undefined);
      this.changed();
      return;
    }
    this.timer = setTimeout(() => this.find(turn), patience);
  }

  async find(turn) {
    try {
      const { ids } = await ask(this.filter);
      if (this.turn !== turn) return;
      this.ids = new Set(ids);
      this.wrong(undefined);
      this.changed();
      if (this.due.size) this.judge(); // those that changed meanwhile
    } catch (error) {
      if (this.turn === turn) this.wrong(error);
    }
  }

  has(id) { return !this.ids || this.ids.has(id); }

  // touch has an exchange judged anew that came or changed.
  touch(id) {
    if (!this.filter) return;
    this.due.add(id);
    this.judge();
  }

  async renew() {
    const { turn } = this;
    const of = [...this.due].slice(0, askedMost);
    if (!of.length || !this.ids) return;
    of.forEach((id) => this.due.delete(id));
    const answer = await ask(this.filter, { of: of.join(",") }).catch(() => undefined);
    if (this.turn !== turn || !answer) return;
    of.forEach((id) => this.ids.delete(id));
    answer.ids.forEach((id) => this.ids.add(id));
    this.changed();
    if (this.due.size) this.judge();
  }
}
