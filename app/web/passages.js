/** Where passages lie in a document's text, and how much of the text is shown around them. */

import { unitsOf } from "./text.js";

export const AROUND = 20_000; // UTF-16 units on each side of a passage: some ten pages

/** What was found in the document, in the text's order, in UTF-16 units of the text. */
export function passagesOf(found, { chunk, hit }) {
  const matches = new Map();
  if (hit !== null && hit.document.id === found.id) {
    for (const match of [hit, ...hit.more]) matches.set(match.chunk.id, match.snippet);
  }
  if (chunk !== null && !matches.has(chunk)) matches.set(chunk, null);
  const wanted = found.chunks.filter((one) => matches.has(one.id));
  const points = wanted.flatMap((one) => {
    const snippet = matches.get(one.id);
    const first = one.start + (snippet?.start ?? 0);
    const words = (snippet?.matches ?? []).flat().map((point) => first + point);
    return [one.start, one.end, ...words];
  });
  const units = unitsOf(found.text, points);
  let next = 0;
  const take = () => units[next++];
  return wanted.map((one) => {
    const [start, end] = [take(), take()];
    const words = (matches.get(one.id)?.matches ?? []).map(() => [take(), take()]);
    return { ...one, start, end, words };
  });
}

/** The window of the text that is shown first: the passage and what lies around it. */
export function around(text, { start, end }) {
  return whole(text, start - AROUND, end + AROUND);
}

/** A window that begins and ends with a line where that is near, and never inside a character. */
export function whole(text, start, end) {
  let from = start <= 0 ? 0 : text.lastIndexOf("\n", start) + 1;
  let to = end >= text.length ? text.length : text.indexOf("\n", end);
  if (from < start - AROUND) from = start;
  if (to < 0 || to > end + AROUND) to = Math.min(text.length, end);
  return { start: from - Number(isSplit(text, from)), end: to + Number(isSplit(text, to)) };
}

/** Whether a line begins or ends here. */
export function isLineEdge(text, at) {
  return at === 0 || at === text.length || text[at - 1] === "\n" || text[at] === "\n";
}

function isSplit(text, at) {
  return at > 0 && at < text.length && text.codePointAt(at - 1) > 0xffff;
}
