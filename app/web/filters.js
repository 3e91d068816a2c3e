/** Quick filters: conditions that are put into the filter's text and taken out of it again. */

const AND = " and ";

export const QUICK = [
  ["Markdown", "type:md"],
  ["PDF", "type:pdf"],
  ["Last 30 days", "modified:30d"],
  ["No drafts", "not tag:draft"],
];

/** Whether the filter has this condition among those that must all hold. */
export function holds(where, condition) {
  return where.split(AND).some((part) => part.trim() === condition);
}

/** The filter with the condition added, or without it where it was. */
export function toggled(where, condition) {
  const parts = where.split(AND).map((part) => part.trim());
  if (parts.includes(condition)) return parts.filter((part) => part !== condition).join(AND);
  const text = where.trim();
  if (text === "") return condition;
  // "and" binds tighter than "or"
  return `${/\bor\b|\|\|/i.test(text) ? `(${text})` : text}${AND}${condition}`;
}
