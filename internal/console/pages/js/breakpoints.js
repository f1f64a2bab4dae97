import { byId, el, say } from "./dom.js";
import { get, send } from "./api.js";
import { line, size } from "./format.js";
import { headerFields } from "./replay.js";

// Breakpoints hold requests or answers for as long as the page listens for them.
export class Breakpoints {
  constructor() {
    Object.assign(this, { panel: byId("held"), form: byId("holding"), button: byId("holds"), source: null });
    this.button.addEventListener("click", () => this.toggle());
    this.form.addEventListener("submit", (event) => { event.preventDefault(); if (this.source) this.stop(); else this.start(); });
  }

  toggle() {
    this.panel.hidden = !this.panel.hidden;
    this.button.setAttribute("aria-expanded", String(!this.panel.hidden));
    if (!this.panel.hidden) this.form.elements.filter.focus();
  }

  async start() {
    if (this.starting) return;
    this.starting = true;
    try { await this.begin(); } finally { this.starting = false; }
  }

  async begin() {
    const { side, filter } = this.form.elements;
    const query = new URLSearchParams({ side: side.value, filter: filter.value });
    // A stream cannot say what is wrong with a filter.
    const wrong = await get(`/api/matching?${new URLSearchParams({ filter: filter.value, of: "0" })}`).then(() => "", (error) => error.sentence);
    if (wrong) return this.tell(wrong);
    this.source = new EventSource(`/api/breakpoints?${query}`);
    this.source.addEventListener("held", (event) => this.show(JSON.parse(event.data)));
    this.source.onerror = () => this.stop("The connection was lost, so what was held went on.");
    this.tell("Holding.");
    this.running(true);
  }

  stop(why = "") {
    this.source?.close();
    this.source = null;
    byId("waiting").replaceChildren();
    this.tell(why);
    this.running(false);
  }

  running(is) {
    this.form.querySelector("button").textContent = is ? "Stop" : "Start";
    this.button.classList.toggle("on", is);
    this.form.elements.side.disabled = this.form.elements.filter.disabled = is;
  }

  tell(text) { this.form.querySelector("[role=status]").textContent = text; }

  show(held) {
    const card = new HeldCard(held, () => card.element.remove());
    byId("waiting").append(card.element);
    if (this.panel.hidden) this.toggle();
    say(`${held.side === "request" ? "A request" : "An answer"} is held: ${line(held.method)} ${line(held.target)}`);
    setTimeout(() => card.over("It has gone on: it was held for a minute."), held.seconds * 1000);
  }
}

// A HeldCard shows one message that waits, and sends what was decided: only what was changed.
class HeldCard {
  constructor(held, done) {
    Object.assign(this, { held, done });
    const request = held.side === "request";
    const input = (value, label, more) => el("input", { value, "aria-label": label, autocomplete: "off", spellcheck: "false", ...more });
    this.first = request ? input(held.method, "Method", { size: "8" }) : input(String(held.status), "Status", { size: "4", inputmode: "numeric" });
    this.target = request ? input(held.target, "Target") : el("span", null, `${line(held.method)} ${line(held.target)}`);
    this.headers = el("textarea", { rows: "5", "aria-label": "Headers", spellcheck: "false" });
    this.headers.value = this.was = held.headers.map(([n, v]) => `${line(n)}: ${line(v)}`).join("\n");
    this.masked = new Set((held.headers_masked || []).map((i) => held.headers[i][0].toLowerCase()));
    this.body = el("textarea", { rows: "5", "aria-label": "Body", spellcheck: "false", placeholder: this.about() });
    this.crlf = /\r\n/.test(held.body || "") && !/[^\r]\n/.test(held.body || "");
    this.body.value = held.body || "";
    this.had = this.body.value; // as a text field keeps it: its ends of lines are LF
    this.body.disabled = !held.whole && held.size > 0;
    this.told = el("p", { class: "bad", role: "alert" });
    this.element = el("form", { class: "card", "data-held": held.id, onsubmit: (event) => { event.preventDefault(); this.decide(this.changes()); } },
      el("p", { class: "line" }, el("b", null, request ? "Request" : "Answer"), held.exchange ? el("a", { href: `#${held.exchange}` }, `exchange ${held.exchange}`) : null),
      el("div", { class: "pair" }, this.first, this.target), this.headers, this.body, this.told,
      el("p", { class: "buttons" }, el("button", null, "Go on"), " ", el("button", { type: "button", class: "quiet", onclick: () => this.decide({ drop: true }) }, "Drop")));
  }

  // over says that nothing can be decided any more; what was written stays to be read.
  over(text) {
    if (!this.element.isConnected) return;
    this.told.textContent = text;
    this.element.querySelectorAll("input, textarea, .buttons button").forEach((e) => { e.disabled = true; });
    this.element.querySelector(".buttons").replaceChildren(el("button", { type: "button", class: "quiet", onclick: () => this.done() }, "Close"));
  }

  about() {
    const { size: n, whole, body } = this.held;
    if (!n && whole) return "No body.";
    if (!whole) return `${size(n)} so far; it goes on as it comes.`;
    return body === undefined ? `${size(n)} that are no text, or have a secret in them, go on as they are; or write others here.` : "";
  }

  changes() {
    const changes = {};
    if (this.held.side === "request") {
      if (this.first.value !== this.held.method) changes.method = this.first.value.trim().toUpperCase();
      if (this.target.value !== this.held.target) changes.target = this.target.value.trim();
    } else if (this.first.value !== String(this.held.status)) changes.status = Number(this.first.value);
    if (this.headers.value !== this.was) Object.assign(changes, this.fields());
    if (!this.body.disabled && this.body.value !== this.had) changes.body = this.crlf ? this.body.value.replaceAll("\n", "\r\n") : this.body.value;
    return changes;
  }

  // fields are those that were set to something else, and those that were taken away. What was masked stays as it is.
  fields() {
    const before = Map.groupBy(headerFields(this.was, this.masked), ([n]) => n.toLowerCase());
    const now = Map.groupBy(headerFields(this.headers.value, this.masked), ([n]) => n.toLowerCase());
    const values = (list) => (list || []).map(([, v]) => v);
    const set = Object.fromEntries([...now].filter(([n, list]) => JSON.stringify(values(before.get(n))) !== JSON.stringify(values(list))).map(([n, list]) => [n, values(list)]));
    const remove = [...before.keys()].filter((n) => !now.has(n));
    return { set, remove };
  }

  async decide(decision) {
    try {
      await send("POST", `/api/held/${this.held.id}`, decision);
      this.done();
    } catch (error) {
      if (error.status === 404) this.over(error.sentence); else this.told.textContent = error.sentence;
    }
  }
}
