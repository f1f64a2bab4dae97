import { byId, el, say } from "./dom.js";
import { get, send } from "./api.js";
import { line } from "./format.js";
import { base64, headerFields } from "./replay.js";

// A Composer is the dialog that sends a request nobody sent before.
export class Composer {
  constructor(opened) {
    Object.assign(this, { opened, dialog: byId("compose"), form: byId("new") });
    this.form.addEventListener("submit", (event) => this.send(event));
  }

  async open() {
    this.dialog.showModal();
    const { routes } = await get("/api/status").catch(() => ({ routes: [] }));
    const select = this.form.elements.route;
    const chosen = select.value;
    select.replaceChildren(...(routes || []).map((r) => el("option", { value: r.name }, `${line(r.name)} → ${line(r.upstream)}`)));
    if (chosen) select.value = chosen;
    this.form.elements.target.focus();
  }

  async send(event) {
    event.preventDefault();
    const { method, target, route, headers, body } = this.form.elements;
    const told = this.form.querySelector("[role=alert]");
    told.textContent = "";
    const asked = { method: method.value.trim(), target: target.value.trim(), headers: headerFields(headers.value, new Set()) };
    if (body.value) asked.body_base64 = base64(body.value);
    try {
      const { id } = await send("POST", `/api/requests?${new URLSearchParams({ route: route.value })}`, asked);
      this.dialog.close();
      say(`Sent as exchange ${id}.`);
      this.opened(id);
    } catch (error) { told.textContent = error.sentence; }
  }
}
