// el makes an element. Strings among its children become text nodes: nothing that
// came over the wire is ever read as HTML.
export function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (name.startsWith("--")) element.style.setProperty(name, value);
  else element.setAttribute(name, value === true ? "" : value);
}

export const byId = (id) => document.getElementById(id);

// say tells those who do not see the page, and shows it to the others for a while.
let silence;
export function say(text) {
  const line = byId("said");
  line.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { line.textContent = ""; }, 5000);
}

// once runs work after a delay, however often it is asked for meanwhile.
export function once(delay, work) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => { timer = 0; work(); }, delay);
  };
}

// Kept rebuilds an element's children only when what they show has changed, so
// that what a reader folded, marked or scrolled stays as it is.
export class Kept {
  constructor(element) {
    this.element = element;
    this.shown = undefined;
  }

  show(data, build) {
    const text = JSON.stringify(data);
    if (text === this.shown) return;
    this.shown = text;
    this.element.replaceChildren(...[build(data)].flat().filter(Boolean));
  }
}
