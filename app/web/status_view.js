/** What the service holds and does, looked at every two seconds while somebody watches. */

import { button, element, foreign } from "./dom.js";
import * as service from "./service.js";
import { bytes, counted, duration, milliseconds } from "./text.js";

const EVERY_MS = 2000;

/** The status view inside one dialog. */
export class StatusView {
  constructor(panel) {
    this.panel = panel;
    this.timer = 0;
  }

  /** Make it ready to be opened; `refresh` fills it. */
  show() {
    this.body = element("div", { class: "status-body" }, element("p", {}, "Loading …"));
    const close = button("Close", null, { class: "quiet", "data-close": true });
    const title = element("h2", { id: "status-title" }, "Status");
    const head = element("header", { class: "panel-head" }, title, close);
    this.panel.replaceChildren(head, this.body);
  }

  leave() {
    clearTimeout(this.timer);
  }

  /** Ask how things are, now and from then on until `leave` or until the panel is closed. */
  async refresh() {
    try {
      if (!document.hidden) this.render(await service.status());
    } catch (error) {
      const notice = element("p", { class: "notice", role: "alert" }, error.message);
      this.body.replaceChildren(notice);
    }
    this.leave();
    if (this.panel.open) this.timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  render(status) {
    this.body.replaceChildren(
      status.problem === null ? "" : element("p", { class: "notice" }, status.problem),
      facts(serviceFacts(status)),
      element("h3", {}, "Models"),
      status.models.length === 0 ? element("p", { class: "help" }, "None is loaded.") : "",
      ...status.models.map((model) =>
        facts([
          ["Model", model.model],
          ["Mode", `${model.mode}, ${model.engine}`],
          ["Dimension", model.dimension],
        ]),
      ),
      element("h3", {}, "Collections"),
      status.collections.length === 0 ? element("p", { class: "help" }, "There is none yet.") : "",
      ...status.collections.map(collection),
    );
  }
}

function serviceFacts(status) {
  const { searches } = status;
  const number = searches.count.toLocaleString("en");
  const speed =
    searches.latest === 0
      ? "none yet"
      : `${number} so far; of the last ${searches.latest} half within ` +
        `${milliseconds(searches.p50_ms)}, 95 % within ${milliseconds(searches.p95_ms)}`;
  return [
    ["Version", status.version],
    ["Running for", duration(status.uptime_s)],
    ["Memory", bytes(status.memory_bytes)],
    ["Searches", speed],
    ["Query cache", cacheText(status.cache)],
    ["Requests", queueText(status.queue)],
  ];
}

function cacheText({ hits, misses, size_bytes: size }) {
  const asked = hits + misses;
  const percent = Math.round((100 * hits) / Math.max(1, asked));
  const share = asked === 0 ? "" : `, ${percent} % of ${asked} found there`;
  return `${bytes(size)}${share}`;
}

function queueText({ requests, places, waiting, waiting_tokens: tokens, refused }) {
  const some = `${waiting} (${tokens} tokens) wait for a model`;
  const queue = waiting === 0 ? "none waits for a model" : some;
  const away = refused === 0 ? "" : `, ${refused} were sent away`;
  return `${requests} of at most ${places}, ${queue}${away}`;
}

function facts(rows) {
  const parts = rows.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, foreign(String(value))),
  ]);
  return element("dl", { class: "facts-list" }, ...parts);
}

function collection(of) {
  const tag = of.is_default ? element("span", { class: "tag" }, "default") : "";
  const name = element("h4", {}, of.name, tag);
  if (of.problem !== null) {
    const problem = element("p", { class: "notice" }, of.problem);
    return element("section", { class: "card" }, name, problem);
  }
  const modes = Object.entries(of.modes).map(([mode, n]) => `${mode} (${n.toLocaleString("en")})`);
  const rows = [
    ["Holds", `${counted(of.documents, "document")}, ${counted(of.chunks, "passage")}`],
    ["Model", `${of.model}, ${of.dimension} dimensions`],
    ["Embedded by", modes.join(", ") || "–"],
    ["Vector index", indexText(of.index)],
    ...liveRows(of.index ?? {}),
    ["On disk", bytes(of.size_bytes)],
    ["Generation", of.generation.toLocaleString("en")],
  ];
  return element("section", { class: "card" }, name, indexing(of.indexing), facts(rows));
}

function indexText(index) {
  if (index === null || index.kind === "exact") return "exact: every vector is compared";
  const recall = index.recall_at_10 === null ? "" : `, recall@10 ${index.recall_at_10.toFixed(3)}`;
  const misses = `, misses the target of ${index.target_recall}`;
  const verdict = index.target_is_met === false ? misses : "";
  return `codes${recall}${verdict}, ${bytes(index.ram_bytes)} in use`;
}

/** What checks of served searches found; nothing where none were made. */
function liveRows({ live } = {}) {
  if (!live) return [];
  const range = `${live.low.toFixed(3)} to ${live.high.toFixed(3)}`;
  const factor = live.effort_factor;
  const effort = factor > 1 ? `, looking ${factor.toFixed(1)} times as hard` : "";
  const found = `recall@10 ${live.recall_at_10.toFixed(3)} (${range})`;
  return [["As served", `${found}, by ${counted(live.checks, "check")}${effort}`]];
}

function indexing(run) {
  if (run === null) return "";
  const { progress } = run;
  if (progress === null) {
    return element("p", { class: "indexing" }, `Process ${run.pid} is writing.`);
  }
  const left = progress.eta_s === null ? "" : `, about ${duration(progress.eta_s)} left`;
  const { files_done: files, files_total: total } = progress;
  const done = `${files.toLocaleString("en")} of ${counted(total, "file")}`;
  const speed = `${Math.round(progress.tokens_per_s).toLocaleString("en")} tokens/s`;
  const label = `Indexing: ${done}, ${speed}${left}`;
  const bar = element("progress", { max: Math.max(1, total), "aria-label": "Indexing" });
  bar.value = files;
  return element("div", { class: "indexing" }, element("p", {}, label), bar);
}
