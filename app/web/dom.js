/**
 * Elements are made here. Data reaches the page as text nodes and as values of harmless attributes,
 * never as markup: there is no innerHTML in this page.
 */

/** An element with attributes (`on...`: listeners; null and false: left out) and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A stretch of foreign text: its direction must not turn what stands around it. */
export function foreign(text, attributes = {}) {
  return element("bdi", attributes, text);
}

/** The element of this id, which is in index.html. */
export function byId(id) {
  return document.getElementById(id);
}

/** A button that does something and submits nothing. */
export function button(label, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, label);
}
