import { el, byId, Kept } from "./dom.js";
import { get } from "./api.js";
import { line, span } from "./format.js";

const states = { ready: ["good", "ready"], login_needed: ["bad", "login needed"], failing: ["bad", "failing"], unknown: ["soft", "not used yet"] };

// A Header keeps the credentials' state and the line to try up to date.
export class Header {
  constructor() {
    this.credentials = new Kept(byId("credentials"));
    this.proxy = [];
    this.known = []; // the credentials
    this.try = "";
    this.renew();
    setInterval(() => { if (!document.hidden) this.renew(); }, 15000);
  }

  async renew() {
    const status = await get("/api/status").catch(() => null);
    if (!status) return;
    this.proxy = status.proxy || [];
    this.known = status.credentials || [];
    this.credentials.show((status.credentials || []).map((c) => [c.name, c.state, c.login, left(c), c.problem?.detail]), (list) => list.map(chip));
    this.try = status.try || `${this.door()}/`;
    byId("try").textContent = `curl -i ${this.try}`;
    this.before((status.credentials || []).find((c) => c.login && c.state === "login_needed"));
  }

  // before says what a first request lacks.
  before(credential) {
    byId("before").hidden = !credential;
    if (credential) byId("before").replaceChildren(el("a", { href: loginOf(credential.name) }, `Log in to ${line(credential.name)}`), " first: without a token nothing is sent on.");
  }

  door() { return this.proxy.find((address) => address.startsWith("http")) || this.proxy[0] || ""; }
}

const loginOf = (name) => `/login?credential=${encodeURIComponent(name)}`;

function left(c) {
  if (c.state !== "ready" || !c.expires_at) return "";
  const seconds = (new Date(c.expires_at) - Date.now()) / 1000;
  return span(seconds > 90 ? Math.round(seconds / 60) * 60 : Math.max(0, seconds));
}

function chip([name, state, login, remaining, problem]) {
  const [kind, word] = states[state] || ["soft", state];
  const text = [el("code", null, line(name)), " ", el("span", { class: kind }, word), remaining ? el("span", { class: "soft" }, ` ${remaining} left`) : null];
  const title = problem ? line(problem) : null;
  if (login && kind === "bad") return el("li", { title, "data-state": state }, el("a", { href: loginOf(name) }, ...text));
  return el("li", { title, "data-state": state }, ...text);
}
