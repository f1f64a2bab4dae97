// Words for a POSIX shell.

export const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const signs = { "\\": "\\\\", "%": "%%", "'": "'\\''", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// octal has three digits, so that one which follows is none of them.
const octal = (code) => `\\${code.toString(8).padStart(3, "0")}`;

// printf is the command that writes such bytes: text, where it is one, with what a
// terminal would change or an argument cannot hold written as numbers.
export function printf(bytes, text) {
  const all = text ?? Array.from(bytes, (b) => String.fromCharCode(b)).join("");
  const other = text === undefined ? /[\u0000-\u001f\u007f-\u00ff\\%']/g : /[\u0000-\u001f\u007f\\%']/g;
  const format = all.replace(other, (c) => signs[c] || octal(c.charCodeAt(0)));
  return `printf '${format.replace(/^-/, octal(45))}'`; // or it would be an option
}
