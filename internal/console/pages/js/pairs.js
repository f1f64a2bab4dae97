import { fields } from "./summary.js";

// pairs shows what a query or a form says, decoded, in its order; null where it says nothing.
export function pairs(text, label) {
  return fields([...new URLSearchParams(text)], label);
}
