import { el, once } from "./dom.js";
import { bodyPath, bytesOf, plainPath } from "./api.js";
import { copyText } from "./copy.js";
import { field, hex, isCut, jsonOf, textOf } from "./bytes.js";
import { finder } from "./find.js";
import { line, size, visible } from "./format.js";
import { expand, tree } from "./json.js";
import { pairs } from "./pairs.js";
import { isMessages, MessagesView } from "./messages.js";
import { audio, PartsView } from "./parts.js";
import { preview } from "./preview.js";
import { indented } from "./xml.js";

// textMost is how much text is laid out at once.
const textMost = 512 << 10;

// dataURL is an image as a document of its own: what is in it cannot run, and loads nothing.
function dataURL(bytes, type) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:${/^image\/[\w.+-]+/i.exec(type)?.[0] || "image/png"};base64,${btoa(text)}`;
}

// A BodyView shows one side's body in the way that suits it best, with the others
// to choose from.
export class BodyView {
  constructor(id, side, parts) {
    Object.assign(this, { id, side, parts, mode: "", got: -1 });
    this.tools = el("div", { class: "tools small" });
    this.view = el("div", { class: "view" });
    this.element = el("div", { class: "body" }, this.tools, this.view);
    this.renew = once(300, () => this.load());
  }

  update(record) {
    this.record = record;
    const { kept, complete } = this.about();
    if (this.got < 0) this.load();
    else if (kept !== this.got || complete !== this.whole) this.renew();
  }

  about() { return this.record[this.side].body || { size: 0, kept: 0, complete: true }; }

  async load() {
    const { kept, complete } = this.about();
    this.got = kept;
    this.whole = complete;
    const headers = this.record[this.side].headers;
    const bytes = this.record.bytes?.[this.side] || await this.fetched(kept);
    Object.assign(this, { bytes, text: textOf(bytes), type: field(headers, "content-type"), coding: field(headers, "content-encoding") });
    this.value = this.text && this.text.length < textMost ? jsonOf(this.text) : undefined;
    this.show();
  }

  async fetched(kept) {
    return kept ? bytesOf(plainPath(this.id, this.side)).catch(() => new Uint8Array()) : new Uint8Array();
  }

  modes() {
    const modes = [];
    if (/^multipart\//i.test(this.type) && !this.record.bytes) modes.push("Parts");
    if (isMessages(this.type) && !this.record.bytes) modes.push("Messages");
    if (/^audio\//i.test(this.type)) modes.push("Audio");
    if (/^image\//i.test(this.type)) modes.push("Image");
    const isShort = this.text && this.text.length < textMost;
    if (/^application\/x-www-form-urlencoded/i.test(this.type) && isShort) modes.push("Form");
    if (this.value !== undefined) modes.push("JSON");
    if (/^text\/html/i.test(this.type) && isShort) modes.push("Preview");
    if (/xml|html|svg/i.test(this.type) && isShort) modes.push("XML");
    if (this.text !== undefined) modes.push("Text");
    return [...modes, "Hex"];
  }

  show() {
    const modes = this.modes();
    const mode = modes.includes(this.mode) ? this.mode : modes[0];
    this.bar(modes, mode);
    if (!this.got) this.view.replaceChildren();
    else this.view.replaceChildren(this.made(mode));
  }

  // made is the view of a mode, or what is left where the body is too strange for it.
  made(mode) {
    try {
      return this[mode]() || el("p", { class: "soft" }, "Nothing to show in this form.");
    } catch {
      return this.text === undefined ? this.Hex() : this.Text();
    }
  }

  bar(modes, mode) {
    const told = [el("span", { class: "soft" }, this.told())];
    if (this.got) {
      if (modes.length > 1) told.push(...modes.map((m) => el("button", { type: "button", class: "quiet", "aria-pressed": String(m === mode), onclick: () => { this.mode = m; this.show(); } }, m)));
      if (mode === "JSON") told.push(el("button", { type: "button", class: "quiet", onclick: () => expand(this.view) }, "Expand all"));
      if (this.text !== undefined) told.push(el("button", { type: "button", class: "quiet", onclick: () => copyText(this.text, "The body") }, "Copy"));
      told.push(finder(this.view, `the ${this.side} body`));
      if (!this.record.bytes) told.push(el("a", { href: bodyPath(this.id, this.side), download: `${this.id}-${this.side}` }, "Download"));
    }
    if (!this.tools.contains(document.activeElement) || !this.tools.children.length) this.tools.replaceChildren(...told);
    else this.press(mode);
    this.tools.toggleAttribute("data-broken", this.broken());
  }

  // press tells the choice without taking the focus away from who makes it.
  press(mode) {
    this.tools.firstChild.textContent = this.told();
    for (const b of this.tools.querySelectorAll("[aria-pressed]")) b.setAttribute("aria-pressed", String(b.textContent === mode));
  }

  // broken says whether the body ended before its end.
  broken() {
    const about = this.about(), runs = this.record.state === "active";
    return !about.complete && !runs && !about.masked && !isCut(about, runs);
  }

  told() {
    const { size: whole, kept, masked } = this.about();
    const runs = this.record.state === "active";
    if (!whole) return runs && this.side === "response" ? "No body yet." : "No body.";
    const cut = isCut(this.about(), runs);
    const told = [(cut ? `the first ${size(kept)} of ${size(whole)}` : size(whole)) + (runs ? " so far" : "")];
    if (this.broken()) told.push("cut off before its end");
    if (this.coding) told.push(/^(x-)?gzip$|^deflate$/i.test(this.coding) ? `unpacked from ${line(this.coding)}` : `packed as ${line(this.coding)}`);
    if (masked) told.push("secrets in it stand as ***");
    return told.join(", ");
  }

  Parts() {
    this.partsView ||= new PartsView(this.parts);
    return this.partsView.element;
  }

  Messages() {
    this.messages ||= new MessagesView(this.id, [this.side]);
    this.messages.update(this.record);
    return this.messages.element;
  }

  JSON() { return tree(this.value); }

  XML() { return el("pre", { tabindex: "0", "aria-label": `The ${this.side} body, indented` }, visible(indented(this.text, /html/i.test(this.type)))); }

  Form() { return pairs(this.text, `Fields of the ${this.side} body`); }

  // address is where the browser finds the bytes to play.
  address(type) {
    if (this.heard) URL.revokeObjectURL(this.heard);
    this.heard = URL.createObjectURL(new Blob([this.bytes], { type }));
    return this.heard;
  }

  Image() {
    const image = el("img", { src: dataURL(this.bytes, this.type), alt: `Image of the ${this.side} body`, class: "picture" });
    image.addEventListener("error", () => image.replaceWith(el("p", { class: "soft" }, "An image that the browser cannot show.")));
    return image;
  }

  Preview() { return preview(this.text); }

  Text() {
    const cut = this.text.length > textMost ? `${this.text.slice(0, textMost)}\n… the rest is in the download` : this.text;
    return el("pre", { tabindex: "0", "aria-label": `Text of the ${this.side} body` }, visible(cut));
  }

  Hex() { return el("pre", { class: "hex", tabindex: "0", "aria-label": `Bytes of the ${this.side} body` }, hex(this.bytes)); }

  Audio() {
    return audio(this.address(this.type), `Audio of the ${this.side} body`);
  }

  close() { if (this.heard) URL.revokeObjectURL(this.heard); }
}
