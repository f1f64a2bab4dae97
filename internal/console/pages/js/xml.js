// XML indented, as text: it is never parsed by the browser.

// indented puts each tag on a line of its own; undefined where the text is no XML.
export function indented(text) {
  if (!/^\s*<[?!a-z_]/i.test(text)) return undefined;
  const tokens = text.match(/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<[^>]*>|[^<]+/g) || [];
  const lines = [];
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i].trim();
    if (!token) continue;
    if (/^<\//.test(token)) depth = Math.max(0, depth - 1);
    const [inner, close] = [tokens[i + 1], tokens[i + 2]];
    if (/^<[^/?!]/.test(token) && !/\/>$/.test(token) && inner !== undefined && !inner.startsWith("<") && close?.startsWith("</")) {
      lines.push("  ".repeat(depth) + token + inner.trim() + close.trim()); // a leaf stays in one line
      i += 2;
      continue;
    }
    lines.push("  ".repeat(depth) + token);
    if (/^<[^/?!]/.test(token) && !/\/>$/.test(token)) depth++;
  }
  return lines.join("\n");
}
