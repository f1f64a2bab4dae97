import { el } from "./dom.js";
import { line } from "./format.js";

// HTML as a browser would lay it out, roughly, made of our own elements: text and structure alone. Nothing of it
// is ever read as HTML by the browser, so nothing can run, load or look like this page.

const blocks = { h1: "h3", h2: "h3", h3: "h4", h4: "h4", h5: "h4", h6: "h4", p: "p", div: "div", section: "div", article: "div", header: "div", footer: "div", main: "div", nav: "div", form: "div", ul: "ul", ol: "ol", li: "li", table: "table", tbody: "tbody", thead: "thead", tr: "tr", td: "td", th: "th", pre: "pre", blockquote: "blockquote", dl: "div", dt: "div", dd: "div" };
const inline = { b: "b", strong: "b", i: "i", em: "i", code: "code", kbd: "code", samp: "code", small: "small", span: "span", a: "u", label: "span", button: "span" };
const silent = /^(script|style|template|noscript|title|head|svg|math|iframe|object|select|textarea)$/;
const empty = /^(br|hr|img|input|meta|link|base|source|area|col|embed|wbr)$/;
const most = 20000; // pieces

const entities = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const decoded = (text) => text.replace(/&(#x?[0-9a-f]+|\w+);/gi, (all, name) => {
  if (name[0] !== "#") return entities[name.toLowerCase()] ?? all;
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
});

export function preview(html) {
  const root = el("div", { class: "previewed" });
  const open = [["", root]];
  let skipped = "";
  const tokens = html.match(/<!--[\s\S]*?-->|<![^>]*>|<\/?[a-z][^>]*>|[^<]+|</gi) || [];
  for (const token of tokens.slice(0, most)) {
    const [, end, tag] = /^<(\/?)([a-z][a-z0-9]*)/i.exec(token) || [];
    const name = tag?.toLowerCase();
    if (skipped) { if (end && name === skipped) skipped = ""; continue; }
    const place = open.at(-1)[1];
    if (!name) {
      if (!/^<[!]/.test(token)) place.append(line(decoded(token).replace(/\s+/g, " ")));
    } else if (end) {
      const at = open.findLastIndex(([n]) => n === name);
      if (at > 0) open.length = at;
    } else if (silent.test(name)) {
      if (!/\/>$/.test(token)) skipped = name;
    } else if (name === "br" || name === "hr") place.append(el(name));
    else if (name === "img") place.append(el("span", { class: "soft" }, `[image${attribute(token, "alt") ? `: ${line(attribute(token, "alt"))}` : ""}]`));
    else if (!empty.test(name) && open.length < 60) {
      const made = el(blocks[name] || inline[name] || "span", name === "a" ? { title: line(attribute(token, "href")) } : null);
      place.append(made);
      open.push([name, made]);
    }
  }
  if (tokens.length > most) root.append(el("p", { class: "soft" }, "… the rest is in the text"));
  return root;
}

const attribute = (token, name) => decoded(new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i").exec(token)?.slice(1).find((v) => v !== undefined) || "");
