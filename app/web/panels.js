/** Dialogs: opened over the page, closed by Escape, a button or a click beside them. */

import { byId } from "./dom.js";

/** Prepare a dialog; `onclose` runs however it is closed. */
export function preparePanel(id, onclose = () => {}) {
  const panel = byId(id);
  panel.addEventListener("close", onclose);
  panel.addEventListener("click", (event) => {
    const isBeside = event.target === panel && !holds(panel.getBoundingClientRect(), event);
    if (isBeside || event.target.closest("[data-close]") !== null) panel.close();
  });
  return panel;
}

function holds(box, { clientX, clientY }) {
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}

/** Open a dialog unless it is open already. */
export function openPanel(panel) {
  if (!panel.open) panel.showModal();
}

/** Ask for a key; a promise of it, or of null when somebody gives up. */
export function askForKey(reason) {
  const panel = byId("key");
  const value = byId("key-value");
  byId("key-reason").textContent = reason;
  value.value = "";
  openPanel(panel);
  return new Promise((resolve) => {
    let key = null;
    const keep = (event) => {
      event.preventDefault();
      key = value.value.trim() || null;
      panel.close();
    };
    byId("key-form").addEventListener("submit", keep);
    const done = () => {
      byId("key-form").removeEventListener("submit", keep);
      resolve(key);
    };
    panel.addEventListener("close", done, { once: true });
  });
}

const toast = byId("toast");
let hiding = 0;

/** A short message at the foot of the page, or of the dialog that lies over it. */
export function tell(text) {
  (document.querySelector("dialog[open]") ?? document.body).append(toast);
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    toast.hidden = true;
  }, 6000);
}
