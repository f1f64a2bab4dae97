import { isEmpty, tags } from "./tags.js";

// XML indented, as text: it is never parsed by the browser.

const deepest = 60;

// indented puts each tag on a line of its own. html = elements without an end have none.
export function indented(text, html) {
  const pieces = tags(text).map(([kind, piece]) => [kind, piece.trim()]).filter(([, piece]) => piece);
  const lines = [];
  let depth = 0;
  const begins = ([kind, piece]) => kind === "tag" && !piece.startsWith("</") && !piece.endsWith("/>") && !(html && isEmpty(/^<([\w-]*)/.exec(piece)[1].toLowerCase()));
  const ends = (piece) => piece?.[0] === "tag" && piece[1].startsWith("</");
  for (let i = 0; i < pieces.length; i++) {
    if (ends(pieces[i])) depth = Math.max(0, depth - 1);
    const margin = "  ".repeat(Math.min(depth, deepest));
    if (begins(pieces[i]) && pieces[i + 1]?.[0] === "text" && ends(pieces[i + 2])) {
      lines.push(margin + pieces[i][1] + pieces[i + 1][1] + pieces[i + 2][1]); // a leaf stays in one line
      i += 2;
      continue;
    }
    lines.push(margin + pieces[i][1]);
    if (begins(pieces[i])) depth++;
  }
  return lines.join("\n");
}
