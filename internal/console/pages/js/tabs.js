import { el } from "./dom.js";

// Tabs follow the ARIA pattern: one stop for the tabulator, arrows between them.
export class Tabs {
  constructor(chosen, told) {
    Object.assign(this, { chosen, told, all: new Map() });
    this.bar = el("div", { class: "tabs", role: "tablist", "aria-label": "About the exchange", onkeydown: (event) => this.key(event) });
    this.element = el("div", { class: "tabbed" }, this.bar);
  }

  has(name) { return this.all.has(name); }

  add(name, ...children) {
    const tab = el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => this.choose(name) }, name);
    const panel = el("div", { class: "panel", role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabindex: "0" }, ...children);
    this.all.set(name, { tab, panel });
    this.bar.append(tab);
    this.element.append(panel);
    this.show();
  }

  // warn puts a number beside a tab's name; 0 = none.
  warn(name, n) {
    const { tab } = this.all.get(name);
    tab.replaceChildren(name, ...(n ? [el("span", { class: "badge", "aria-label": `, ${n} findings` }, String(n))] : []));
  }

  choose(name) {
    this.chosen = name;
    this.told(name);
    this.show();
  }

  // show falls back to the first where an exchange lacks the chosen one.
  show() {
    const now = this.has(this.chosen) ? this.chosen : this.all.keys().next().value;
    for (const [name, { tab, panel }] of this.all) {
      tab.setAttribute("aria-selected", String(name === now));
      tab.tabIndex = name === now ? 0 : -1;
      panel.hidden = name !== now;
    }
  }

  key(event) {
    const names = [...this.all.keys()];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = names.findIndex((name) => this.all.get(name).tab === event.target);
    const name = names[(at + step + names.length) % names.length];
    this.choose(name);
    this.all.get(name).tab.focus();
  }
}
