import { el } from "./dom.js";
import { get, messagesPath } from "./api.js";
import { hex, jsonOf, textOf } from "./bytes.js";
import { clock, line, size, visible, wait } from "./format.js";
import { tree } from "./json.js";

// Bodies that are streams of messages, as lists with times.

const bytes = (base64) => Uint8Array.from(atob(base64 || ""), (c) => c.charCodeAt(0));

// content shows a text as JSON where it is that, or as it is.
function content(text) {
  if (!text) return null;
  const value = jsonOf(text);
  return value === undefined ? el("pre", { tabindex: "0" }, visible(text)) : tree(value, 2);
}

function raw(base64) {
  const data = bytes(base64);
  const text = textOf(data);
  return el("pre", { class: text === undefined ? "hex" : null, tabindex: "0" }, text === undefined ? hex(data, 4096) : visible(text));
}

const item = (kind, at, gap, name, ...children) => el("li", { class: kind }, el("time", null, at, gap >= 1 ? el("span", { class: "soft" }, ` +${wait(gap)}`) : null), el("div", null, el("p", { class: "name" }, ...name), ...children));

// timed is a list of items, each with its time and the gap before it. of(message) = its time in
// milliseconds since 1970; NaN = unknown.
function timed(label, list, of, make) {
  let before = NaN;
  const items = list.map((m) => {
    const at = of(m), gap = at - before;
    before = at;
    return make(m, at >= 0 ? clock(at) : "", gap);
  });
  return el("ol", { class: "timeline", "aria-label": label }, ...items);
}

const soft = (text) => el("span", { class: "soft" }, ` ${text}`);

const socketItem = (m, at, gap) => item(`message ${m.from}`, at, gap,
  [el("span", { class: "way", "aria-hidden": "true" }, m.from === "client" ? "↑ " : "↓ "), `${m.from === "client" ? "client" : "upstream"}: ${m.type}`,
    soft([size(m.size), m.compressed ? "compressed" : "", m.code ? `code ${m.code}` : "", m.cut ? "the rest was not kept" : ""].filter(Boolean).join(" · "))],
  m.base64 ? raw(m.base64) : content(m.text));

const eventItem = (m, at, gap) => item("message", at, gap,
  [line(m.type || "comment"), soft([m.id ? `id ${line(m.id)}` : "", m.retry ? `retry ${line(m.retry)}` : ""].filter(Boolean).join(" · "))],
  content(m.data), m.comment ? el("p", { class: "soft" }, line(m.comment)) : null);

const callItem = (m, at, gap) => item("message", at, gap,
  ["message", soft([size(m.size), m.compressed ? "compressed" : "", m.cut ? "its end is missing" : ""].filter(Boolean).join(" · "))],
  m.fields ? (m.fields.length ? fieldList(m.fields) : soft("no fields")) : m.base64 ? raw(m.base64) : null);

// fieldList shows a message of protocol buffers by number: a schema would have the names.
function fieldList(fields) {
  return el("div", { class: "tree" }, ...fields.map((f) => {
    const name = [el("span", { class: "key" }, String(f.number)), el("span", { class: "soft" }, ` ${f.kind}: `)];
    if (f.fields) return el("details", { open: true }, el("summary", null, ...name), fieldList(f.fields));
    if (f.base64) return el("div", { class: "leaf" }, ...name, raw(f.base64));
    return el("div", { class: "leaf" }, ...name, el("span", { class: f.kind === "text" ? "string" : "number" }, f.kind === "text" ? JSON.stringify(visible(f.value || "")) : f.value));
  }));
}

// MessagesView shows the messages of one body, or with both sides of a WebSocket.
export class MessagesView {
  constructor(id, sides) {
    Object.assign(this, { id, sides });
    this.element = el("div", { class: "messages" }, el("p", { class: "soft" }, "…"));
  }

  // grow appends what has come since, so that what a reader has folded or marked stays. false = others changed, too.
  grow(list, of, make) {
    const had = this.items || [];
    if (!had.length || !make || list.length <= had.length || had.some((text, i) => text !== JSON.stringify(list[i]))) return false;
    const more = timed("", list.slice(had.length - 1), of, make);
    more.firstChild.remove(); // it is there, and was needed for the gap
    this.list.append(...more.children);
    this.items = list.map((m) => JSON.stringify(m));
    return true;
  }

  async update(record) {
    const began = new Date(record.began).getTime();
    const turn = (this.turn = (this.turn || 0) + 1);
    const answers = await Promise.all(this.sides.map((side) => get(messagesPath(this.id, side)).catch(() => ({}))));
    const text = JSON.stringify(answers);
    if (text === this.shown || turn !== this.turn) return;
    this.shown = text;
    const [first] = answers;
    const list = first.kind === "websocket" ? answers.flatMap((a, i) => (a.frames || []).map((m) => ({ ...m, from: this.sides[i] === "request" ? "client" : "upstream" }))).sort(byTime) : first.events || first.calls || [];
    const of = first.kind === "websocket" ? (m) => new Date(m.time).getTime() : (m) => began + m.at_ms;
    const make = { websocket: socketItem, events: eventItem, grpc: callItem }[first.kind];
    const notes = [];
    if (answers.some((a) => a.more)) notes.push("Others follow, beyond what is shown.");
    if (answers.some((a) => a.partial)) notes.push("The body was not kept whole: later messages are missing.");
    if (this.grow(list, of, make)) return;
    this.items = list.map((m) => JSON.stringify(m));
    this.list = list.length && make ? timed("Messages", list, of, make) : el("p", { class: "soft" }, "No message has come whole.");
    this.element.replaceChildren(this.list, ...notes.map((n) => el("p", { class: "soft" }, n)));
  }
}

// byTime goes beyond milliseconds, where a Date ends.
const byTime = (a, b) => new Date(a.time) - new Date(b.time) || fraction(a.time).localeCompare(fraction(b.time));
const fraction = (time) => (/\.(\d+)/.exec(time)?.[1] || "").padEnd(9, "0");

// kindOf says whether a body is a stream of messages.
export const isMessages = (type) => /^(text\/event-stream|application\/grpc)/i.test(type || "");
