/** Keys that work anywhere on the page. Single letters can be turned off, as WCAG 2.1.4 wants. */

import { byId, element } from "./dom.js";

const OFF = "semsearch-single-keys-off";

const LIST = [
  [["/"], "Go to the search field"],
  [["↓", "j"], "Next result"],
  [["↑", "k"], "Previous result"],
  [["Enter"], "Open the passage"],
  [["Esc"], "Close, or clear the search"],
  [["m"], "Search by both, meaning, words"],
  [["f"], "Filter"],
  [["g"], "Good: this result answers the question"],
  [["b"], "Bad: it does not"],
  [["n", "p"], "Next or previous passage, in a document"],
  [["c"], "Copy the path, in a document"],
  [["s"], "Status"],
  [["?"], "This list"],
];

/** Fill the list of keys, and remember whether single letters are wanted. */
export function prepareHelp() {
  const rows = LIST.flatMap(([keys, about]) => [
    element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
    element("dd", {}, about),
  ]);
  byId("key-list").replaceChildren(...rows);
  const wanted = byId("single-keys");
  wanted.checked = localStorage.getItem(OFF) === null;
  wanted.addEventListener("change", () => {
    if (wanted.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
}

/** Whether the key belongs to what has the focus: a text field, or arrows among radio buttons. */
function isTaken(event) {
  const { target, key } = event;
  if (!(target instanceof Element)) return false;
  if (target.matches("[type=radio]")) return key.startsWith("Arrow");
  return target.matches("input:not([type=checkbox]), select");
}

/**
 * Listen for keys.
 *
 * `actions`: {key: action} on the page; `inDocument`: the same while a document is open. An action
 * that returns false had nothing to do.
 */
export function listen(actions, inDocument) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTaken(event) || event.defaultPrevented) return;
    if (event.key.length === 1 && localStorage.getItem(OFF) !== null) return;
    const panel = document.querySelector("dialog[open]");
    if (panel !== null && panel.id !== "document") return;
    const table = panel === null ? actions : inDocument;
    const action = Object.hasOwn(table, event.key) ? table[event.key] : undefined;
    if (action !== undefined && action(event) !== false) event.preventDefault();
  });
}
