// tags cuts a text of tags into its pieces, in one pass: whoever sent it must not be able to hold the page up.
// Each is [kind, text]: "text", "tag", or "other" for comments, declarations and CDATA.
export function tags(text) {
  const pieces = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("<", at);
    if (open < 0) break;
    if (open > at) pieces.push(["text", text.slice(at, open)]);
    const [kind, end] = text.startsWith("<!--", open) ? ["other", "-->"] : text.startsWith("<![CDATA[", open) ? ["other", "]]>"] : /[!?]/.test(text[open + 1] || "") ? ["other", ">"] : ["tag", ">"];
    const close = text.indexOf(end, open);
    if (close < 0) return [...pieces, ["text", text.slice(open)]];
    at = close + end.length;
    pieces.push([kind, text.slice(open, at)]);
  }
  if (at < text.length) pieces.push(["text", text.slice(at)]);
  return pieces;
}

// empty are the elements of HTML that have no end.
export const isEmpty = (name) => /^(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/.test(name);
