import { textOf } from "./bytes.js";
import { urlOf } from "./explain.js";

// An exchange as a program that sends it again through the proxy. Headers that a library writes by itself, and those
// that were masked, are left out.

const unneeded = new Set(["host", "content-length", "connection", "accept-encoding", "transfer-encoding", "keep-alive", "upgrade", "te", "trailer", "expect", "proxy-connection", "proxy-authorization", "http2-settings"]);

const headersOf = (record) => record.request.headers.filter(([name, value]) => !unneeded.has(name.toLowerCase()) && !name.startsWith(":") && !value.includes("***"));

// target is where a library is to send it: to the proxy, by the name that the client used.
function target(record, door) {
  const url = new URL(urlOf(record));
  const proxy = new URL((record.client?.address || door || "http://localhost:9744").replace(/^unix:.*/, "http://localhost:9744"));
  const local = /^(localhost|127\.0\.0\.1|\[::1\]|.*\.localhost)$/.test(url.hostname);
  return local ? { url: url.href, host: "" } : { url: proxy.origin + url.pathname + url.search, host: url.host };
}

const text = (bytes) => (bytes?.length ? textOf(bytes) : "");

function parts(record, bytes, door) {
  const { url, host } = target(record, door);
  const headers = headersOf(record);
  if (host) headers.unshift(["Host", host]);
  const missing = record.request.body.size > 0 && !bytes;
  const why = missing ? "the body was not kept as it was sent, and is missing here" : bytes?.length && text(bytes) === undefined ? "the body is no text: download it, and read it from that file" : "";
  return { method: record.method, url, headers, body: text(bytes), why };
}

const note = (why, sign) => (why ? `${sign} ${why}\n` : "");

export function fetchCode(record, bytes, door) {
  const p = parts(record, bytes, door);
  const headers = p.headers.filter(([n]) => n !== "Host");
  const options = { method: p.method, headers, ...(p.body ? { body: p.body } : {}) };
  const host = p.headers.length > headers.length ? note("fetch cannot name the host: use the route's own name, NAME.localhost, in the URL", "//") : "";
  return `${host}${note(p.why, "//")}const response = await fetch(${JSON.stringify(p.url)}, ${JSON.stringify(options, null, 2)});\nconsole.log(response.status, await response.text());\n`;
}

export function pythonCode(record, bytes, door) {
  const p = parts(record, bytes, door);
  const lines = p.headers.map(([n, v]) => `        ${python(n)}: ${python(v)},\n`).join("");
  return `${note(p.why, "#")}import requests\n\nresponse = requests.request(\n    ${python(p.method)},\n    ${python(p.url)},\n    headers={\n${lines}    },\n${p.body ? `    data=${python(p.body)}.encode(),\n` : ""})\nprint(response.status_code, response.text)\n`;
}

// python writes a text as JSON does, which Python reads in the same way but for what lies beyond 16 bits.
const python = (value) => JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).replace(/\\ud([89ab][0-9a-f]{2})\\ud([c-f][0-9a-f]{2})/g, (_, a, b) => `\\U${(0x10000 + ((parseInt(`d${a}`, 16) - 0xd800) << 10) + parseInt(`d${b}`, 16) - 0xdc00).toString(16).padStart(8, "0")}`);

export function goCode(record, bytes, door) {
  const p = parts(record, bytes, door);
  const headers = p.headers.map(([n, v]) => (n === "Host" ? `\treq.Host = ${go(v)}\n` : `\treq.Header.Add(${go(n)}, ${go(v)})\n`)).join("");
  const body = p.body ? `strings.NewReader(${go(p.body)})` : "nil";
  const imports = ["fmt", "io", "net/http", ...(p.body ? ["strings"] : [])].map((i) => `\t"${i}"\n`).join("");
  return `${note(p.why, "//")}package main\n\nimport (\n${imports})\n\nfunc main() {\n\treq, err := http.NewRequest(${go(p.method)}, ${go(p.url)}, ${body})\n\tif err != nil {\n\t\tpanic(err)\n\t}\n${headers}\tresp, err := http.DefaultClient.Do(req)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer resp.Body.Close()\n\ttext, _ := io.ReadAll(resp.Body)\n\tfmt.Println(resp.Status)\n\tfmt.Println(string(text))\n}\n`;
}

// go writes a text as Go reads it: JSON's escapes are Go's, but for those of one half of a character.
const go = (value) => JSON.stringify(value).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const languages = { fetch: ["fetch (JavaScript)", fetchCode], python: ["Python (requests)", pythonCode], go: ["Go", goCode] };
