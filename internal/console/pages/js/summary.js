import { el } from "./dom.js";
import { pairs } from "./explain.js";
import { line, sentence, size, span, wait } from "./format.js";

// The sentence, the legs and the times of an exchange.

export function sentences(record, explained) {
  const list = [el("p", { class: "lead", "data-outcome": outcome(record), "data-route": record.route }, lead(record), " ", login(record))];
  list.push(...whys(record, explained).map((why) => el("p", { class: "soft" }, why)));
  const more = notes(record);
  if (more.length) list.push(el("ul", { class: "notes" }, ...more.map(([note, kind, text]) => el("li", { class: kind, "data-note": note }, text))));
  return list;
}

// whys are the reasons that the configuration has: why this route, and why it is not
// let pass.
function whys(record, explained) {
  const wanted = record.decision === "refused" ? ["Route", "Allowed"] : ["Route"];
  return pairs(explained).filter(([name]) => wanted.includes(name)).map(([name, text]) => line(`${name}: ${text}`));
}

// outcome is the decision, or that the request could not be sent for want of a connection.
function outcome(record) {
  const decided = ["injected", "no_credential", "kept"].includes(record.decision);
  return record.error && !record.tries && decided ? "no_connection" : record.decision;
}

function lead(record) {
  const to = line(record.upstream?.address || "the upstream");
  const route = record.route ? `route ${line(record.route)}` : "no route";
  const credential = line(record.token?.credential || "");
  const ours = "Answered here, nothing was sent: ";
  if (outcome(record) === "no_connection") {
    return `Nothing was sent: there was no connection to the upstream of ${route}.`;
  }
  switch (record.decision) {
    case "injected": return `Sent to ${to} by ${route}, with a token of its credential ${credential} added${age(record.token)}.`;
    case "no_credential": return `Sent to ${to} by ${route} as it was: the route has no credential.`;
    case "kept": return `Sent to ${to} by ${route} with the client’s own credential left in place.`;
    case "login_required": return `${ours}nobody has logged in to ${credential || "the credential"} of ${route}.`;
    case "refresh_failed": return `${ours}the token of ${credential || "the credential"} has ended and could not be renewed.`;
    case "refused": return record.route ? `${ours}the rules of ${route} do not let it pass.` : `${ours}it was refused before it had a route.`;
    case "stood_in": return "Answered here: a token request, with a dummy. Bodies like it are not kept.";
    case "shared": return "Joined the downchannel that avsproxy holds for this route.";
    case "tunnelled": return `A tunnel to ${to}, whose bytes nobody looked at.`;
    default: return record.error ? `${ours}${line(record.error)}.` : record.state === "active" ? "Not decided yet." : `Went by ${route}.`;
  }
}

function age({ age_s: age, left_s: left }) {
  const told = [];
  if (age >= 0) told.push(`${span(Math.round(age))} old`);
  if (left >= 0) told.push(`${span(Math.round(left))} left`);
  return told.length ? ` (${told.join(", ")})` : "";
}

function login(record) {
  if (!["login_required", "refresh_failed"].includes(record.decision) || !record.token?.credential) return "";
  return el("a", { href: `/login?credential=${encodeURIComponent(record.token.credential)}` }, "Log in");
}

function notes(record) {
  const list = [];
  if (record.ended) list.push(["ended", "bad", sentence(record.ended)]);
  if (record.error) list.push(["error", "bad", `The answer is avsproxy’s own: ${line(record.error)}.`]);
  if (record.replayed) list.push(["replayed", "", "The upstream refused the token; it was sent again with a new one."]);
  if (record.tries > 1) list.push(["tries", "", `It took ${record.tries} tries.`]);
  if (record.replay_of) list.push(["replay_of", "", el("a", { href: `#${record.replay_of}` }, `A replay of exchange ${record.replay_of}`)]);
  return list;
}

const levels = ["error", "warning", "note"];

export function findings(list) {
  if (!list?.length) return null;
  const worst = [...list].sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level));
  return el("ul", { class: "findings", "aria-label": "What AVS does not like about it" }, ...worst.map((f) =>
    el("li", { class: f.level }, el("b", null, f.level), f.where === "response" ? " of the answer: " : " ", sentence(f.text))));
}

// legs are the two connections, side by side.
export function legs(record) {
  const client = record.client || {}, upstream = record.upstream || {};
  return el("table", { class: "legs" },
    el("thead", null, el("tr", null, ...["", "Address", "Protocol", "Connection", "Stream", "Request", "Answer"].map((t) => (t ? el("th", { scope: "col" }, t) : el("td"))))),
    el("tbody", null, leg("Client", client, record.request_bytes, record.response_bytes), leg("Upstream", upstream, upstream.conn ? record.request_bytes : NaN, upstream.conn && !record.error ? record.response_bytes : NaN)));
}

function leg(name, l, asked, answered) {
  const connection = l.conn ? `${l.conn}${l.reused ? ", reused" : ""}` : "–";
  const proto = l.proto ? l.proto + (l.tls ? ", TLS" : "") : "–";
  return el("tr", null, el("th", { scope: "row" }, name), ...[l.address || "–", proto, connection, l.stream || "–", size(asked), size(answered)].map((t) => el("td", null, line(String(t)))));
}

// timing draws where the time went, one bar a stage.
export function timing(record) {
  const t = record.timing_ms || {};
  const at = (ms) => Math.max(0, ms || 0);
  const guard = at(t.guard), token = at(t.token), connect = at(t.connect), tls = at(t.tls);
  const total = at(t.total ?? record.took_ms);
  const first = t.first_byte >= 0 ? at(t.first_byte) : -1;
  const answered = first >= 0 && record.status;
  const before = guard + token + connect;
  const whole = Math.max(guard + (answered ? Math.max(first, total) : total), 0.001);
  const stages = [
    ["Guard", 0, guard, t.guard],
    ["Token", guard, token, t.token],
    ["Connect", guard + token, connect - tls, t.connect === undefined ? undefined : connect - tls],
    ["TLS", before - tls, tls, t.tls],
    ["First byte", before, answered ? Math.max(0, first - token - connect) : -1, answered ? first - token - connect : -1],
    ["Rest", guard + Math.max(first, 0), answered ? Math.max(0, total - first) : -1, answered ? total - first : -1],
  ];
  return el("table", { class: "timing" },
    el("caption", { class: "said" }, "Timing"),
    el("tbody", null, ...stages.map(([name, from, long, told]) => stage(name, from / whole, long / whole, told === undefined ? "–" : wait(told)))),
    el("tfoot", null, el("tr", null, el("th", { scope: "row" }, "In all"), el("td"), el("td", null, record.state === "active" ? "running" : wait(record.took_ms ?? total)))));
}

function stage(name, from, long, told) {
  const bar = long > 0 ? el("div", { class: "bar", "--from": `${(from * 100).toFixed(2)}%`, "--long": `${(Math.min(long, 1) * 100).toFixed(2)}%` }) : null;
  return el("tr", null, el("th", { scope: "row" }, name), el("td", { class: "track" }, bar), el("td", null, told));
}

// fields are headers or trailers as a table.
export function fields(list, label) {
  if (!list?.length) return null;
  return el("table", { class: "fields", "aria-label": label },
    el("tbody", null, ...list.map(([name, value]) => el("tr", null, el("th", { scope: "row" }, line(name)), el("td", null, line(value))))));
}
