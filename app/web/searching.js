/** One search at a time: a newer one cancels the older, and its pages belong to it. */

import { ALL } from "./address.js";
import * as service from "./service.js";

/** What /search is asked for a state; what is not set is not sent. */
export function requestOf(state, names, cursor = null) {
  const body = { query: state.query, mode: state.mode };
  if (state.collection === ALL) body.collection = names.slice(0, 64);
  else if (state.collection !== "") body.collection = state.collection;
  if (state.where !== "") body.where = state.where;
  if (state.instruction !== "" && state.mode !== "lexical") body.instruction = state.instruction;
  if (state.rerank) body.rerank = true;
  if (cursor !== null) body.cursor = cursor;
  return body;
}

/** The search that is under way, or the last one with its hits so far. */
export class Searching {
  constructor() {
    this.forget();
  }

  /** Cancel what is under way, and have no hits. */
  forget() {
    this.controller?.abort();
    this.controller = new AbortController();
    this.hits = [];
    this.next = null;
  }

  /** The answer to a new question. Throws a ServiceError; an AbortError when a newer one came. */
  async ask(state, names) {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    const answer = await service.search(requestOf(state, names), signal);
    signal.throwIfAborted();
    this.hits = answer.hits;
    this.next = answer.next;
    return answer;
  }

  /** The next page of the same question. */
  async askForMore(state, names) {
    const { signal } = this.controller;
    const answer = await service.search(requestOf(state, names, this.next), signal);
    signal.throwIfAborted();
    this.hits = [...this.hits, ...answer.hits];
    this.next = answer.next;
    return answer;
  }

  get signal() {
    return this.controller.signal;
  }

  /** The hit of this document, where it is among those shown. */
  hitOf(document, collection) {
    const here = this.hits.filter((hit) => collection === null || hit.collection === collection);
    return here.find((hit) => hit.document.id === document) ?? null;
  }
}
