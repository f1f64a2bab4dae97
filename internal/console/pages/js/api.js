// The console's JSON. Every path is on our own origin.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the console answered ${status}`);
    this.status = status;
    this.code = problem.code || "";
    this.hint = problem.hint || "";
  }

  get sentence() { return [this.message, this.hint].filter(Boolean).join("; "); }
}

// reach is fetch, with words for a console that is not there.
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refusal(0, { detail: "avsproxy does not answer", hint: "start 'avsproxy serve' again, and this page finds it by itself" });
  }
}

export async function get(path) {
  return json(await reach(path, { headers: { Accept: "application/json" } }));
}

export async function send(method, path, data) {
  const options = { method };
  if (data !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(data);
  }
  return json(await reach(path, options));
}

async function json(answer) {
  const text = await answer.text();
  let data = {};
  try { data = text ? JSON.parse(text) : {}; } catch { /* an answer without JSON has its status */ }
  if (!answer.ok) throw new Refusal(answer.status, data);
  return data;
}

export const exchangePath = (id) => `/api/exchanges/${encodeURIComponent(id)}`;
export const bodyPath = (id, side) => `${exchangePath(id)}/${side}/body`;
// plainPath is a body without the coding it travelled in, as far as the console
// unpacks it.
export const plainPath = (id, side) => `${bodyPath(id, side)}?plain=1`;
export const messagesPath = (id, side) => `${exchangePath(id)}/${side}/messages`;
export const partsPath = (id, side) => `${exchangePath(id)}/${side}/parts`;

export async function bytesOf(path) {
  const answer = await reach(path);
  if (!answer.ok) throw new Refusal(answer.status, {});
  return new Uint8Array(await answer.arrayBuffer());
}
