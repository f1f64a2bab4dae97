import { el, Kept, once, say } from "./dom.js";
import { bodyPath, bytesOf, exchangePath, get } from "./api.js";
import { AvsView } from "./avs.js";
import { BodyView } from "./body.js";
import { field } from "./bytes.js";
import { compare } from "./compare.js";
import { copyText } from "./copy.js";
import { languages } from "./copyas.js";
import { curl } from "./curl.js";
import { explain, told, urlOf } from "./explain.js";
import { clock, line, mood } from "./format.js";
import { MessagesView } from "./messages.js";
import { pairs } from "./pairs.js";
import { Parts } from "./parts.js";
import { replay, ReplayForm } from "./replay.js";
import { fields, findings, legs, sentences, timing } from "./summary.js";
import { Tabs } from "./tabs.js";

// A Detail is the pane about one exchange.
export class Detail {
  // hooks: open(id), close(), door() = an address of the proxy,
  // told(record) when it was read
  constructor(pane, hooks) {
    Object.assign(this, { pane, hooks, id: 0, tab: "Summary" });
    this.renew = once(150, () => this.load());
  }

  open(id) {
    this.leave();
    if (this.id && this.id !== id) this.before = this.id; // for Compare
    this.id = id;
    this.record = undefined;
    this.build();
    this.pane.hidden = false;
    this.loaded = this.load();
  }

  close() {
    this.leave();
    this.id = 0;
    this.record = undefined;
    this.pane.hidden = true;
    this.pane.replaceChildren();
  }

  leave() { this.bodies?.forEach((body) => body.close()); }

  build() {
    const id = this.id;
    this.explained = undefined;
    this.pane.classList.remove("gone");
    this.parts = { request: new Parts(id, "request"), response: new Parts(id, "response") };
    this.bodies = ["request", "response"].map((side) => new BodyView(id, side, this.parts[side]));
    const kept = () => new Kept(el("div"));
    this.kept = { title: new Kept(el("h2", { id: "title", tabindex: "-1" })), about: new Kept(el("p", { class: "about soft" })), lead: kept(), findings: kept(), wrong: kept(), timing: kept(), legs: kept(), query: kept(), request: kept(), response: kept(), trailers: kept(), sent: kept(), now: kept() };
    this.place = el("div");
    this.tabs = new Tabs(this.tab, (name) => { this.tab = name; });
    this.panels();
    this.pane.replaceChildren(this.head(), this.place, this.tabs.element);
  }

