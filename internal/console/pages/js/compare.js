import { el } from "./dom.js";
import { bytesOf, exchangePath, get, plainPath } from "./api.js";
import { jsonOf, textOf } from "./bytes.js";
import { line, size, visible, wait } from "./format.js";

// What differs between two exchanges.

const shownMost = 2000; // lines of a body

// compare also finds those of a file, by their numbers in it.
export async function compare(a, idB, imported) {
  const b = imported?.get(idB) || await get(exchangePath(idB));
  const sides = [];
  for (const [side, title] of [["request", "Request"], ["response", "Response"]]) {
    const bodies = await Promise.all([a, b].map((r) => bodyLines(r, side)));
    sides.push(el("h3", null, `${title} headers`), table(headerRows(a[side].headers, b[side].headers)) || same("The same headers."),
      el("h3", null, `${title} body`), bodyDiff(...bodies));
  }
  return el("section", { class: "compare", "aria-label": `Exchange ${a.id} beside ${b.id}` },
    el("h3", null, `${a.id} beside ${b.id}`), table(factRows(a, b), true), ...sides);
}

const same = (text) => el("p", { class: "soft" }, text);

function factRows(a, b) {
  const facts = (r) => ({ Method: r.method, Host: r.host, Target: r.target, Status: String(r.status || "–"), Route: r.route, Decision: r.decision, Protocol: `${r.proto} / ${r.upstream_proto}`, Took: wait(r.took_ms), "Request body": size(r.request_bytes), "Answer's body": size(r.response_bytes), Ended: r.ended });
  const [fa, fb] = [facts(a), facts(b)];
  return Object.keys(fa).map((name) => [name, fa[name] || "–", fb[name] || "–"]);
}

// headerRows are the fields that differ, by name.
function headerRows(a, b) {
  const joined = (list) => {
    const map = new Map();
    for (const [n, v] of list) map.set(n.toLowerCase(), [...(map.get(n.toLowerCase()) || []), v]);
    return map;
  };
  const [ma, mb] = [joined(a), joined(b)];
  return [...new Set([...ma.keys(), ...mb.keys()])].map((n) => [n, (ma.get(n) || []).join(", "), (mb.get(n) || []).join(", ")]).filter(([, x, y]) => x !== y);
}

function table(rows, all) {
  if (!rows.length) return null;
  return el("table", { class: "fields beside" }, el("tbody", null, ...rows.map(([name, x, y]) => el("tr", { class: x === y ? null : "differs" }, el("th", { scope: "row" }, line(name)), ...(all && x === y ? [el("td", { colspan: "2" }, line(x))] : [el("td", null, line(x || "–")), el("td", null, line(y || "–"))])))));
}

async function bodyLines(record, side) {
  const { kept, complete, masked } = record[side].body;
  if (!kept) return [];
  const bytes = record.bytes?.[side] || await bytesOf(plainPath(record.id, side));
  const text = textOf(bytes);
  const lines = text === undefined ? [`${size(bytes.length)} that are no text, ${await sum(bytes)}`] : linesOf(text);
  return Object.assign(lines, { raw: text ?? await sum(bytes), cut: !complete || masked });
}

function linesOf(text) {
  const value = jsonOf(text);
  return (value === undefined ? text : JSON.stringify(value, null, 2)).split(/\r?\n/);
}

const sum = async (bytes) => `SHA-256 ${Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (b) => b.toString(16).padStart(2, "0")).join("").slice(0, 16)}…`;

function bodyDiff(a, b) {
  if (!a.length && !b.length) return same("No bodies.");
  if (a.raw === b.raw) return same(a.cut || b.cut ? "The same bodies, as far as they were kept." : "The same bodies.");
  const rows = diff(a.slice(0, shownMost), b.slice(0, shownMost));
  const out = [];
  let skipped = 0;
  rows.forEach(([sign, text], i) => {
    const near = rows.slice(Math.max(0, i - 3), i + 4).some(([s]) => s !== " ");
    if (!near) { skipped++; return; }
    if (skipped) out.push(el("span", { class: "soft" }, `… ${skipped} lines that are the same\n`));
    skipped = 0;
    out.push(el("span", { class: { "-": "less", "+": "more", " ": "" }[sign] }, `${sign} ${visible(text)}\n`));
  });
  if (skipped) out.push(el("span", { class: "soft" }, `… ${skipped} lines that are the same\n`));
  if (a.length > shownMost || b.length > shownMost) out.push(el("span", { class: "soft" }, `… the first ${shownMost} lines were compared\n`));
  if (rows.every(([sign]) => sign === " ")) out.push(el("span", { class: "soft" }, "… they differ in what is not shown: ends of lines, or digits of long numbers\n"));
  return el("pre", { class: "diff", tabindex: "0", "aria-label": "What differs" }, ...out);
}

// diff compares lines by their longest common subsequence, or, where that would take too long, one by one.
export function diff(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const rows = a.slice(0, start).map((l) => [" ", l]);
  if (x.length * y.length > 4e6) rows.push(...x.map((l) => ["-", l]), ...y.map((l) => ["+", l]));
  else rows.push(...lcs(x, y));
  rows.push(...a.slice(a.length - end).map((l) => [" ", l]));
  return rows;
}

function lcs(x, y) {
  const w = y.length + 1;
  const best = new Uint32Array((x.length + 1) * w);
  for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) best[i * w + j] = x[i] === y[j] ? best[(i + 1) * w + j + 1] + 1 : Math.max(best[(i + 1) * w + j], best[i * w + j + 1]);
  const rows = [];
  let i = 0, j = 0;
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) { rows.push([" ", x[i]]); i++; j++; }
    else if (i < x.length && (j >= y.length || best[(i + 1) * w + j] >= best[i * w + j + 1])) rows.push(["-", x[i++]]);
    else rows.push(["+", y[j++]]);
  }
  return rows;
}
