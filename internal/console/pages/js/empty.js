import { byId } from "./dom.js";

// What stands in the place of the list while it shows nothing, and the way out.
const reasons = {
  first: ["Nothing went through yet", ""],
  filtered: ["No exchange fits the filter", "", "Show all"],
  paused: ["Paused", "Requests go through, but new ones are not remembered.", "Resume"],
  off: ["Capture is off", ""], // the console tells what to do
};

// emptyFor shows one of these reasons, or none.
export function emptyFor(reason) {
  const place = byId("empty");
  place.hidden = !reason;
  byId("list").hidden = Boolean(reason);
  if (!reason || place.dataset.reason === reason) return;
  place.dataset.reason = reason;
  const [title, text, relief] = reasons[reason];
  place.querySelector("h2").textContent = title;
  place.querySelector("p").textContent = text;
  byId("relief").textContent = relief || "";
  byId("relief").hidden = !relief;
  byId("first").hidden = reason !== "first";
}
