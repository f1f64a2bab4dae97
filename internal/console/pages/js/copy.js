import { say } from "./dom.js";

// copyText puts a text on the clipboard, and says so.
export async function copyText(text, name) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${name} was copied.`);
  } catch {
    say("The browser does not let the page copy.");
  }
}
