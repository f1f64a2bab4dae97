import { el, say } from "./dom.js";
import { bodyPath, bytesOf, exchangePath, send } from "./api.js";
import { textOf } from "./bytes.js";
import { line } from "./format.js";

// replay sends an exchange again as it was and returns the new one's ID.
export async function replay(id, changes = {}) {
  const answer = await send("POST", `${exchangePath(id)}/replay`, changes);
  say(`Sent again as exchange ${answer.id}.`);
  return answer.id;
}

export const base64 = (text) => btoa(Array.from(new TextEncoder().encode(text), (b) => String.fromCharCode(b)).join(""));

// A ReplayForm edits an exchange before it is sent again. Only what was changed is
// sent along, so that a body which a text field would alter stays as it is.
export class ReplayForm {
  constructor(record, sent, closed) {
    Object.assign(this, { record, sent });
    this.method = el("input", { value: record.method, required: true, size: "8", autocomplete: "off", spellcheck: "false" });
    this.target = el("input", { value: record.target, required: true, autocomplete: "off", spellcheck: "false" });
    this.headers = el("textarea", { rows: "6", autocomplete: "off", spellcheck: "false" });
    this.headers.value = this.first = record.request.headers.map(([n, v]) => `${line(n)}: ${line(v)}`).join("\n");
    const { headers, headers_masked = [] } = record.request;
    this.masked = new Set(headers_masked.map((i) => line(headers[i][0]).toLowerCase()));
    this.body = el("textarea", { rows: "8", disabled: true, autocomplete: "off", spellcheck: "false" });
    this.told = el("p", { class: "bad", role: "alert" });
    this.element = el("form", { class: "replay", "aria-label": "Replay", onsubmit: (event) => this.submit(event) },
      labelled("Method", this.method), labelled("Target", this.target), labelled("Headers", this.headers), labelled("Body", this.body), this.told,
      el("p", { class: "buttons" }, el("button", { type: "submit" }, "Send"), " ", el("button", { type: "button", class: "quiet", onclick: closed }, "Cancel"),
        el("span", { class: "soft" }, " A fresh token is added on the way; what stands as *** is left out.")));
    this.load();
  }

  async load() {
    const { size, kept, masked, complete } = this.record.request.body;
    if (masked && complete) return this.note(`${size} bytes with a secret that is not shown are sent again as they came; or write others here.`, true);
    if (kept < size || masked) return this.note(`${size} bytes that were not kept as they were sent: write others here.`, true);
    if (!size) return this.note("", true);
    const bytes = await bytesOf(bodyPath(this.record.id, "request")).catch(() => undefined);
    const text = bytes && textOf(bytes);
    if (text === undefined) return this.note(`${size} bytes that are no text are sent again as they are.`, false);
    this.crlf = /\r\n/.test(text) && !/[^\r]\n/.test(text);
    this.body.value = text;
    this.was = this.body.value; // as a text field keeps it: its ends of lines are LF
    this.body.disabled = false;
  }

  note(text, editable) {
    this.body.placeholder = text;
    this.body.disabled = !editable;
    this.was = "";
  }

  changes() {
    const changes = {};
    if (this.method.value !== this.record.method) changes.method = this.method.value.trim();
    if (this.target.value !== this.record.target) changes.target = this.target.value.trim();
    if (this.headers.value !== this.first) changes.headers = headerFields(this.headers.value, this.masked);
    if (!this.body.disabled && this.body.value !== this.was) {
      changes.body_base64 = base64(this.crlf ? this.body.value.replaceAll("\n", "\r\n") : this.body.value);
    }
    return changes;
  }

  async submit(event) {
    event.preventDefault();
    this.told.textContent = "";
    try {
      this.sent(await replay(this.record.id, this.changes()));
    } catch (error) {
      this.told.textContent = error.sentence;
    }
  }
}

const labelled = (text, input) => el("label", null, el("span", null, text), input);

// headerFields leaves out the fields whose value is still masked.
export function headerFields(text, masked) {
  return text.split("\n").filter((l) => l.trim()).map((l) => {
    const at = l.indexOf(":", 1);
    return at < 0 ? [l.trim(), ""] : [l.slice(0, at).trim(), l.slice(at + 1).trim()];
  }).filter(([name, value]) => !(masked.has(name.toLowerCase()) && `${name}${value}`.includes("***")));
}
