import { el, byId } from "./dom.js";

// What can stand before a colon in a filter, and what it takes.
const keys = {
  status: "404, 4xx, >=400, 400-499", method: "POST,PUT", route: "a route's name", host: "a part of the host", path: "a part of path and query",
  url: "a part of the whole URL", type: "a part of the answer's content type", body: "a text in a body", header: "a text in a header", took: ">1s, <50ms",
  size: "of the answer: >10KiB", sent: "of the request: >10KiB", decision: "injected, refused, …", error: "of avsproxy's own", ended: "how it was cut", avs: "an event's name",
  proto: "HTTP/2", id: ">=12", is: "error, open, own, …",
};
const kinds = ["answered", "done", "error", "lasting", "open", "own", "renewed", "replay"];

// A FilterBox is the field for filters, with completion of the term at the cursor. It is a
// combobox as ARIA has them: the list stays out of the order of tabs.
export class FilterBox {
  // words(member) are the values that were met.
  constructor(words, changed) {
    Object.assign(this, { words, changed, input: byId("text"), list: byId("hints"), at: -1 });
    this.input.addEventListener("input", () => this.offer());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const option = event.target.closest("[role=option]");
      if (option) this.take(option.dataset.text);
    });
  }

  // term is the one that ends at the cursor.
  term() {
    const before = this.input.value.slice(0, this.input.selectionStart ?? this.input.value.length);
    const from = /(?:^|\s)-?([^\s"]*)$/.exec(before);
    return from ? from[1] : "";
  }

  options(term) {
    const [, key, value] = /^(\w+):(.*)$/.exec(term) || [];
    if (key === undefined) {
      if (!term) return [];
      return Object.keys(keys).filter((k) => k.startsWith(term.toLowerCase())).map((k) => [`${k}:`, keys[k]]);
    }
    const known = { route: () => this.words("route"), method: () => this.words("method"), host: () => this.words("host"), is: () => kinds, decision: () => this.words("decision"), avs: () => this.words("avs"), status: () => ["4xx", "5xx", ">=400", ...this.words("status").map(String)] }[key];
    return (known?.() || []).filter((v) => v.toLowerCase().startsWith(value.toLowerCase()) && v !== value && !/[\s"]/.test(v)).map((v) => [`${key}:${v}`, ""]);
  }

  offer() {
    const found = this.options(this.term()).slice(0, 12);
    this.at = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...found.map(([text, about], i) => el("li", { role: "option", id: `hint${i}`, "data-text": text, "aria-selected": "false" }, el("code", null, text), about ? el("span", { class: "soft" }, ` ${about}`) : null)));
    this.open(found.length > 0);
  }

  open(is) {
    this.list.hidden = !is;
    this.input.setAttribute("aria-expanded", String(is));
    if (!is) this.input.removeAttribute("aria-activedescendant");
  }

  close() { this.open(false); }

  key(event) {
    if (this.list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const chosen = this.list.children[this.at];
    if (step) this.move(step);
    else if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen) this.take(chosen.dataset.text);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(step) {
    const n = this.list.children.length;
    this.at = (this.at + step + n + (this.at < 0 && step < 0 ? 1 : 0)) % n;
    [...this.list.children].forEach((o, i) => o.setAttribute("aria-selected", String(i === this.at)));
    this.input.setAttribute("aria-activedescendant", `hint${this.at}`);
    this.list.children[this.at].scrollIntoView({ block: "nearest" });
  }

  // take puts a completion in the place of the term.
  take(text) {
    const end = this.input.selectionStart, term = this.term();
    const value = this.input.value;
    const rest = value.slice(end).replace(/^\S*/, ""); // the whole term is another one now
    const done = text.endsWith(":") ? text : `${text} `;
    this.input.value = value.slice(0, end - term.length) + done + (done.endsWith(" ") ? rest.trimStart() : rest);
    const cursor = end - term.length + done.length;
    this.input.setSelectionRange(cursor, cursor);
    this.offer();
    this.changed();
  }
}

// terms is the whole filter: the field's text, and what the other fields choose.
export function terms(tools) {
  const chosen = [finished(tools.text.value)];
  for (const name of ["route", "method", "status"]) if (tools[name].value) chosen.push(`${name}:${quoted(tools[name].value)}`);
  if (tools.errors.checked) chosen.push("is:error");
  return chosen.filter(Boolean).join(" ");
}

// finished leaves out a last term that is still being written.
function finished(text) {
  let start = 0, quoted = false; // of the last term
  for (let i = 0; i < text.length; i++) {
    if (quoted && text[i] === "\\") i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (!quoted && /\s/.test(text[i])) start = i + 1;
  }
  const last = text.slice(start);
  return (quoted && /^-?(\w+:)?"/.test(last) || /^-?(\w+:[<>]?=?)?$/.test(last) ? text.slice(0, start) : text).trim();
}

const quoted = (text) => (/[\s"]/.test(text) ? `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : text);

// inAddress is the filter that the page's address has; keep puts it there.
export const inAddress = () => new URLSearchParams(location.search).get("filter") || "";

export function keep(text) {
  const query = text ? `?${new URLSearchParams({ filter: text })}` : "";
  if (location.search !== query) history.replaceState(null, "", `${location.pathname}${query}${location.hash}`);
}
