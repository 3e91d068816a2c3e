/** Hits, as a list of which each entry can be reached, opened and judged by keys. */

import { button, element, foreign } from "./dom.js";
import { judgeButtons } from "./judging.js";
import { counted, keepsLines, nameOf, splitPath, stretchesOf, withMarks } from "./text.js";

const PARTS = [
  ["dense", "meaning"],
  ["lexical", "words"],
  ["rerank", "reranked"],
];
const FILE_NOTES = {
  changed: "file changed since",
  missing: "file is gone",
  unknown: "file out of reach",
};

/** What the bars of these hits are drawn against: BM25 has no end, so its best hit is full. */
export function scaleOf(hits) {
  const best = Math.max(0, ...hits.map((hit) => hit.parts.lexical ?? 0));
  return { dense: 1, lexical: best || 1, rerank: 1 };
}

/**
 * One hit as a list entry.
 *
 * `context`: { scale, query, showsCollection, addressOf(hit, chunk), open(hit, chunk) }.
 */
export function hitEntry(hit, context) {
  return element(
    "li",
    { class: "hit", "data-rank": hit.rank },
    element("article", { "aria-labelledby": `hit-${hit.rank}` }, ...hitContent(hit, context)),
  );
}

function hitContent(hit, context) {
  return [
    element(
      "h2",
      { class: "hit-title", id: `hit-${hit.rank}` },
      passageLink(hit, hit.chunk, context, nameOf(hit.document), { class: "hit-link" }),
    ),
    whereabouts(hit, context),
    headings(hit),
    snippetText(hit.snippet, hit.chunk, snippetClass(hit)),
    element(
      "div",
      { class: "hit-foot" },
      scoreBars(hit, context.scale),
      judgeButtons(hit, context),
    ),
    furtherMatches(hit, context),
    duplicates(hit),
  ];
}

/** A link that opens the passage here, and in a new tab or window where a person asks for that. */
export function passageLink(hit, chunk, context, label, attributes = {}) {
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    context.open(hit, chunk);
  };
  const href = context.addressOf(hit, chunk);
  return element("a", { href, onclick, ...attributes }, foreign(label));
}

/** Folder and name of a path, the name stressed. */
export function pathText(document) {
  const [folder, name] = splitPath(document.path);
  const member = document.member === "" ? "" : `#${document.member}`;
  return element("bdi", { class: "path" }, folder, element("b", {}, name), member);
}

/** "lines 3–9", "line 3", and the page or sheet. */
export function placeOf(chunk) {
  const lines =
    chunk.start_line === chunk.end_line
      ? `line ${chunk.start_line}`
      : `lines ${chunk.start_line}–${chunk.end_line}`;
  return chunk.place === "" ? lines : `${chunk.place}, ${lines}`;
}

function whereabouts(hit, context) {
  const note = FILE_NOTES[hit.document.file] ?? null;
  return element(
    "p",
    { class: "where" },
    pathText(hit.document),
    element("span", { class: "place" }, placeOf(hit.chunk)),
    context.showsCollection ? element("span", { class: "tag" }, hit.collection) : null,
    note === null ? null : element("span", { class: "tag warn" }, note),
  );
}

/** The heading path, unless it says no more than the title above it. */
function headings({ document, chunk }) {
  if (chunk.heading === "" || chunk.heading === document.title) return null;
  return element("p", { class: "heading" }, foreign(chunk.heading));
}

function snippetClass(hit) {
  return keepsLines(hit.document.format) ? "snippet lines" : "snippet";
}

function snippetText(snippet, chunk, name) {
  const marked = withMarks(snippet.text, stretchesOf(snippet.text, snippet.matches));
  const shown = [...snippet.text].length;
  const before = snippet.start > 0 ? "… " : "";
  const after = snippet.start + shown < [...chunk.text].length ? " …" : "";
  return element("p", { class: name, dir: "auto" }, before, ...marked, after);
}

/** What the score is made of, as bars with their numbers. */
function scoreBars(hit, scale) {
  const known = PARTS.filter(([part]) => typeof hit.parts[part] === "number");
  const bars = known.map(([part, label]) => scoreBar(part, label, hit.parts[part], scale[part]));
  const score = element("span", { class: "score", title: "The score that hits are ranked by" });
  score.append("score ", element("b", {}, hit.score.toFixed(3)));
  return element("div", { class: "scores" }, score, ...bars);
}

function scoreBar(part, label, value, full) {
  const fill = element("span", { class: "fill" });
  fill.style.inlineSize = `${Math.round(100 * Math.min(1, Math.max(0, value / full)))}%`;
  return element(
    "span",
    { class: `part ${part}` },
    element("span", { class: "part-name" }, label),
    element("span", { class: "bar", "aria-hidden": "true" }, fill),
    element("span", { class: "part-value" }, value.toFixed(2)),
  );
}

function furtherMatches(hit, context) {
  if (hit.more.length === 0) return null;
  const entries = hit.more.map((match) =>
    element(
      "li",
      {},
      passageLink(hit, match.chunk, context, match.chunk.heading || placeOf(match.chunk)),
      element("span", { class: "place" }, placeOf(match.chunk)),
      snippetText(match.snippet, match.chunk, `${snippetClass(hit)} small`),
    ),
  );
  return element(
    "details",
    { class: "further" },
    element("summary", {}, `${counted(entries.length, "more passage")} of this document`),
    element("ul", {}, ...entries),
  );
}

function duplicates(hit) {
  if (hit.duplicates.length === 0) return null;
  return element(
    "details",
    { class: "further" },
    element("summary", {}, `The same text in ${counted(hit.duplicates.length, "other document")}`),
    element("ul", {}, ...hit.duplicates.map((other) => element("li", {}, pathText(other)))),
  );
}

/** What stands where hits would: a title, a sentence, and buttons [label, action] that help on. */
export function stateText(title, sentence, actions = []) {
  return element(
    "div",
    { class: "state" },
    element("h2", {}, title),
    element("p", {}, sentence),
    element("div", { class: "actions" }, ...actions.map(([label, act]) => button(label, act))),
  );
}
