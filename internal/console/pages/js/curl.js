import { textOf } from "./bytes.js";
import { printf, quote } from "./shell.js";

// The command line that sends an exchange again, through the proxy, which adds the
// token: so the line needs no secret.

// unneeded fields are curl's own business, or the connection's.
const unneeded = new Set(["host", "content-length", "connection", "proxy-connection", "transfer-encoding", "keep-alive", "te", "upgrade", "expect", "accept-encoding", "avsproxy-key", "proxy-authorization"]);

const isLocal = (host) => /^(localhost|127\.0\.0\.1|\[::1\]|[\w-]+\.localhost)(:\d+)?$/i.test(host);

const masked = (value) => value.includes("***");

const hasField = (record, name) => record.request.headers.some(([n]) => n.toLowerCase() === name);

// pipedMost is how long a command may be that brings its body along; a longer one
// wants a file.
const pipedMost = 16 << 10;

// curl returns the command, and whether it reads the body from a file. bytes are the
// body, where it was kept as it was sent. door is an address of the proxy, for
// exchanges that do not know theirs.
export function curl(record, bytes, door) {
  const words = ["curl", record.method === "GET" && streams(record) ? "-iN" : "-i"];
  words.push(...method(record), ...address(record, door));
  for (const [name, value] of record.request.headers) {
    if (unneeded.has(name.toLowerCase()) || masked(value) || /^:/.test(name)) continue;
    words.push("-H", quote(value === "" ? `${name};` : `${name}: ${value}`));
  }
  if (hasField(record, "accept-encoding")) words.push("--compressed");
  if (hasField(record, "avsproxy-key") || hasField(record, "proxy-authorization")) words.push("-H", `"Avsproxy-Key: $AVSPROXY_KEY"`);
  if (!hasBody(record)) return { command: words.join(" "), file: false };
  if (!hasField(record, "content-type")) words.push("-H", "Content-Type:"); // or curl names a form
  return withBody(words, bytes);
}

// withBody lets text be an argument, if it comes through a terminal unchanged. What
// else there is goes through a pipe, or a file.
function withBody(words, bytes) {
  const text = bytes && wholeText(bytes);
  if (text !== undefined && !/[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) return { command: [...words, "--data-raw", quote(text)].join(" "), file: false };
  const piped = bytes && bytes.length < pipedMost ? printf(bytes, text) : "";
  const file = !piped || piped.length > pipedMost;
  const command = [...words, "--data-binary", file ? "@body" : "@-"].join(" ");
  return { command: file ? command : `${piped} | ${command}`, file };
}

// wholeText is text that gives the same bytes again.
function wholeText(bytes) {
  const text = textOf(bytes);
  return text !== undefined && new TextEncoder().encode(text).length === bytes.length ? text : undefined;
}

const hasBody = (record) => record.request.body.size > 0;

const streams = (record) => /^multipart\/|^text\/event-stream/i.test(record.content_type || "");

function method(record) {
  if (record.method === "HEAD") return ["-I"];
  return record.method === (hasBody(record) ? "POST" : "GET") ? [] : ["-X", quote(record.method)];
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
