import { el, byId } from "./dom.js";
import { get } from "./api.js";
import { line } from "./format.js";

// explain asks what would become of a request, without sending it.
export const explain = (method, url) => get(`/api/explain?${new URLSearchParams({ method, url })}`);

// urlOf is how a client asked for an exchange.
export const urlOf = (record) => (/^[a-z][a-z0-9+.-]*:\/\//i.test(record.target) ? record.target : `${record.scheme}://${record.host}${record.target}`);

// pairs are the lines of an explanation, cut behind what each is about.
export const pairs = (explained) => (explained?.text || []).map((text) => {
  const at = text.indexOf(": ");
  return at < 0 ? ["", text] : [text.slice(0, at), text.slice(at + 2)];
});

export function told(explained) {
  return el("dl", { class: "told" }, ...pairs(explained).map(([name, text]) => el("div", null, el("dt", null, name), el("dd", null, line(text)))));
}

// An Explainer is the dialog that explains any request.
export class Explainer {
  constructor() {
    this.dialog = byId("explain");
    this.form = byId("asked");
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.ask(); });
  }

  // open begins with the exchange at hand, or with what was asked for before.
  open(record, first) {
    const { method, url } = this.form.elements;
    if (record) [method.value, url.value] = [record.method, urlOf(record)];
    url.value ||= first;
    this.dialog.showModal();
    url.focus();
    url.select();
    if (url.value) this.ask();
  }

  async ask() {
    const { method, url } = this.form.elements;
    const asked = (this.asked = {});
    const answer = await explain(method.value.trim(), url.value.trim()).then(verdict, (error) => el("p", { class: "bad", "data-code": error.code }, error.sentence));
    if (this.asked === asked) byId("answer").replaceChildren(...[answer].flat());
  }
}

// verdict is the whole answer; where somebody must log in, it leads there.
function verdict(explained) {
  const login = explained.login_url ? el("p", null, el("a", { href: `/login?credential=${encodeURIComponent(explained.credential)}` }, `Log in to ${line(explained.credential)}`)) : null;
  return [told(explained), login].filter(Boolean);
}
