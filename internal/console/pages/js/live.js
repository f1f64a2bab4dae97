import { get } from "./api.js";

// listed bounds what is read at once: a day's small requests can be fifty thousand.
const listed = 10000;

// A Live stream keeps what the page knows up to date. The server cuts off who
// reads too slowly, and a browser reconnects by itself; what was missed meanwhile
// is made up by reading the whole list each time a stream has opened. Events that
// come while that is read are applied after it.
export class Live {
  // hooks: reload(answer), exchange(summary), chunk(chunk), removed(ids), cleared(), paused(is),
  // state(word, error): "live", or "lost" and why, once that is known
  constructor(hooks) {
    this.hooks = hooks;
    this.followed = 0;
    this.waiting = null;
    this.failures = 0; // since a stream was open
    this.open();
  }

  // follow has the chunks of one exchange told, too; 0 = none.
  follow(id) {
    if (id === this.followed) return;
    this.followed = id;
    this.open();
  }

  open() {
    this.source?.close();
    clearTimeout(this.retry);
    const source = new EventSource("/api/events?own=1" + (this.followed ? `&follow=${this.followed}` : ""));
    this.source = source;
    source.onopen = () => { this.failures = 0; this.reload(); };
    source.onerror = () => this.lost(source);
    this.on(source, "exchange", (data) => this.hooks.exchange(data));
    this.on(source, "chunk", (data) => this.hooks.chunk(data));
    this.on(source, "removed", (data) => this.hooks.removed(data.ids || []));
    this.on(source, "cleared", () => this.hooks.cleared());
    this.on(source, "paused", (data) => this.hooks.paused(data.paused));
  }

  on(source, name, apply) {
    source.addEventListener(name, (event) => {
      const data = JSON.parse(event.data || "{}");
      if (this.waiting) this.waiting.push(() => apply(data));
      else apply(data);
    });
  }

  async reload() {
    const waiting = (this.waiting = []);
    try {
      const answer = await get(`/api/exchanges?own=1&limit=${listed}`);
      if (this.waiting !== waiting) return; // another stream has opened since
      this.hooks.reload(answer);
      this.hooks.state("live");
    } catch {
      if (this.waiting !== waiting) return;
      this.source.close();
      this.lost(this.source);
    }
    if (this.waiting !== waiting) return;
    this.waiting = null;
    waiting.forEach((apply) => apply());
  }

  // lost waits for the browser's own reconnection, and makes one where the browser
  // has given up, as it does after an answer other than 200.
  lost(source) {
    if (source !== this.source) return;
    this.failures++;
    const closed = source.readyState === EventSource.CLOSED;
    if (this.failures === 1) this.hooks.state("lost");
    if (closed || this.failures > 1) this.ask(source);
    if (!closed) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.open(), 2000);
  }

  // ask finds out why, for a stream cannot tell: capture is off, a key is missing, or
  // nobody is there.
  async ask(source) {
    const error = await get("/api/exchanges?limit=1").then(() => undefined, (refusal) => refusal);
    if (source === this.source && this.failures) this.hooks.state("lost", error);
  }
}
