import { retryAfterMs } from "./problem.js";

export interface RetryOptions {
  /**
   * Sends the requests; that of the platform if left out. Hand the signal on beside the request: in node a request forgets its own once
   * nobody holds what it was made of.
   */
  fetch?: (request: Request, init: { signal: AbortSignal }) => Promise<Response>;
  /** How often a request is sent at most; 5 if left out. */
  tries?: number;
  /** How long to wait for the next try at most; a minute if left out. What asks for more is given back at once. */
  longestWaitMs?: number;
  /** Waits between tries. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const firstPauseMs = 200;

/**
 * Sends a request, again and again while that may help and does no harm. Each try waits `headersWithinMs` for the headers of its answer;
 * for ever if left out. The signal of `until` ends it; where that is a request, it is held as long.
 */
export async function send(
  request: Request, options: RetryOptions, headersWithinMs?: number, until: { signal: AbortSignal } = request,
): Promise<Response> {
  const deliver = options.fetch ?? ((r: Request, init: RequestInit) => fetch(r, init));
  const tries = options.tries ?? 5;
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= tries;
    let answer: Response | undefined;
    let failure: unknown;
    const late = new AbortController();
    const sent = last ? request : request.clone();
    const timer = headersWithinMs === undefined ? undefined : setTimeout(() => { late.abort(new Error("no answer")); }, headersWithinMs);
    try {
      answer = await deliver(sent, { signal: timer === undefined ? until.signal : AbortSignal.any([until.signal, late.signal]) });
    } catch (error) {
      failure = error;
    } finally {
      clearTimeout(timer);
    }
    const asked = answer === undefined ? 0 : (retryAfterMs(answer) ?? 0);
    const again = !last && !until.signal.aborted && asked <= (options.longestWaitMs ?? 60_000) && (await mayRepeat(request, answer));
    if (!again) {
      if (answer === undefined) {
        throw failure;
      }
      return answer;
    }
    await answer?.body?.cancel();
    await (options.wait ?? wait)(asked + jitter(attempt), until.signal);
  }
}

async function mayRepeat(request: Request, answer: Response | undefined): Promise<boolean> {
  const safe = ["GET", "HEAD"].includes(request.method) || request.headers.has("idempotency-key");
  if (answer === undefined) {
    return safe;
  }
  switch (answer.status) {
    case 429:
      return (await codeOf(answer)) !== "pin-locked";
    case 409:
      return safe && (await codeOf(answer)) === "request-in-progress";
    case 502:
    case 503:
    case 504:
      return safe;
    default:
      return false;
  }
}

async function codeOf(answer: Response): Promise<unknown> {
  try {
    const body: unknown = await answer.clone().json();
    return typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
  } catch {
    return undefined;
  }
}

/** Programs that were turned away together do not come back together. */
export function jitter(attempt: number): number {
  const longest = firstPauseMs * 2 ** Math.min(attempt, 8);
  return longest / 4 + Math.random() * longest * 0.75;
}

export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", ended);
      resolve();
    }, ms);
    if (signal.aborted) {
      ended();
    } else {
      signal.addEventListener("abort", ended, { once: true });
    }
  });
}
