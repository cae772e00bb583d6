import { type DirescoClient, ok } from "./client.js";
import { problemOf } from "./problem.js";
import { jitter, wait } from "./retry.js";
import type { components } from "./schema.js";

export type DirescoEvent = components["schemas"]["Event"];
export type EventType = components["schemas"]["EventType"];

export interface EventOptions {
  /** The cursor to go on from; left out for what happens from now on. */
  after?: string;
  /** Those wanted; left out for all. Ignore types that you do not know. */
  types?: EventType[];
  /** Limits them to one contributor. */
  contributorId?: string;
  /** Ends it, with the reason of the signal as the error. */
  signal?: AbortSignal;
}

/** An event, and the cursor to go on from once it is dealt with. */
export interface FollowedEvent {
  event: DirescoEvent;
  cursor: string;
}

/** The end of a stream that connecting again does not mend: the session, or the grant, has ended. */
export class StreamEndedError extends Error {
  override readonly name = "StreamEndedError";
  readonly reason: string;
  readonly cursor: string;

  constructor(reason: string, cursor: string) {
    super(`the stream of events ended: ${reason}`);
    this.reason = reason;
    this.cursor = cursor;
  }
}

/** How long a stream may say nothing: the service sends a comment every 25 seconds. */
const silenceMs = 60_000;

/**
 * Goes through what happens to what the caller may see, each event once and none missed: `for await (const { event, cursor } of
 * followEvents(api))`. It connects again by itself where the connection breaks, the service restarts or the loop was too slow. It throws
 * a `StreamEndedError` when the session has ended, a `ProblemError` or `LoginAgainError` when the stream cannot be opened.
 */
export async function* followEvents(api: DirescoClient, options: EventOptions = {}): AsyncGenerator<FollowedEvent, void, undefined> {
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  // A stream that breaks before its first event must not miss what comes meanwhile.
  let cursor = options.after ?? (await ok(api.GET("/events", { signal, params: { query: { after: "latest", limit: 1 } } }))).next_cursor;
  try {
    for (let attempt = 1; ; attempt++) {
      for await (const message of stream(api, cursor, options, signal)) {
        if (message.data === "") {
          // What the caller may not see is passed over: from here, after a break.
          cursor = message.id || cursor;
          continue;
        }
        if (message.kind === "end") {
          const { reason } = JSON.parse(message.data) as { reason: string };
          if (reason !== "server-stopping" && reason !== "too-slow") {
            throw new StreamEndedError(reason, cursor);
          }
          break;
        }
        attempt = 0;
        cursor = message.id || cursor;
        yield { event: JSON.parse(message.data) as DirescoEvent, cursor };
      }
      await (api.options.wait ?? wait)(jitter(attempt), signal);
    }
  } finally {
    left.abort();
  }
}

/** Reads one stream until it breaks. Only what keeps it from being opened is an error. */
async function* stream(api: DirescoClient, cursor: string, options: EventOptions, signal: AbortSignal) {
  const url = new URL(`${api.options.baseUrl.replace(/\/$/, "")}/events/stream`);
  if (options.types !== undefined) {
    url.searchParams.set("types", options.types.join(","));
  }
  if (options.contributorId !== undefined) {
    url.searchParams.set("contributor_id", options.contributorId);
  }
  const quiet = new AbortController();
  const reading = AbortSignal.any([signal, quiet.signal]);
  const request = new Request(url, { headers: { accept: "text/event-stream", "last-event-id": cursor }, cache: "no-store" });
  const answer = await api.send(request, silenceMs, { signal: reading });
  if (!answer.ok || answer.body === null) {
    throw await problemOf(answer);
  }
  let watchdog = setTimeout(() => { quiet.abort(); }, silenceMs);
  const heard = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => { quiet.abort(); }, silenceMs);
      controller.enqueue(chunk);
    },
  });
  const reader = answer.body.pipeThrough(heard).pipeThrough(new TextDecoderStream()).pipeThrough(messages()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        if (signal.aborted) {
          throw error;
        }
        return { done: true as const, value: undefined }; // it broke: again, from the cursor
      });
      if (done) {
        return;
      }
      yield value;
    }
  } finally {
    clearTimeout(watchdog);
    await reader.cancel().catch(() => undefined);
  }
}

/** One event of a stream, as browsers would have it; `data` is empty where only the id is said. */
interface Message {
  id: string;
  kind: string;
  data: string;
}

/** Reads server-sent events. Ready-made parsers drop an id that comes without data. */
function messages(): TransformStream<string, Message> {
  let id = "", kind = "", rest = "";
  let data: string[] = [];
  return new TransformStream({
    transform(chunk, controller) {
      // A line end of two characters may come in two pieces.
      const text = rest + chunk;
      const whole = text.endsWith("\r") ? text.length - 1 : text.length;
      const lines = text.slice(0, whole).split(/\r\n|\n|\r/);
      rest = (lines.pop() ?? "") + text.slice(whole);
      for (const line of lines) {
        const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (line === "") {
          controller.enqueue({ id, kind, data: data.join("\n") });
          kind = "";
          data = [];
        } else if (field === "id") {
          id = value;
        } else if (field === "event") {
          kind = value;
        } else if (field === "data") {
          data.push(value);
        }
      }
    },
  });
}
