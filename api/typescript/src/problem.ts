import type { components } from "./schema.js";

/** What a refusal says: `code` and, in `errors`, the fields that are wrong. */
export type Problem = components["schemas"]["Problem"];
export type ProblemCode = components["schemas"]["ProblemCode"];

/** The error of an answer that is a refusal. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  /** Undefined where the answer was none of the service's, such as the page of a proxy. */
  readonly problem: Problem | undefined;
  /** How many milliseconds to wait before the next try; undefined where nothing was said. */
  readonly retryAfterMs: number | undefined;

  constructor(response: Response, problem: Problem | undefined) {
    const fields = (problem?.errors ?? []).map((e) => `; ${e.pointer ?? e.parameter ?? e.header ?? ""}: ${e.code}`);
    super(problem ? `${response.status} ${problem.code}: ${problem.detail}${fields.join("")}` : `${response.status} without a problem that says why`);
    this.status = response.status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs(response);
  }

  /** The kind of problem: decide by this. */
  get code(): ProblemCode | undefined {
    return this.problem?.code;
  }
}

/** Reads what went wrong from an answer that is no success. */
export async function problemOf(response: Response): Promise<ProblemError> {
  let problem: Problem | undefined;
  if (response.headers.get("content-type")?.startsWith("application/problem+json") === true) {
    try {
      problem = (await response.json()) as Problem;
    } catch {
      problem = undefined; // it broke off
    }
  }
  return new ProblemError(response, problem);
}

/** What `Retry-After` asks for: seconds or, from a proxy, a date. */
export function retryAfterMs(response: Response): number | undefined {
  const written = response.headers.get("retry-after");
  if (written === null) {
    return undefined;
  }
  if (/^\d{1,9}$/.test(written)) {
    return Number(written) * 1000;
  }
  const at = Date.parse(written);
  return Number.isNaN(at) ? undefined : Math.max(at - Date.now(), 0);
}
