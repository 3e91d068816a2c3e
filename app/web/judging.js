/** Good or bad: what a person says of a hit, kept with the judgements of `semsearch judge`. */

import { button, element } from "./dom.js";
import * as service from "./service.js";

const GRADES = [
  [1, "Good", "g", "It answers the question"],
  [0, "Bad", "b", "It does not answer the question"],
];

/** Two toggles for a hit; `context.tell(text)` says what went wrong. */
export function judgeButtons(hit, context) {
  const group = element("div", { class: "judge", role: "group" });
  group.setAttribute("aria-label", "Does it answer the question?");
  for (const [grade, label, key, title] of GRADES) {
    const toggle = () => judge(group, hit, context, grade);
    const attributes = { class: "toggle", title, "aria-pressed": "false", "data-grade": grade };
    group.append(button(label, toggle, { ...attributes, "aria-keyshortcuts": key }));
  }
  return group;
}

/** Show a grade, or none, on the buttons of a hit. */
export function showGrade(group, grade) {
  for (const toggle of group.querySelectorAll("[data-grade]")) {
    const isIt = grade !== null && Number(toggle.dataset.grade) === Math.min(grade, 1);
    toggle.setAttribute("aria-pressed", String(isIt));
  }
}

async function judge(group, hit, context, grade) {
  const pressed = group.querySelector('[aria-pressed="true"]');
  const before = pressed === null ? null : Number(pressed.dataset.grade);
  const now = before === grade ? null : grade;
  showGrade(group, now);
  try {
    await service.judge(context.query, hit.collection, hit.document.id, now);
  } catch (error) {
    showGrade(group, before);
    context.tell(`Not kept: ${error.message}`);
  }
}

/** Show what was said of these hits before; hits of one query. */
export async function showEarlier(hits, list, query, signal) {
  const ofCollection = Map.groupBy(hits, (hit) => hit.collection);
  for (const [collection, these] of ofCollection) {
    const ids = these.map((hit) => hit.document.id).slice(0, 100);
    const answer = await service.judgements(query, collection, ids, signal);
    const grades = new Map(answer.judgements.map((one) => [one.document, one.grade]));
    for (const hit of these.filter((one) => grades.has(one.document.id))) {
      const group = list.querySelector(`[data-rank="${Number(hit.rank)}"] .judge`);
      if (group !== null) showGrade(group, grades.get(hit.document.id));
    }
  }
}
