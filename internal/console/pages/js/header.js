import { el, byId, Kept } from "./dom.js";
import { get } from "./api.js";
import { line, span } from "./format.js";

const states = { ready: ["good", "ready"], login_needed: ["bad", "login needed"], failing: ["bad", "failing"], unknown: ["soft", "not used yet"] };

// A Header keeps the credentials' state and the line to try up to date.
export class Header {
  constructor() {
    this.credentials = new Kept(byId("credentials"));
    this.proxy = [];
    this.renew();
    setInterval(() => { if (!document.hidden) this.renew(); }, 15000);
  }

  async renew() {
    const status = await get("/api/status").catch(() => null);
    if (!status) return;
    this.proxy = status.proxy || [];
    this.credentials.show((status.credentials || []).map((c) => [c.name, c.state, c.login, left(c), c.problem?.detail]), (list) => list.map(chip));
    byId("try").textContent = `curl -i ${status.try || `${this.door()}/`}`;
  }

  door() { return this.proxy.find((address) => address.startsWith("http")) || this.proxy[0] || ""; }
}

function left(c) {
  if (c.state !== "ready" || !c.expires_at) return "";
  const seconds = (new Date(c.expires_at) - Date.now()) / 1000;
  return span(seconds > 90 ? Math.round(seconds / 60) * 60 : Math.max(0, seconds));
}

function chip([name, state, login, remaining, problem]) {
  const [kind, word] = states[state] || ["soft", state];
  const text = [el("code", null, line(name)), " ", el("span", { class: kind }, word), remaining ? el("span", { class: "soft" }, ` ${remaining} left`) : null];
  const title = problem ? line(problem) : null;
  if (login && kind === "bad") return el("li", { title }, el("a", { href: `/login?credential=${encodeURIComponent(name)}` }, ...text));
  return el("li", { title }, ...text);
}
