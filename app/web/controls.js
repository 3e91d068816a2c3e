/** The search form: what is typed and chosen, to and from the page's state. */

import { ALL, MODES } from "./address.js";
import { button, byId, element } from "./dom.js";
import { QUICK, holds, toggled } from "./filters.js";

const TYPING_MS = 180; // between two keys of somebody who types: no request for each
const PAUSE_MS = 3000; // who types again after that begins anew: Back leads to what was before
const FILTER_MS = 500; // half a filter is an error: wait until it is whole

/** The form. `onchange({ atOnce })` runs when something was typed or chosen. */
export class Controls {
  constructor(onchange) {
    this.onchange = onchange;
    this.offersAll = false;
    this.timer = 0;
    this.typedAt = -Infinity;
    this.isNew = false; // whether what is typed is another question than the one before
    this.form = byId("search");
    this.query = byId("query");
    this.where = byId("where");
    this.instruction = byId("instruction");
    this.rerank = byId("rerank");
    this.collection = byId("collection");
    this.toggle = byId("options-toggle");
    this.listen();
    this.showChips();
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.changed(0, true);
    });
    for (const [field, wait] of [
      [this.query, TYPING_MS],
      [this.where, FILTER_MS],
      [this.instruction, FILTER_MS],
    ]) {
      // While an input method composes a word, what stands in the field is no word yet.
      field.addEventListener("input", (event) => event.isComposing || this.changed(wait));
      field.addEventListener("compositionend", () => this.changed(wait));
    }
    for (const field of [...this.form.elements.mode, this.collection, this.rerank]) {
      field.addEventListener("change", () => this.changed(0, true));
    }
    this.where.addEventListener("input", () => this.showChips());
    this.toggle.addEventListener("click", () => this.openOptions(byId("options").hidden));
  }

  changed(wait, push = false) {
    clearTimeout(this.timer);
    this.countOptions();
    const now = performance.now();
    this.isNew ||= push || now - this.typedAt > PAUSE_MS;
    this.typedAt = now;
    const tell = () => {
      const { isNew } = this;
      this.isNew = false;
      this.onchange({ push: isNew });
    };
    if (wait === 0) tell();
    else this.timer = setTimeout(tell, wait);
  }

  /** Forget a change that waits for more typing. */
  settle() {
    clearTimeout(this.timer);
  }

  /** What is typed and chosen. */
  read() {
    return {
      query: this.query.value.trim(),
      mode: this.form.elements.mode.value,
      collection: this.collection.value,
      where: this.where.value.trim(),
      instruction: this.instruction.value.trim(),
      rerank: this.rerank.checked,
    };
  }

  /** Show a state; a field that somebody is typing into is left alone where it says the same. */
  write(state) {
    for (const [field, text] of [
      [this.query, state.query],
      [this.where, state.where],
      [this.instruction, state.instruction],
    ]) {
      if (field.value.trim() !== text) field.value = text;
    }
    this.form.elements.mode.value = state.mode;
    this.rerank.checked = state.rerank;
    this.choose(state.collection);
    this.showChips();
    this.countOptions();
    if (state.where !== "" || state.instruction !== "" || state.rerank) this.openOptions(true);
  }

  /** Offer these collections. */
  offer(names, chosen) {
    this.offersAll = names.length > 1;
    const options = [["", "Default collection"], ...names.map((name) => [name, name])];
    if (this.offersAll) options.push([ALL, "All collections"]);
    this.collection.replaceChildren(
      ...options.map(([value, label]) => element("option", { value }, label)),
    );
    byId("collection-choice").hidden = !this.offersAll;
    this.choose(chosen);
  }

  choose(name) {
    const isThere = [...this.collection.options].some((option) => option.value === name);
    if (!isThere) this.collection.append(element("option", { value: name }, name));
    this.collection.value = name;
  }

  /** Take the next mode. */
  cycleMode() {
    const next = MODES[(MODES.indexOf(this.read().mode) + 1) % MODES.length];
    this.form.elements.mode.value = next;
    this.changed(0, true);
  }

  openOptions(open) {
    byId("options").hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
  }

  openFilter() {
    this.openOptions(true);
    this.where.focus();
  }

  countOptions() {
    const { where, instruction, rerank } = this.read();
    const used = [where, instruction, rerank].filter(Boolean).length;
    this.toggle.textContent = used > 0 ? `Options (${used})` : "Options";
    this.instruction.disabled = this.form.elements.mode.value === "lexical";
  }

  showChips() {
    const chips = QUICK.map(([label, condition]) => {
      const pressed = holds(this.where.value, condition);
      const onclick = () => {
        this.where.value = toggled(this.where.value, condition);
        this.showChips();
        this.changed(0, true);
      };
      return button(label, onclick, { class: "chip", "aria-pressed": String(pressed) });
    });
    const focused = [...byId("chips").children].indexOf(document.activeElement);
    byId("chips").replaceChildren(...chips);
    if (focused >= 0) chips[focused].focus();
  }

  /** Put an error under the field that it is about. Returns whether there is such a field. */
  showError(error) {
    this.clearErrors();
    const field = fieldOf(error, this.read());
    if (field === null) return false;
    this.openOptions(true);
    byId(`${field}-error`).textContent = error.message;
    byId(`${field}-error`).hidden = false;
    byId(field).setAttribute("aria-invalid", "true");
    return true;
  }

  clearErrors() {
    for (const field of ["where", "instruction", "rerank"]) {
      byId(`${field}-error`).hidden = true;
      byId(field).removeAttribute("aria-invalid");
    }
  }
}

function fieldOf(error, { where, instruction, rerank }) {
  if (error.status !== 422) return null;
  const { message } = error;
  const isAbout = (word) => new RegExp(`^(the )?${word}\\b|takes no ${word}`, "i").test(message);
  if (where !== "" && (error.param === "where" || isAbout("filter"))) return "where";
  if (instruction !== "" && (error.param === "instruction" || isAbout("instruction"))) {
    return "instruction";
  }
  if (rerank && (error.param === "rerank" || /\breranker\b/i.test(message))) return "rerank";
  return null;
}
