// How numbers and foreign text are written on the page.

const digits = (n, places) => n.toFixed(places);

// size of bytes, in the units of config.toml.
export function size(bytes) {
  if (!(bytes >= 0)) return "–";
  if (bytes < 1024) return `${bytes} B`;
  const [unit, n] = bytes < 1 << 20 ? ["KiB", bytes / 1024] : ["MiB", bytes / (1 << 20)];
  return `${digits(n, n < 10 ? 1 : 0)} ${unit}`;
}

// wait writes milliseconds.
export function wait(ms) {
  if (!(ms >= 0)) return "–";
  if (ms < 0.05) return ms > 0 ? "<0.1 ms" : "0 ms";
  if (ms < 10) return `${digits(ms, 1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return span(ms / 1000);
}

// span writes seconds.
export function span(s) {
  if (!(s >= 0)) return "unknown";
  if (s < 10) return `${digits(s, 2)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 3600) return two(Math.round(s), 60, "min", "s");
  if (s < 2 * 86400) return two(Math.round(s / 60), 60, "h", "min");
  return `${Math.round(s / 86400)} days`;
}

const two = (n, per, large, small) => `${Math.floor(n / per)} ${large}` + (n % per ? ` ${n % per} ${small}` : "");

const pad = (n, width = 2) => String(n).padStart(width, "0");

export function clock(time) {
  const t = new Date(time);
  return `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}.${pad(t.getMilliseconds(), 3)}`;
}

// visible shows characters that would hide or reorder what stands around them:
// controls as their pictures, marks of direction and zero width by number.
export function visible(text) {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/\r(?!\n)/g, "\u240d")
    .replace(/[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) => `\u27e8U+${pad(c.charCodeAt(0).toString(16).toUpperCase(), 4)}\u27e9`);
}

// line is visible in one line.
export const line = (text) => visible(text).replace(/\r?\n/g, "\u240a");

export const sentence = (text) => line(text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : "."));

const decisions = {
  injected: "token added",
  no_credential: "no credential",
  kept: "client’s own",
  login_required: "login needed",
  refresh_failed: "renewal failed",
  refused: "refused",
  stood_in: "stood in",
  shared: "shared",
  tunnelled: "tunnelled",
};

export const decision = (word) => decisions[word] || word || "";

export const isError = (summary) => summary.status >= 400 || Boolean(summary.error) || Boolean(summary.ended);

// mood is the class that colours a status.
export function mood(summary) {
  if (isError(summary)) return "bad";
  if (!summary.status) return "open";
  if (summary.status >= 300) return "soft";
  return summary.status >= 200 ? "good" : "soft";
}
