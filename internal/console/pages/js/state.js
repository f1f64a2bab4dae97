import { byId } from "./dom.js";

// isOff says whether an answer means that nothing is captured at all.
export const isOff = (error) => error?.code === "capture_off";

// showState tells how the page stands to the console: word is "live" or "lost", error
// why it is lost, where that is known.
export function showState(word, error, paused) {
  const [text, look] = label(word, error, paused);
  if (byId("live").textContent !== text) byId("live").textContent = text; // or it is read aloud again
  byId("live").className = `live ${look}`;
  byId("live").dataset.connected = word === "live" || isOff(error);
  const trouble = error && !isOff(error) ? error.sentence : "";
  byId("trouble").textContent = trouble;
  byId("trouble").hidden = !trouble;
  byId("trouble").dataset.status = trouble ? error.status : "";
  byId("tools").hidden = isOff(error);
}

function label(word, error, paused) {
  if (word === "live") return paused ? ["Paused", "paused"] : ["Live", "live"];
  if (isOff(error)) return ["Not capturing", "paused"];
  return [error ? "Not connected" : "Reconnecting …", "lost"];
}
