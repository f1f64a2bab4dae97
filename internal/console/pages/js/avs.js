import { el } from "./dom.js";
import { line, visible, wait } from "./format.js";
import { tree } from "./json.js";
import { arrived, partTitle, player } from "./parts.js";

// An AvsView tells an exchange as AVS means it: the event that was posted and the
// directives that came back, each with the audio that belongs to it.
export class AvsView {
  constructor(request, response) {
    this.sides = [[request, "Event", "sent"], [response, "Directives", "received"]].map(([parts, title, how]) => new Timeline(parts, title, how));
    this.element = el("div", { class: "avsview" }, ...this.sides.map((side) => side.element));
  }
}

class Timeline {
  constructor(parts, title, how) {
    Object.assign(this, { parts, shown: new Map() });
    this.items = el("ol", { class: "timeline", "aria-label": title });
    this.none = el("p", { class: "soft" }, `No message was ${how}.`);
    this.element = el("section", null, el("h3", null, title), this.none, this.items);
    parts.watch(() => this.update());
  }

  update() {
    const list = this.parts.list.filter((part) => part.message || part.audio);
    this.none.hidden = list.length > 0;
    this.element.hidden = !this.parts.list.length && this.parts.side === "request"; // a request for directives
    for (const part of list) {
      const text = this.parts.look(part);
      const old = this.shown.get(part.index);
      if (old?.text === text) continue;
      const element = this.item(part);
      if (old) old.element.replaceWith(element);
      else this.items.append(element);
      this.shown.set(part.index, { text, element });
    }
  }

  item(part) {
    const time = arrived(this.parts, part);
    return el("li", { class: part.message ? "message" : "audio" },
      el("time", null, time, this.gap(part)),
      el("div", null, el("p", { class: "name" }, part.message ? partTitle(part) : line(part.content_id || part.name || "audio")),
        part.message ? ids(part.message) : null,
        part.audio ? player(this.parts, part) : null,
        part.message && part.json ? payload(part.json) : null,
        part.complete ? null : el("p", { class: "soft" }, this.parts.unfinished)));
  }

  // gap says how long after the message before it one came.
  gap(part) {
    const before = this.parts.list[this.parts.list.indexOf(part) - 1];
    const ms = before && part.at_ms - before.at_ms;
    return ms >= 1 ? el("span", { class: "soft" }, ` +${wait(ms)}`) : null;
  }
}

// payload shows what a message says; whole messages stand among the parts.
function payload(json) {
  const value = (json.event || json.directive)?.payload;
  if (!value || !Object.keys(value).length) return null;
  return tree(value, 3);
}

function ids(message) {
  const pairs = [["dialogRequestId", message.dialogRequestId], ["messageId", message.messageId]].filter(([, id]) => id);
  return el("dl", { class: "ids" }, ...pairs.map(([name, id]) => el("div", null, el("dt", null, name), el("dd", null, visible(id)))));
}
