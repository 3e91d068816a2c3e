/** The focus among hits: it is the list's cursor, so that a screen reader follows it too. */

import { byId } from "./dom.js";

function linksOfHits() {
  return [...document.querySelectorAll("#hits .hit-link")];
}

function currentHit() {
  return document.activeElement?.closest("#hits > .hit") ?? null;
}

/** Be in the search field, its text selected. */
export function focusSearch() {
  byId("query").focus();
  byId("query").select();
}

/**
 * Move to the next (1) or the previous (-1) hit. Before the first lies the search field, after the
 * last the button for more. Returns false where there are no hits.
 */
export function move(by) {
  const all = linksOfHits();
  if (all.length === 0) return false;
  const at = all.indexOf(currentHit()?.querySelector(".hit-link"));
  const next = at < 0 ? 0 : at + by;
  if (next < 0) focusSearch();
  else if (next >= all.length) byId("more").focus();
  else {
    all[next].focus({ preventScroll: true });
    all[next].closest(".hit").scrollIntoView({ block: "nearest" });
  }
  return true;
}

/** Press a judgement's button of the hit that has the focus; false where none has. */
export function judgeCurrent(grade) {
  const toggle = currentHit()?.querySelector(`[data-grade="${grade}"]`) ?? null;
  toggle?.click();
  return toggle !== null;
}
