/** The list of hits, and what stands in its place: a start, nothing, or what went wrong. */

import { ALL } from "./address.js";
import { byId, element } from "./dom.js";
import { showEarlier } from "./judging.js";
import { tell } from "./panels.js";
import { hitEntry, scaleOf, stateText } from "./results.js";
import { Searching } from "./searching.js";
import * as service from "./service.js";
import { counted, milliseconds } from "./text.js";

const WAYS = { hybrid: "by meaning and words", dense: "by meaning", lexical: "by words" };
const EARLIER_MS = 500; // judgements made before are asked for once somebody stops typing

/** Searches and their hits. */
export class SearchView {
  /** `links`: { addressOf(hit, chunk), open(hit, chunk) }; `change(values)`: ask otherwise. */
  constructor(controls, links, change) {
    Object.assign(this, { controls, links, change });
    this.searching = new Searching();
    this.shown = null; // the state that is being answered, or was; null: none, or it failed
    this.collections = null; // a promise of them
    this.timer = 0;
    byId("more").addEventListener("click", () => this.more());
  }

  /** Answer a state. Throws nothing: what goes wrong is shown. */
  async search(asked) {
    this.shown = asked;
    clearTimeout(this.timer);
    try {
      if (asked.query === "") await this.start();
      else await this.ask(asked);
    } catch (error) {
      if (error.name === "AbortError" || this.shown !== asked) return;
      this.showFailure(error, asked);
    }
    setBusy(false);
  }

  async start() {
    this.searching.forget();
    this.controls.clearErrors();
    clear();
    setBusy(false);
    const asked = this.shown;
    const found = await this.loadCollections();
    if (this.shown === asked) byId("state").replaceChildren(startText(found));
  }

  async ask(asked) {
    setBusy(true);
    this.names = [];
    if (asked.collection === ALL) {
      this.names = (await this.loadCollections()).map((one) => one.name);
      if (this.shown !== asked) return;
    }
    const answer = await this.searching.ask(asked, this.names);
    this.controls.clearErrors();
    this.showAnswer(answer, asked);
  }

  /** Collections with their counts, asked for once. */
  async loadCollections() {
    this.collections ??= service.collections();
    try {
      return await this.collections;
    } catch (error) {
      this.collections = null;
      throw error;
    }
  }

  /** The hit of this document, where it is among those shown. */
  hitOf(document, collection) {
    return this.searching.hitOf(document, collection);
  }

  entries(hits, asked) {
    const scale = scaleOf(this.searching.hits);
    const showsCollection = asked.collection === ALL;
    const context = { ...this.links, tell, scale, showsCollection, query: asked.query };
    return hits.map((hit) => hitEntry(hit, context));
  }

  showAnswer(answer, asked) {
    clear();
    byId("hits").append(...this.entries(answer.hits, asked));
    byId("more").hidden = answer.next === null;
    byId("summary").textContent = this.summaryOf(answer);
    if (answer.degraded) {
      const reason = `Only words were searched: ${answer.degraded_reason}`;
      byId("notice").append(element("p", { class: "notice" }, reason));
    }
    const notRead = rerankText(answer.rerank);
    if (notRead !== null) byId("notice").append(element("p", { class: "notice" }, notRead));
    if (answer.hits.length === 0) byId("state").append(this.nothingFound(asked));
    else this.timer = setTimeout(() => this.showJudgements(answer.hits, asked), EARLIER_MS);
  }

  summaryOf(answer) {
    const first = answer.next === null ? "" : "The best ";
    const ways = answer.degraded ? "by words only" : WAYS[answer.mode];
    const count = counted(this.searching.hits.length, "document");
    return `${first}${count}, ${ways}, in ${milliseconds(answer.took_ms)}`;
  }

  async showJudgements(hits, asked) {
    try {
      await showEarlier(hits, byId("hits"), asked.query, this.searching.signal);
    } catch (error) {
      if (error.name !== "AbortError") tell(`Earlier judgements are not shown: ${error.message}`);
    }
  }

  nothingFound(asked) {
    const actions = [];
    const offer = (label, values) => actions.push([label, () => this.change(values)]);
    if (asked.mode !== "hybrid") offer("Search by both", { mode: "hybrid" });
    if (asked.where !== "") offer("Remove the filter", { where: "" });
    if (asked.collection !== ALL && this.controls.offersAll) {
      offer("Search all collections", { collection: ALL });
    }
    return stateText("Nothing found", `No document answers “${asked.query}”.`, actions);
  }

  showFailure(error, asked) {
    this.shown = null; // the same question may be asked again
    byId("summary").textContent = "";
    if (this.controls.showError(error)) return;
    this.controls.clearErrors();
    clear();
    const isBusy = error.status === 429 || error.status === 503;
    const title = isBusy ? "Not just now" : "That did not work";
    const retry = error.status === 422 ? [] : [["Try again", () => this.search(asked)]];
    const failed = stateText(title, error.message, retry);
    failed.setAttribute("role", "alert");
    byId("state").append(failed);
  }

  async more() {
    const [button, asked] = [byId("more"), this.shown];
    button.disabled = true;
    try {
      const answer = await this.searching.askForMore(asked, this.names);
      const entries = this.entries(answer.hits, asked);
      byId("hits").append(...entries);
      button.hidden = answer.next === null;
      byId("summary").textContent = this.summaryOf(answer);
      entries[0]?.querySelector(".hit-link").focus();
      this.showJudgements(answer.hits, asked);
    } catch (error) {
      if (error.name !== "AbortError") tell(error.message);
    }
    button.disabled = false;
  }
}

/** What a person should know who wished to have the hits reranked; null: nothing. */
function rerankText(rerank) {
  if (!rerank) return null;
  if (rerank.reason !== null) return `Not reranked: ${rerank.reason}`;
  return rerank.skipped === 0
    ? null
    : `Reranked the best ${rerank.reranked} of ${rerank.candidates}; time was up for the others.`;
}

function setBusy(busy) {
  byId("results").setAttribute("aria-busy", String(busy));
  document.body.classList.toggle("busy", busy);
}

function clear() {
  for (const id of ["hits", "notice", "state"]) byId(id).replaceChildren();
  byId("summary").textContent = "";
  byId("more").hidden = true;
}

function startText(found) {
  if (found.length === 0) {
    return stateText("No collection yet", "Make one in a terminal: semsearch index ./docs");
  }
  const documents = found.reduce((sum, one) => sum + one.documents, 0);
  const where = found.length === 1 ? found[0].name : counted(found.length, "collection");
  return stateText(
    `${counted(documents, "document")} in ${where}`,
    "Ask in your own words. Quotes keep words together, a minus leaves one out.",
  );
}
