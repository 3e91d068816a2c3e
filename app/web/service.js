/** Requests to the service that this page came from, and their errors. */

const KEY = "semsearch-key";

/** An answer other than success, or none at all (status 0). */
export class ServiceError extends Error {
  constructor(status, message, { param = null, code = null } = {}) {
    super(message);
    Object.assign(this, { status, param, code });
  }
}

let askForKey = null; // (reason) -> Promise of a key, or null if somebody gave up
let asking = null; // one dialog for all requests that were refused meanwhile

/** Who asks a person for a key when the service wants one. */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

async function keyFromPerson(reason) {
  asking ??= askForKey(reason).finally(() => {
    asking = null;
  });
  return asking;
}

/** The answer's JSON. Throws a ServiceError, or an AbortError when `signal` fired. */
async function request(path, { body = null, signal = null } = {}) {
  const used = sessionStorage.getItem(KEY);
  const answer = await send(path, body, signal, used);
  if (answer.status === 401 && askForKey !== null) {
    // Another request may have brought a new key while this one was under way.
    const fresh = sessionStorage.getItem(KEY);
    const key = fresh !== used ? fresh : await keyFromPerson((await failureOf(answer)).message);
    if (key !== null) {
      sessionStorage.setItem(KEY, key);
      return request(path, { body, signal });
    }
    throw new ServiceError(401, "This service asks for a key, and none was given.");
  }
  if (!answer.ok) throw await failureOf(answer);
  return answer.json();
}

async function send(path, body, signal, key) {
  const headers = { Accept: "application/json" };
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (body !== null) headers["Content-Type"] = "application/json";
  const method = body === null ? "GET" : "POST";
  const content = body === null ? null : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: content, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, "The service does not answer. Is semsearch serve still running?");
  }
}

async function failureOf(answer) {
  try {
    const { message, param, code } = (await answer.json()).error;
    return new ServiceError(answer.status, String(message), { param, code });
  } catch {
    // Not ours: a proxy in between, perhaps.
    return new ServiceError(answer.status, `The service answered ${answer.status}.`);
  }
}

function query(values) {
  const written = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value].flat()) if (one !== null) written.append(name, one);
  }
  return written.size > 0 ? `?${written}` : "";
}

export const search = (body, signal) => request("/search", { body, signal });

export const collections = () => request("/collections");

export const status = () => request("/status");

export const document = (id, collection, signal) =>
  request(`/documents/${id}${query({ collection })}`, { signal });

export const similar = (id, collection, k, signal) =>
  request(`/documents/${id}/similar${query({ collection, k })}`, { signal });

export const judgements = (text, collection, documents, signal) =>
  request(`/judgements${query({ query: text, collection, document: documents })}`, { signal });

export const judge = (text, collection, document, grade) =>
  request("/judgements", { body: { query: text, collection, document, grade } });
