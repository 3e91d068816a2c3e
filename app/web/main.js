/** The page: its state lies in the address, everything else follows from it. */

import { asksTheSame, readAddress, writeAddress } from "./address.js";
import { Controls } from "./controls.js";
import { DocumentView } from "./document_view.js";
import { byId } from "./dom.js";
import { focusSearch, judgeCurrent, move } from "./hit_focus.js";
import { askForKey, openPanel, preparePanel } from "./panels.js";
import { SearchView } from "./search_view.js";
import * as service from "./service.js";
import { listen, prepareHelp } from "./shortcuts.js";
import { StatusView } from "./status_view.js";

let state = readAddress(location.search);
let openDocument = null; // what the document's panel shows

service.whenKeyIsNeeded(askForKey);
const links = { addressOf, open };
const documentPanel = preparePanel("document", () =>
  leave(documentPanel, documentView, { document: null, chunk: null, of: null }),
);
const statusPanel = preparePanel("status", () => leave(statusPanel, statusView, { view: null }));
preparePanel("help");
preparePanel("key");
const documentView = new DocumentView(documentPanel, links);
const statusView = new StatusView(statusPanel);
const controls = new Controls(({ push }) => go({ ...current(), ...controls.read() }, push));
const searchView = new SearchView(controls, links, (values) => {
  controls.write({ ...current(), ...values });
  go({ ...current(), ...values }, true);
});

/** The state, without a document whose panel was closed a moment ago: its event is on its way. */
function current() {
  const isClosing = openDocument !== null && !documentPanel.open;
  return isClosing ? { ...state, document: null, chunk: null, of: null } : state;
}

/** Be in a new state; `push`: as a step that the browser's Back undoes. */
function go(next, push) {
  const address = writeAddress(next);
  if (push && address !== location.pathname + location.search) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  become(next);
}

function become(next) {
  state = next;
  document.title = state.query === "" ? "semsearch" : `${state.query} – semsearch`;
  controls.settle();
  const { shown } = searchView;
  if (shown === null || !asksTheSame(state, shown)) searchView.search(state);
  if (state.document === null) documentPanel.close();
  else showDocument();
  if (state.view === null) statusPanel.close();
  else if (!statusPanel.open) showStatus();
}

function showDocument() {
  const wanted = `${state.of} ${state.document} ${state.chunk}`;
  if (openDocument === wanted && documentPanel.open) return;
  openDocument = wanted;
  const { document: id, of: collection, chunk } = state;
  documentView.show({ id, collection, chunk, hit: searchView.hitOf(id, collection) });
  openPanel(documentPanel);
}

function showStatus() {
  statusView.show();
  openPanel(statusPanel);
  statusView.refresh();
}

/** A panel was closed: by a person, or because the state says so already. */
function leave(panel, view, change) {
  if (panel.open) return; // by now it shows something else
  view.leave();
  openDocument = documentPanel.open ? openDocument : null;
  const differs = Object.entries(change).some(([name, value]) => state[name] !== value);
  if (differs) go({ ...state, ...change }, true);
}

function addressOf(hit, chunk) {
  return writeAddress({ ...state, document: hit.document.id, chunk: chunk.id, of: hit.collection });
}

function open(hit, chunk) {
  // What was typed a moment ago is not searched yet, and would be lost.
  go({ ...state, ...controls.read(), document: hit.document.id, chunk: chunk.id, of: hit.collection }, true);
}

function listenToKeys() {
  const openHelp = () => openPanel(byId("help"));
  const openStatus = () => go({ ...current(), view: "status" }, true);
  byId("open-help").addEventListener("click", openHelp);
  byId("open-status").addEventListener("click", openStatus);
  byId("query").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && move(1)) event.preventDefault();
    if (event.key === "Escape" && byId("query").value === "") byId("query").blur();
  });
  const [down, up] = [() => move(1), () => move(-1)];
  const judged = { g: () => judgeCurrent(1), b: () => judgeCurrent(0) };
  const moves = { ArrowDown: down, j: down, ArrowUp: up, k: up };
  const asking = { m: () => controls.cycleMode(), f: () => controls.openFilter() };
  listen(
    {
      ...{ ...moves, ...judged, ...asking },
      ...{ "/": focusSearch, Escape: focusSearch, s: openStatus, "?": openHelp },
    },
    {
      n: () => documentView.step(1),
      p: () => documentView.step(-1),
      c: () => byId("copy-path")?.click(),
    },
  );
}

/** Offer the collections; where they cannot be had, the search says why in its own words. */
async function offerCollections() {
  const found = await searchView.loadCollections().catch(() => []);
  controls.offer(found.map((one) => one.name), state.collection);
}

prepareHelp();
listenToKeys();
addEventListener("popstate", () => {
  const next = readAddress(location.search);
  controls.write(next);
  become(next);
});
controls.write(state);
become(state);
offerCollections();
