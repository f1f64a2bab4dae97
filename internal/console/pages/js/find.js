import { el } from "./dom.js";

// finder is a search field over what an element shows. It marks what it finds
// without touching the text, unfolds what hides it, and Enter goes on to the next.
export function finder(scope, label) {
  const count = el("span", { class: "soft", role: "status" });
  const input = el("input", { type: "search", placeholder: "Find", "aria-label": `Find in ${label}`, autocomplete: "off", spellcheck: "false" });
  let found = [], at = -1;
  const show = (step) => {
    if (!found.length) return;
    at = (at + step + found.length) % found.length;
    reveal(found[at], scope);
    paint("now", [found[at]]);
    count.textContent = `${at + 1} of ${found.length}`;
  };
  input.addEventListener("input", () => {
    found = find(scope, input.value);
    at = -1;
    paint("found", found);
    paint("now", []);
    count.textContent = input.value && !found.length ? "none" : "";
    show(1);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    show(event.shiftKey ? -1 : 1);
  });
  return el("span", { class: "finder" }, input, count);
}

const foundMost = 1000;

function find(scope, wanted) {
  const ranges = [];
  wanted = wanted.toLowerCase();
  if (!wanted) return ranges;
  const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() && ranges.length < foundMost) {
    const text = walker.currentNode.data.toLowerCase();
    for (let i = text.indexOf(wanted); i >= 0 && ranges.length < foundMost; i = text.indexOf(wanted, i + wanted.length)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, i);
      range.setEnd(walker.currentNode, Math.min(i + wanted.length, walker.currentNode.length));
      ranges.push(range);
    }
  }
  return ranges;
}

function reveal(range, scope) {
  const holder = range.startContainer.parentElement;
  for (let e = holder; e && e !== scope; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  holder?.scrollIntoView({ block: "nearest" });
}

// paint marks ranges where the browser can (CSS Custom Highlight API).
function paint(name, ranges) {
  if (typeof Highlight === "undefined") return;
  CSS.highlights.set(name, new Highlight(...ranges));
}
