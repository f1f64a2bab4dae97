// Keys that work wherever nothing else takes them.

const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, audio, [contenteditable]");

// keys calls the action of a key. Enter and the arrows are the list's alone, when
// something else has the focus that has its own use for them.
export function keys(actions, inList) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return; // which has keys of its own
    if (typing(event.target) && event.key !== "Escape") return;
    const action = actions[event.key] || (inList(event.target) && actions[`list ${event.key}`]);
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
