import { el } from "./dom.js";
import { line } from "./format.js";
import { isEmpty, tags } from "./tags.js";

// HTML as a browser would lay it out, roughly, made of our own elements: text and structure alone. Nothing of it
// is ever read as HTML by the browser, so nothing can run, load or look like this page.

const made = new Map(Object.entries({
  h1: "h3", h2: "h3", h3: "h4", h4: "h4", h5: "h4", h6: "h4", p: "p", div: "div", section: "div", article: "div", header: "div", footer: "div", main: "div", nav: "div", form: "div", ul: "ul", ol: "ol", li: "li",
  table: "table", tbody: "tbody", thead: "thead", tr: "tr", td: "td", th: "th", pre: "pre", blockquote: "blockquote", dl: "div", dt: "div", dd: "div", b: "b", strong: "b", i: "i", em: "i", code: "code", kbd: "code", samp: "code", small: "small", a: "u",
}));
const silent = /^(script|style|template|noscript|title|svg|math|iframe|object|select|textarea)$/;
const deepest = 60, most = 10000; // pieces

const entities = new Map(Object.entries({ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", mdash: "—", ndash: "–", hellip: "…", euro: "€" }));
const decoded = (text) => text.replace(/&(#x?[0-9a-f]{1,7}|\w{1,10});/gi, (all, name) => {
  if (name[0] !== "#") return entities.get(name.toLowerCase()) ?? all;
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
});

export function preview(html) {
  const root = el("div", { class: "previewed" });
  const open = [["", root]];
  let silence = "", count = 0;
  for (const [kind, piece] of tags(html)) {
    if (count++ > most) {
      root.append(el("p", { class: "soft" }, "… the rest is in the text"));
      break;
    }
    const [, end, tag] = (kind === "tag" && /^<(\/?)([a-z][a-z0-9]*)/i.exec(piece)) || [];
    const name = tag?.toLowerCase();
    if (silence) {
      // What looks like a tag in a script can hide its end: "a<b;</script>" is one piece.
      if (new RegExp(`</${silence}\\s*>$`, "i").test(piece)) silence = "";
      continue;
    }
    const place = open.at(-1)[1];
    if (!name) {
      if (kind === "text") place.append(line(decoded(piece).replace(/\s+/g, " ")));
    } else if (end) {
      const at = open.findLastIndex(([n]) => n === name);
      if (at > 0) open.length = at;
    } else if (silent.test(name)) silence = piece.endsWith("/>") ? "" : name;
    else if (name === "br" || name === "hr") place.append(el(name));
    else if (name === "img") place.append(el("span", { class: "soft" }, `[image${attribute(piece, "alt") ? `: ${line(attribute(piece, "alt"))}` : ""}]`));
    else if (!isEmpty(name) && open.length < deepest) {
      const element = el(made.get(name) || "span", name === "a" ? { title: line(attribute(piece, "href")) } : null);
      place.append(element);
      open.push([name, element]);
    }
  }
  return root;
}

const attribute = (tag, name) => decoded(new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i").exec(tag.slice(0, 2000))?.slice(1).find((v) => v !== undefined) || "");
