/** A document: its text scrolled to the passage that was found, and documents like it. */

import { button, element, foreign } from "./dom.js";
import { tell } from "./panels.js";
import { AROUND, around, isLineEdge, passagesOf, whole } from "./passages.js";
import { passageLink, pathText, placeOf } from "./results.js";
import * as service from "./service.js";
import { bytes, counted, keepsLines, nameOf, withMarks } from "./text.js";

const SIMILAR = 5;

/** The document view inside one dialog. */
export class DocumentView {
  /** `context`: { addressOf(hit, chunk), open(hit, chunk) }, for links to similar documents. */
  constructor(panel, context) {
    this.panel = panel;
    this.context = context;
    this.request = null;
  }

  /**
   * Show a document.
   *
   * `wanted`: { id, collection, chunk (id or null), hit (that led here, or null) }.
   */
  async show(wanted) {
    this.leave();
    this.request = new AbortController();
    const { signal } = this.request;
    this.panel.replaceChildren(this.frame("Loading …"));
    try {
      const found = await service.document(wanted.id, wanted.collection, signal);
      this.render(found, wanted);
      await this.renderSimilar(found, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.panel.replaceChildren(
        this.frame("This document cannot be shown"),
        element("p", { class: "notice", role: "alert" }, error.message),
      );
    }
  }

  /** Stop what is under way, as the view is closed or shows something else. */
  leave() {
    this.request?.abort();
    this.passages = [];
  }

  frame(title) {
    const close = button("Close", null, { class: "quiet", "data-close": true });
    const head = element("h2", { id: "document-title" }, foreign(title));
    return element("header", { class: "panel-head" }, head, close);
  }

  /** None where the browser keeps the clipboard from us: on http beyond this machine. */
  copyButton(path) {
    if (!navigator.clipboard) return null;
    const copy = async () => {
      await navigator.clipboard.writeText(path);
      tell("The path is in the clipboard.");
    };
    return button("Copy path", copy, { class: "chip", "aria-keyshortcuts": "c", id: "copy-path" });
  }

  render(found, wanted) {
    this.text = found.text;
    this.passages = passagesOf(found, wanted);
    this.at = Math.max(0, this.passages.findIndex((passage) => passage.id === wanted.chunk));
    this.similar = element("section", { class: "similar", "aria-label": "Similar documents" });
    const name = keepsLines(found.format) ? "page code" : "page";
    this.page = element("div", { class: name, dir: "auto" });
    this.page.setAttribute("tabindex", "0");
    this.page.setAttribute("role", "region");
    this.page.setAttribute("aria-label", "Text of the document");
    const gone = wanted.chunk !== null && this.passages[this.at]?.id !== wanted.chunk;
    this.panel.replaceChildren(
      this.frame(nameOf(found)),
      element("p", { class: "where" }, pathText(found), this.copyButton(found.path)),
      element("p", { class: "facts" }, factsOf(found)),
      metadata(found.metadata),
      gone ? element("p", { class: "notice" }, "The passage is not there any more.") : "",
      this.stepper(),
      this.page,
      this.similar,
    );
    const [first] = this.passages;
    this.window = around(this.text, this.passages[this.at] ?? first ?? { start: 0, end: 0 });
    this.renderText();
    this.page.focus({ preventScroll: true });
    this.toPassage(this.at);
  }

  stepper() {
    this.counter = element("span", { class: "counter", "aria-live": "polite" });
    const only = { class: "quiet", hidden: this.passages.length < 2 };
    return element(
      "div",
      { class: "stepper", hidden: this.passages.length === 0 },
      this.counter,
      button("Previous", () => this.step(-1), { ...only, "aria-keyshortcuts": "p" }),
      button("Next", () => this.step(1), { ...only, "aria-keyshortcuts": "n" }),
    );
  }

  /** Go to the next (1) or the previous (-1) passage that was found. */
  step(by) {
    const { length } = this.passages;
    if (length > 0) this.toPassage((this.at + by + length) % length);
  }

  toPassage(at) {
    const passage = this.passages[at];
    if (passage === undefined) return;
    this.at = at;
    if (passage.start < this.window.start || passage.end > this.window.end) {
      this.window = around(this.text, passage);
      this.renderText();
    }
    for (const block of this.page.querySelectorAll("[data-passage]")) {
      const isIt = Number(block.dataset.passage) === at;
      block.classList.toggle("current", isIt);
      if (isIt) this.bringToView(block);
    }
    const { length } = this.passages;
    this.counter.textContent = length > 1 ? `Passage ${at + 1} of ${length}` : "The passage found";
    this.counter.append(element("span", { class: "place" }, placeOf(passage)));
  }

  /** A passage that is higher than the page is shown from its first matching word on. */
  bringToView(block) {
    const isHigh = block.getBoundingClientRect().height > this.page.clientHeight;
    const word = isHigh ? block.querySelector("mark") : null;
    if (word !== null) word.scrollIntoView({ block: "center" });
    else block.scrollIntoView({ block: isHigh ? "start" : "center" });
  }

  renderText() {
    const { start, end } = this.window;
    const pieces = [];
    let at = start;
    this.passages.forEach((passage, index) => {
      const from = Math.max(passage.start, at);
      const to = Math.min(passage.end, end);
      if (from >= to) return;
      const block = this.passageBlock(passage, index, from, to);
      pieces.push(this.text.slice(at, from), block);
      // A block begins a new line by itself: the line break before what follows would be one more.
      at = block.matches(".block") && this.text[to] === "\n" ? to + 1 : to;
    });
    const more = (label, change) => button(label, () => this.widen(change), { class: "more" });
    this.page.replaceChildren(
      ...(start > 0 ? [more("Show earlier text", { start: start - 2 * AROUND })] : []),
      ...pieces,
      this.text.slice(at, end),
      ...(end < this.text.length ? [more("Show later text", { end: end + 2 * AROUND })] : []),
    );
  }

  widen(change) {
    const { start, end } = { ...this.window, ...change };
    this.window = whole(this.text, start, end);
    this.renderText();
    this.page.focus({ preventScroll: true });
    this.toCurrentClass();
  }

  toCurrentClass() {
    this.page.querySelector(`[data-passage="${this.at}"]`)?.classList.add("current");
  }

  passageBlock(passage, index, from, to) {
    const words = passage.words
      .map(([start, end]) => [Math.max(start, from) - from, Math.min(end, to) - from])
      .filter(([start, end]) => start < end);
    const isWhole = isLineEdge(this.text, from) && isLineEdge(this.text, to);
    const name = isWhole ? "passage block" : "passage";
    const block = element("span", { class: name, "data-passage": index });
    block.append(...withMarks(this.text.slice(from, to), words));
    return block;
  }

  async renderSimilar(found, signal) {
    let answer = null;
    try {
      answer = await service.similar(found.id, found.collection, SIMILAR, signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status === 404) return;
      this.similar.replaceChildren(
        element("h3", {}, "Similar documents"),
        element("p", { class: "help" }, error.message),
      );
      return;
    }
    if (answer.hits.length === 0) return;
    const hits = answer.hits.map((hit) => ({ ...hit, collection: found.collection }));
    const entries = hits.map((hit) =>
      element(
        "li",
        {},
        passageLink(hit, hit.chunk, this.context, nameOf(hit.document)),
        element("span", { class: "where" }, pathText(hit.document)),
      ),
    );
    this.similar.replaceChildren(
      element("h3", {}, "Similar documents"),
      element("ul", {}, ...entries),
    );
  }
}

function factsOf(found) {
  const size = bytes(new Blob([found.text]).size);
  return `${found.format} · ${counted(found.chunks.length, "passage")} · ${size} of text`;
}

/** Metadata as a list of names and values; nested values as JSON. */
function metadata(values) {
  const entries = Object.entries(values);
  if (entries.length === 0) return "";
  const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const rows = entries.flatMap(([name, value]) => [
    element("dt", {}, foreign(name)),
    element("dd", { dir: "auto" }, shown(value)),
  ]);
  return element(
    "details",
    { class: "metadata" },
    element("summary", {}, counted(entries.length, "property").replace("propertys", "properties")),
    element("dl", {}, ...rows),
  );
}
