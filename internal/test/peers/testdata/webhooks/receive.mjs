// A receiver of webhooks, as the library's users write it: it says where it listens, then what came
// for each secret that it reads on its standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

let arrived;
const first = new Promise((resolve) => { arrived = resolve; });
const server = createServer((incoming, answer) => {
  const parts = [];
  incoming.on("data", (part) => parts.push(part));
  incoming.on("end", () => {
    const request = new Request("http://127.0.0.1/", { method: "POST", headers: incoming.headers, body: Buffer.concat(parts) });
    answer.writeHead(204).end();
    arrived(request);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
for await (const secret of createInterface({ input: process.stdin })) {
  const request = await first;
  const body = await request.text();
  // The library reads a plain object, and no Headers.
  const headers = Object.fromEntries(request.headers);
  const event = new Webhook(secret).verify(body, headers);
  try {
    new Webhook(secret).verify(`${body} `, headers);
    console.log("took another body");
  } catch {
    console.log(`verified ${event.type}`);
  }
  break;
}
server.close();
process.exit(0);
