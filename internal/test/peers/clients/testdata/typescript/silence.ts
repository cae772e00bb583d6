// A service that does not answer, or falls silent, is left after a minute, also where memory was collected meanwhile.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createDiresco, followEvents, StreamEndedError } from "@diresco/client";

let asked = 0;
const server = createServer((_, answer) => {
  asked++;
  if (asked === 1) {
    return;
  }
  answer.writeHead(200, { "content-type": "text/event-stream" });
  answer.flushHeaders();
  if (asked === 2) {
    answer.write(": hb\n");
  } else if (asked > 3) {
    answer.end('event: end\ndata: {"reason":"session-ended"}\n\n');
  }
});
await new Promise<void>((listens) => { server.listen(0, "127.0.0.1", listens); });
// A minute is over at once, and begins its end with a collection.
const timer = globalThis.setTimeout;
const { gc } = globalThis;
assert.ok(gc);
globalThis.setTimeout = ((work: () => void, ms: number) => timer(() => {
  gc();
  work();
}, ms === 60_000 ? 200 : ms)) as typeof setTimeout;
const api = createDiresco({
  baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, wait: () => Promise.resolve(),
});
await assert.rejects(async () => {
  for await (const followed of followEvents(api, { after: "c0" })) {
    assert.fail(followed.cursor);
  }
}, StreamEndedError);
assert.equal(asked, 4);
server.closeAllConnections();
server.close();
console.log("as said");
