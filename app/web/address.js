/** What is asked and what is open, as the page's address holds it: to keep, send and go back to. */

export const MODES = ["hybrid", "dense", "lexical"];
export const ALL = "*"; // no collection has such a name
const ID = /^[1-9][0-9]{0,15}$/;

/** The state that an address stands for; what it does not say, or says wrongly, is the default. */
export function readAddress(search) {
  const values = new URLSearchParams(search);
  const mode = values.get("mode");
  return {
    query: values.get("q") ?? "",
    mode: MODES.includes(mode) ? mode : MODES[0],
    collection: values.get("in") ?? "",
    where: values.get("where") ?? "",
    instruction: values.get("instruct") ?? "",
    rerank: values.get("rerank") === "1",
    document: identity(values.get("doc")),
    chunk: identity(values.get("chunk")),
    of: values.get("of"),
    view: values.get("view") === "status" ? "status" : null,
  };
}

function identity(text) {
  return text !== null && ID.test(text) ? Number(text) : null;
}

/** The address of a state; defaults are left out. */
export function writeAddress(state) {
  const values = new URLSearchParams();
  const set = (name, value, given) => given && values.set(name, value);
  set("q", state.query, state.query !== "");
  set("mode", state.mode, state.mode !== MODES[0]);
  set("in", state.collection, state.collection !== "");
  set("where", state.where, state.where !== "");
  set("instruct", state.instruction, state.instruction !== "");
  set("rerank", "1", state.rerank);
  set("doc", state.document, state.document !== null);
  set("chunk", state.chunk, state.document !== null && state.chunk !== null);
  set("of", state.of, state.document !== null && state.of !== null);
  set("view", state.view, state.view !== null);
  return values.size > 0 ? `/?${values}` : "/";
}

/** Whether two states ask the same. */
export function asksTheSame(a, b) {
  const parts = ["query", "mode", "collection", "where", "instruction", "rerank"];
  return parts.every((part) => a[part] === b[part]);
}
