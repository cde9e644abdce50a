// Talking to the program.

// ApiError is an answer that is none, in words.
export class ApiError extends Error {
  constructor(message, problems = []) {
    super(message);
    this.problems = problems;
  }
}

async function call(path, options) {
  const response = await fetch(path, options);
  if (response.status === 204) return null;
  if (!response.headers.get("Content-Type")?.startsWith("application/json")) throw new ApiError(`${response.status} ${response.statusText}`);
  const answer = await response.json();
  if (!response.ok) throw new ApiError(answer.message, answer.problems);
  return answer;
}

export function get(path) { return call(path, { cache: "no-store" }); }

export function post(path, body = {}) {
  return call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}