  panels() {
    const k = this.kept, [request, response] = this.bodies;
    this.tabs.add("Summary", k.lead.element, k.findings.element, el("h3", null, "Timing"), k.timing.element, el("h3", null, "Connections"), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Connections" }, k.legs.element), k.now.element);
    this.tabs.add("Request", k.query.element, k.request.element, k.sent.element, el("h3", null, "Body"), request.element);
    this.tabs.add("Response", k.response.element, k.trailers.element, el("h3", null, "Body"), response.element);
  }

  head() {
    const id = this.id;
    return el("div", { class: "head" },
      el("div", { class: "line" }, this.kept.title.element, el("button", { type: "button", class: "quiet close", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.hooks.close() }, "✕")),
      this.kept.about.element,
      el("p", { class: "buttons" },
        el("button", { type: "button", class: "quiet", "aria-keyshortcuts": "c", onclick: () => this.copy() }, "Copy as curl"), " ",
        el("button", { type: "button", class: "quiet", onclick: () => this.copyAs() }, "Copy as"), " ",
        el("select", { id: "copyas", "aria-label": "Language of the copy" }, ...Object.entries(languages).map(([key, [name]]) => el("option", { value: key }, name))), " ",
        el("button", { type: "button", class: "quiet own", "aria-keyshortcuts": "r", onclick: () => this.again() }, "Replay"), " ",
        el("button", { type: "button", class: "quiet own", onclick: () => this.edit() }, "Edit and replay"), " ",
        el("button", { type: "button", class: "quiet", onclick: () => this.compare() }, "Compare"), " ",
        el("a", { class: "button quiet own", href: `/har?id=${id}`, download: `avsproxy-${id}.har` }, "HAR")));
  }

  async load() {
    const id = this.id;
    if (!id) return;
    let record;
    try {
      record = this.imported?.get(id) || await get(exchangePath(id));
    } catch (error) {
      if (id === this.id) this.gone(error);
      return;
    }
    if (id !== this.id) return;
    if (!this.record) this.recovered();
    else if (this.record.began !== record.began) return this.open(id); // of a new process, which counts anew
    this.record = record;
    this.hooks.told(record);
    this.update();
    this.explain();
  }

  gone(error) {
    if (this.record) return; // what is shown is still true
    this.kept.title.show(["gone", error.status], () => error.status === 404 ? "No longer kept" : "Not to be had");
    this.place.replaceChildren(el("p", null, error.status === 404 ? `Exchange ${this.id} has made room for newer ones, or was cleared.` : error.sentence));
    this.pane.classList.add("gone");
    this.pane.dataset.status = error.status; // 0 = nothing answered
  }

  // recovered takes away what gone has said.
  recovered() {
    if (this.pane.classList.contains("gone")) this.place.replaceChildren();
    this.pane.classList.remove("gone");
  }

  update() {
    const r = this.record, k = this.kept;
    k.about.element.dataset.id = r.id;
    k.title.show([r.method, r.target, r.status, r.ended, r.error], () => [
      el("span", { class: "method" }, line(r.method)), " ", el("span", { class: "target" }, line(r.target)), " ", el("span", { class: mood(r) }, r.status ? String(r.status) : "running")]);
    k.about.show([r.host, r.began, r.route], () => [`${line(r.scheme)}://${line(r.host)}`, clock(r.began), `exchange ${r.id}`].join(" · "));
    k.lead.show([r.decision, r.token, r.upstream, r.ended, r.error, r.tries, r.replayed, r.state, this.explained], () => sentences(r, this.explained));
    k.findings.show(r.findings || [], findings);
    k.wrong.show(r.findings || [], findings);
    k.timing.show([r.timing_ms, r.took_ms, r.state, r.status], () => timing(r));
    k.legs.show([r.client, r.upstream, r.request_bytes, r.response_bytes], () => legs(r));
    k.query.show([r.target], () => queryTable(r.target));
    k.request.show(r.request.headers, (list) => fields(list, "Request headers") || none("No headers."));
    k.sent.show(r.request.trailers || [], trailers);
    k.response.show([r.interim, r.response.headers], () => responseHeads(r));
    k.trailers.show(r.response.trailers || [], trailers);
    k.now.show(this.explained?.text || [], (list) => list.length ? now(this.explained) : null);
    if (!r.bytes) Object.values(this.parts).forEach((parts) => parts.update(r));
    this.pane.classList.toggle("imported", Boolean(r.bytes));
    this.bodies.forEach((body) => body.update(r));
    this.avs();
    this.socket();
    this.tabs.warn("Summary", (r.findings || []).length);
  }

  // avs adds its view when either side turns out to be multipart.
  avs() {
    const isMultipart = (side) => /^multipart\//i.test(field(this.record[side].headers, "content-type"));
    const spoken = /\/v\d{8}\/(events|directives)(\?|$)/.test(this.record.target) && (isMultipart("request") || isMultipart("response"));
    if (this.tabs.has("AVS") || this.record.bytes || !(this.record.avs || spoken)) return;
    this.tabs.add("AVS", this.kept.wrong.element, new AvsView(this.parts.request, this.parts.response).element);
  }

  // socket shows what both sides of a WebSocket say.
  socket() {
    if (this.record.status !== 101 || this.record.bytes) return;
    if (!this.tabs.has("Messages")) {
      this.messages = new MessagesView(this.id, ["request", "response"]);
      this.tabs.add("Messages", this.messages.element);
    }
    this.messages.update(this.record);
  }

  // explain asks why the route was chosen: it is the configuration's to say.
  async explain() {
    const r = this.record;
    if (this.explained !== undefined || r.bytes || r.own) return;
    this.explained = null;
    const explained = await explain(r.method, urlOf(r)).catch(() => null);
    if (this.id !== r.id) return; // another one is open by now
    this.explained = explained;
    if (this.record?.id === r.id) this.update();
  }

  changed(summary) { if (summary.id === this.id) this.renew(); }

  chunk({ id }) { if (id === this.id) this.renew(); }

  // sent is the body of the request, where it is as it was sent.
  async sent() {
    const r = this.record;
    const { size, kept, masked } = r.request.body;
    if (!size || kept !== size || masked) return undefined;
    return r.bytes?.request || bytesOf(bodyPath(r.id, "request"));
  }

  // copyAs puts a program on the page and on the clipboard.
  async copyAs() {
    const [name, write] = languages[this.pane.querySelector("#copyas").value];
    if (!this.record) return;
    let code;
    try { code = write(this.record, await this.sent(), this.hooks.door()); } catch { return say("This request has no URL that a library could ask for."); }
    this.show(code, false, false);
    await copyText(code, name);
  }

  // compare asks for the other exchange: the one that was open before, as a rule.
  compare() {
    if (!this.record) return;
    const input = el("input", { type: "number", min: "1", required: true, "aria-label": "Number of the other exchange", value: this.record.replay_of || this.before || "" });
    const answer = el("div", { "aria-live": "polite" });
    const ask = async (event) => {
      event?.preventDefault();
      answer.replaceChildren(await compare(this.record, Number(input.value), this.imported).catch((error) => el("p", { class: "bad" }, error.sentence || error.message)));
    };
    this.place.replaceChildren(el("div", { class: "command" },
      el("div", { class: "line" }, el("form", { class: "asks", onsubmit: ask }, el("label", null, "Compare with exchange ", input), " ", el("button", null, "Compare")),
        el("button", { type: "button", class: "quiet close", "aria-label": "Close the comparison", title: "Close (Esc)", onclick: () => this.place.replaceChildren() }, "✕")), answer));
    input.focus();
    if (input.value) ask();
  }

  async copy() {
    const r = this.record;
    if (!r) return;
    const { size, kept, masked } = r.request.body;
    const asSent = kept === size && !masked;
    const bytes = await this.sent();
    const { command, file } = curl(r, bytes, this.hooks.door());
    this.show(command, file, !asSent);
    try {
      await navigator.clipboard.writeText(command);
      say("Copied as curl.");
    } catch {
      say("The browser does not let the page copy; the line is marked.");
      getSelection().selectAllChildren(this.place.querySelector("pre"));
    }
  }

  // show leaves the command on the page: to read, and to copy where the clipboard
  // is out of reach.
  show(command, file, cut) {
    this.place.replaceChildren(el("div", { class: "command" },
      el("div", { class: "line" }, el("pre", { tabindex: "0", "aria-label": "Command" }, command),
        el("button", { type: "button", class: "quiet close", "aria-label": "Close the command", title: "Close (Esc)", onclick: () => this.place.replaceChildren() }, "✕")),
      file ? el("p", { class: "soft" }, "Its body goes into a file first: ", el("a", { href: bodyPath(this.id, "request"), download: "body" }, "download body"), cut ? "; it was not kept as it was sent." : "") : null));
  }

  async again() {
    try {
      this.hooks.open(await replay(this.id));
    } catch (error) {
      say(error.sentence);
      if (error.status === 409) this.edit();
    }
  }

  edit() {
    if (!this.record) return;
    const form = new ReplayForm(this.record, (id) => this.hooks.open(id), () => this.place.replaceChildren());
    this.place.replaceChildren(form.element);
    form.target.focus();
  }

  focus() { this.pane.querySelector("#title")?.focus(); }
}

// now is the same request, if it came again.
function now(explained) {
  return el("details", { class: "now" }, el("summary", null, "What would become of it now"), told(explained));
}

function queryTable(target) {
  const at = target.indexOf("?");
  return at < 0 ? null : [el("h3", null, "Query"), pairs(target.slice(at + 1), "Query"), el("h3", null, "Headers")];
}

const none = (text) => el("p", { class: "soft" }, text);

function trailers(list) {
  return list.length ? [el("h3", null, "Trailers"), fields(list, "Trailers")] : null;
}

function responseHeads(r) {
  const interim = (r.interim || []).map((i) => el("div", { "data-interim": i.status }, el("h3", null, `Interim ${i.status}`), fields(i.headers, `Headers of the interim answer ${i.status}`)));
  const title = interim.length && r.status ? el("h3", null, `Answer ${r.status}`) : null;
  return [...interim, title, fields(r.response.headers, "Response headers") || none(r.status ? "No headers." : "No answer yet.")];
}
