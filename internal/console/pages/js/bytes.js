// What a body is, and how its bytes read.

// textOf returns the text of bytes, or undefined where they are none. A character
// that the end cuts is left out.
export function textOf(bytes) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
  const controls = text.slice(0, 4096).match(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/g);
  return controls && controls.length > text.slice(0, 4096).length / 50 ? undefined : text;
}

export function jsonOf(text) {
  if (!/^\s*[[{"]/.test(text || "")) return undefined;
  try { return JSON.parse(text); } catch { return undefined; }
}

// hex is a dump of 16 bytes a line.
export function hex(bytes, most = 16 << 10) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, most); at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, most));
    const pairs = Array.from(row, (b) => b.toString(16).padStart(2, "0"));
    const signs = Array.from(row, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : "."));
    lines.push(`${at.toString(16).padStart(8, "0")}  ${pairs.slice(0, 8).join(" ").padEnd(24)} ${pairs.slice(8).join(" ").padEnd(24)} ${signs.join("")}`);
  }
  if (bytes.length > most) lines.push(`… ${bytes.length - most} more bytes`);
  return lines.join("\n");
}

// heldMost is what may be held back of a body that runs, to be looked at for secrets.
const heldMost = 8 << 10;

// isCut says whether bytes of a body are missing that will not come any more.
export const isCut = ({ size, kept, masked }, runs) => !masked && size - kept > (runs ? heldMost : 0);

export const field = (headers, name) => (headers || []).find(([n]) => n.toLowerCase() === name)?.[1] || "";
