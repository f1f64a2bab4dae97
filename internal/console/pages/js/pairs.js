import { fields } from "./summary.js";

const rowsMost = 1000;

// pairs shows what a query or a form says, decoded, in its order; null where it says nothing.
export function pairs(text, label) {
  return fields([...new URLSearchParams(text.slice(0, 64 << 10))].slice(0, rowsMost), label);
}
