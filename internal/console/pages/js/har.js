// A HAR file as the page shows exchanges (HAR 1.2, of browsers and of avsproxy itself).

const first = 1e9; // the IDs of a file's exchanges, which no proxy reaches

// importHAR reads a file. Its records are by ID, each with the bytes of its bodies.
export async function importHAR(file) {
  let log;
  try { ({ log } = JSON.parse(await file.text())); } catch { throw new Error("it is no JSON"); }
  if (!Array.isArray(log?.entries)) throw new Error("it is no HAR");
  const records = new Map(log.entries.map((entry, i) => [first + i, record(entry, first + i)]));
  return { name: file.name, records, summaries: [...records.values()].map(summary) };
}

const pairs = (list) => (list || []).map(({ name, value }) => [String(name), String(value)]);
const at = (text) => { try { return new URL(text); } catch { return new URL("http://unknown/"); } };

function record(entry, id) {
  const { request = {}, response = {}, timings: t = {}, _avsproxy: ours = {} } = entry;
  const url = at(request.url);
  const sent = bytesOf(request.postData?.text, request.postData?._encoding);
  const answered = bytesOf(response.content?.text, response.content?.encoding);
  const known = (ms) => Math.max(0, ms || 0);
  return {
    id, route: String(ours.route || ""), method: String(request.method || ""), scheme: url.protocol.slice(0, -1), host: url.host, target: url.pathname + url.search,
    status: Number(response.status) || 0, state: "done", began: entry.startedDateTime, took_ms: Number(entry.time) || 0, proto: String(request.httpVersion || ""), upstream_proto: String(response.httpVersion || ""),
    decision: String(ours.token?.decision || ""), error: String(ours.error || ""), ended: entry._avsproxy ? String(entry.comment || "") : String(response._error || ""), request_bytes: size(request.bodySize, sent), response_bytes: size(response.bodySize, answered),
    content_type: String(response.content?.mimeType || ""), avs: ours.avs ? String(ours.avs) : undefined, replayed: false, replay_of: 0,
    client: ours.client || {}, upstream: ours.upstream || {}, tries: ours.tries || 0, token: ours.token || {}, findings: [], interim: ours.interim || [],
    timing_ms: { guard: 0, token: known(t.blocked), connect: known(t.connect), tls: known(t.ssl), first_byte: known(t.blocked) + known(t.connect) + known(t.send) + known(t.wait), total: entry.time || 0 },
    request: { headers: pairs(request.headers), trailers: [], body: about(size(request.bodySize, sent), sent) },
    response: { headers: pairs(response.headers), trailers: [], body: about(size(response.bodySize, answered), answered) },
    bytes: { request: sent, response: answered },
  };
}

const size = (told, bytes) => (told > 0 ? Math.max(told, bytes.length) : bytes.length);
const about = (size, bytes) => ({ size, kept: bytes.length, complete: bytes.length === size });

function bytesOf(text, encoding) {
  if (!text) return new Uint8Array();
  if (encoding !== "base64") return new TextEncoder().encode(text);
  try { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); } catch { return new Uint8Array(); }
}

function summary(record) {
  const { request, response, bytes, findings, interim, ...rest } = record;
  return rest;
}
