import { el } from "./dom.js";
import { copyText } from "./copy.js";
import { line, visible } from "./format.js";

// nodesMost bounds the tree; what is past it is told as text.
const nodesMost = 4000;
const depthMost = 100;

// tree shows a JSON value folded: objects and arrays are details elements, open to
// that depth.
export function tree(value, depth = 2) {
  const budget = { left: nodesMost, least: depth - depthMost };
  if (value === null || typeof value !== "object") return el("div", { class: "tree" }, node(value, null, 0, budget));
  return el("div", { class: "tree" }, children(value, depth, budget));
}

function node(value, key, depth, budget) {
  budget.left--;
  const name = key === null ? [] : [el("span", { class: "key", title: "Copy this value", onclick: (event) => copy(event, value, key) }, line(key)), el("span", { class: "soft" }, ": ")];
  if (value === null || typeof value !== "object") return el("div", { class: "leaf" }, ...name, leaf(value));
  const entries = Object.entries(value);
  const sign = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (depth < budget.least) return el("div", { class: "leaf" }, ...name, el("span", { class: "soft" }, `${sign} deeper; see the text`));
  if (!entries.length) return el("div", { class: "leaf" }, ...name, el("span", { class: "soft" }, Array.isArray(value) ? "[]" : "{}"));
  return el("details", { open: depth > 0 }, el("summary", null, ...name, el("span", { class: "soft" }, sign)), children(value, depth - 1, budget));
}

// copy takes the value behind a name, and folds nothing.
function copy(event, value, key) {
  event.preventDefault();
  copyText(typeof value === "string" ? value : JSON.stringify(value, null, 2), line(key));
}

function children(value, depth, budget) {
  const list = [];
  for (const [key, child] of Object.entries(value)) {
    if (budget.left <= 0) return [...list, el("div", { class: "leaf soft" }, "… more; see the text")];
    list.push(node(child, key, depth, budget));
  }
  return list.length ? list : el("div", { class: "leaf soft" }, Array.isArray(value) ? "[]" : "{}");
}

// expand unfolds all there is.
export function expand(view) { view.querySelectorAll("details").forEach((d) => { d.open = true; }); }

function leaf(value) {
  const kind = value === null ? "null" : typeof value;
  return el("span", { class: kind }, kind === "string" ? JSON.stringify(visible(value)) : String(value));
}
