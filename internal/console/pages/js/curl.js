// The command line that sends an exchange again, through the proxy, which adds the
// token: so the line needs no secret.

// unneeded fields are curl's own business, or the connection's.
const unneeded = new Set(["host", "content-length", "connection", "proxy-connection", "transfer-encoding", "keep-alive", "te", "upgrade", "expect", "accept-encoding", "avsproxy-key", "proxy-authorization"]);

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const isLocal = (host) => /^(localhost|127\.0\.0\.1|\[::1\]|[\w-]+\.localhost)(:\d+)?$/i.test(host);

const masked = (value) => value.includes("***");

const hasField = (record, name) => record.request.headers.some(([n]) => n.toLowerCase() === name);

// curl returns the line, and whether it reads the body from a file. text is the
// body, where it was kept whole and is text; file says that there is one to
// download instead. fallback is an address of the proxy, for exchanges that do not
// know their door.
export function curl(record, { text, file, fallback }) {
  const words = ["curl", "-i"];
  words.push(...method(record, text !== undefined || file));
  words.push(...address(record, fallback));
  for (const [name, value] of record.request.headers) {
    if (unneeded.has(name.toLowerCase()) || masked(value) || /^:/.test(name)) continue;
    words.push("-H", quote(value === "" ? `${name};` : `${name}: ${value}`));
  }
  if (hasField(record, "accept-encoding")) words.push("--compressed");
  if (hasField(record, "avsproxy-key") || hasField(record, "proxy-authorization")) words.push("-H", `"Avsproxy-Key: $AVSPROXY_KEY"`);
  if (text !== undefined || file) words.push(...body(record, text));
  return words.join(" ");
}

function method(record, hasBody) {
  if (record.method === "HEAD") return ["-I"];
  return record.method === (hasBody ? "POST" : "GET") ? [] : ["-X", quote(record.method)];
}

function address(record, fallback) {
  const door = record.client?.address || fallback || "http://localhost:9744";
  const host = record.host || "";
  const socket = door.startsWith("unix:");
  const origin = socket || isLocal(host) ? `http://${host || "localhost"}` : door.replace(/^https:/, "http:");
  const words = [quote(origin + path(record.target))];
  if (socket) words.unshift("--unix-socket", quote(door.slice("unix:".length)));
  else if (!isLocal(host) && host) words.push("-H", quote(`Host: ${host}`));
  if (/[[\]{}]/.test(record.target) || origin.includes("[")) words.unshift("-g");
  if (record.target?.includes("..")) words.unshift("--path-as-is");
  return words;
}

// path is the target without what absolute form puts before it.
function path(target) {
  const at = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i.exec(target || "");
  return (at ? target.slice(at[0].length) : target) || "/";
}

function body(record, text) {
  const words = text === undefined ? ["--data-binary", "@body"] : ["--data-raw", quote(text)];
  if (!hasField(record, "content-type")) words.unshift("-H", "Content-Type:"); // or curl names a form
  return words;
}
