import { el, once } from "./dom.js";
import { bytesOf, get, partsPath } from "./api.js";
import { hex, isCut, jsonOf, textOf } from "./bytes.js";
import { clock, line, size, span, visible } from "./format.js";
import { tree } from "./json.js";

// lacks says why a part is not whole.
const lacks = { dropped: "the rest was not kept", arriving: "still arriving", broken: "without an end" };

// Parts are those of one side's multipart body as they arrive.
export class Parts {
  constructor(id, side) {
    Object.assign(this, { id, side, list: [], watchers: new Set(), loaded: false });
    this.renew = once(200, () => this.load());
  }

  watch(watcher) {
    this.watchers.add(watcher);
    if (this.loaded) watcher();
    else this.loading ||= this.load();
  }

  // update loads them anew once more of the body is there.
  update(record) {
    this.began = new Date(record.began).getTime();
    const body = record[this.side].body, runs = record.state === "active";
    this.lack = isCut(body, runs) ? "dropped" : runs ? "arriving" : "broken";
    this.unfinished = lacks[this.lack];
    const has = `${body.kept} ${body.complete} ${runs}`;
    if (has !== this.has && this.loaded) this.renew();
    this.has = has;
  }

  async load() {
    const { parts } = await get(partsPath(this.id, this.side)).catch(() => ({ parts: [] }));
    this.list = parts || [];
    this.loaded = true;
    this.watchers.forEach((watcher) => watcher());
  }

  // at is when a part came, in milliseconds; NaN where that is not known.
  at(part) { return this.began + part.at_ms; }

  // look is all that is shown of a part; what has it still need not be shown anew.
  look(part) { return JSON.stringify(part) + (part.complete ? "" : this.unfinished); }

  path(part) { return `${partsPath(this.id, this.side)}/${part.index}`; }
}

// A PartsView shows each part, and renews those alone that have changed: an answer
// that grows does not fold what the reader has opened.
export class PartsView {
  constructor(parts) {
    this.parts = parts;
    this.shown = new Map();
    this.empty = el("p", { class: "soft" }, "No part is whole enough to show yet.");
    this.element = el("div", { class: "parts" }, this.empty);
    parts.watch(() => this.update());
  }

  update() {
    this.empty.hidden = this.parts.list.length > 0;
    for (const part of this.parts.list) {
      const text = this.parts.look(part);
      const old = this.shown.get(part.index);
      if (old?.text === text) continue;
      const element = partCard(this.parts, part);
      if (old) old.element.replaceWith(element);
      else this.element.append(element);
      this.shown.set(part.index, { text, element });
    }
  }
}

function partCard(parts, part) {
  return el("article", { class: "part", "data-lack": part.complete ? null : parts.lack },
    el("h4", null, partTitle(part), el("span", { class: "soft" }, ` ${[line(part.content_type || ""), size(part.size), arrived(parts, part), part.complete ? "" : parts.unfinished].filter(Boolean).join(" · ")}`)),
    part.audio && player(parts, part),
    part.json !== undefined && part.json !== null ? tree(part.json) : null,
    part.headers ? el("details", null, el("summary", null, "Headers"), el("pre", { tabindex: "0" }, visible(part.headers))) : null,
    part.json === undefined ? content(parts, part) : null);
}

export function partTitle(part) {
  if (part.message) return `${line(part.message.namespace)}.${line(part.message.name)}`;
  return line(part.name || part.content_id || `Part ${part.index}`);
}

// audio plays what is at an address, or says that it cannot be played.
export function audio(src, label) {
  const element = el("audio", { controls: true, preload: "metadata", src, "aria-label": label });
  element.addEventListener("error", () => element.replaceWith(el("span", { class: "soft", "data-unplayable": true }, "Audio that browsers do not play.")));
  return element;
}

// player plays a part, with what is known of its sound.
export function player(parts, part) {
  const { format, rate, channels, seconds } = part.audio;
  const facts = [format, rate && `${rate / 1000} kHz`, channels && (channels === 1 ? "mono" : channels === 2 ? "stereo" : `${channels} channels`), seconds > 0 && span(seconds)];
  return el("div", { class: "sound" },
    audio(`${parts.path(part)}?play=1`, `Audio of ${partTitle(part)}`),
    el("span", null, facts.filter(Boolean).join(", ")),
    el("a", { href: parts.path(part), download: `${parts.id}-part-${part.index}` }, "Download"));
}

// content shows a part's bytes when it is unfolded.
function content(parts, part) {
  const place = el("pre", { tabindex: "0" }, "…");
  const details = el("details", null, el("summary", null, "Bytes"), place);
  details.addEventListener("toggle", async () => {
    if (!details.open || place.dataset.got) return;
    place.dataset.got = "1";
    const bytes = await bytesOf(parts.path(part)).catch(() => new Uint8Array());
    const text = textOf(bytes);
    const value = jsonOf(text);
    if (value !== undefined) place.replaceWith(tree(value));
    else place.textContent = text === undefined ? hex(bytes) : visible(text);
  });
  return details;
}

export function arrived(parts, part) {
  const at = parts.at(part);
  return at >= 0 ? clock(at) : "";
}
