/**
 * Offsets and words. The service counts Unicode code points, JavaScript UTF-16 units: an emoji is
 * one of those and two of these.
 */

import { element } from "./dom.js";

const FLOWING = [
  ...["markdown", "text", "rst", "latex", "subtitles", "jsonl", "notebook", "html", "pdf", "docx"],
  ...["pptx", "odt", "odp", "epub", "email", "mbox"],
];
const SURROGATE = /[\ud800-\udfff]/;

/** Where each of these code points begins in UTF-16 units; beyond the end: the end. */
export function unitsOf(text, points) {
  if (!SURROGATE.test(text)) return points.map((point) => Math.min(point, text.length));
  const ascending = points.map((_, index) => index).sort((a, b) => points[a] - points[b]);
  const units = new Array(points.length);
  let [unit, point] = [0, 0];
  for (const index of ascending) {
    while (point < points[index] && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    units[index] = unit;
  }
  return units;
}

/** Stretches, each [start, end] in UTF-16 units, in order, cut where they overlap. */
export function stretchesOf(text, ranges) {
  const units = unitsOf(text, ranges.flat());
  let last = 0;
  return ranges
    .map((_, index) => [units[2 * index], units[2 * index + 1]])
    .sort((a, b) => a[0] - b[0])
    .map(([start, end]) => {
      const cut = [Math.max(start, last), end];
      last = Math.max(last, end);
      return cut;
    })
    .filter(([start, end]) => start < end);
}

/** The text as strings and <mark> elements; `stretches` as `stretchesOf` gives them. */
export function withMarks(text, stretches) {
  const pieces = [];
  let at = 0;
  for (const [start, end] of stretches) {
    pieces.push(text.slice(at, start), element("mark", {}, text.slice(start, end)));
    at = end;
  }
  return [...pieces, text.slice(at)].filter((piece) => piece !== "");
}

/** [folder with its separator, name] of a path. */
export function splitPath(path) {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  return [path.slice(0, at), path.slice(at)];
}

/** What to call a document: its title, else its member, else its file's name. */
export function nameOf(document) {
  return document.title.trim() || document.member || splitPath(document.path)[1] || document.path;
}

/** Whether lines of such a document must stay as they are: tables and code, not text that flows. */
export function keepsLines(format) {
  return !FLOWING.includes(format);
}

/** "1 document", "2,000 documents". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** "14 ms", "1.2 s". */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
}

/** "1.5 GiB". */
export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** "3 d 4 h", "12 min", "40 s". */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.round(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  if (hours < 24) return `${hours} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
