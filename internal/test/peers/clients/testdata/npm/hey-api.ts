import { createClient } from "./generated/hey-api/client/index.js";
import {
  changeDeclaration, downloadReceiptPdf, draftDeclaration, listContributors, listDeclarationTypes, listPositions, listSandboxPeople,
  showDeclarationType, startSession, submitDeclaration,
} from "./generated/hey-api/index.js";
import type { Problem, ProblemCode } from "./generated/hey-api/index.js";
import { base, isPdf, need } from "./need.js";

const open = createClient({ baseUrl: base });

function refused(problem: Problem | undefined, code: ProblemCode): void {
  if (problem?.code !== code) {
    throw new Error(`${problem?.code ?? "no problem"} instead of ${code}`);
  }
}

const people = await listSandboxPeople({ client: open, query: { limit: 1 } });
const person = need(people.data?.items[0], "person");
const session = await startSession({ client: open, body: { tax_code: person.tax_code, pin: person.pin } });
const client = createClient({ baseUrl: base, auth: need(session.data, "session").access_token });

const contributors = await listContributors({ client });
const { contributor_id } = need(contributors.data?.items[0], "contributor");
const positions = await listPositions({ client, path: { contributor_id } });
const { position_id } = need(positions.data?.items[0], "position");

const types: string[] = [];
let cursor: string | undefined;
do {
  const page = await listDeclarationTypes({ client, query: { limit: 1, ...(cursor === undefined ? {} : { cursor }) } });
  types.push(...need(page.data, "types").items.map((type) => type.code));
  cursor = page.data?.next_cursor;
} while (cursor !== undefined);
if (types.length < 2 || !types.includes("RIOC")) {
  throw new Error(`types ${types.join(" ")}`);
}

const type = await showDeclarationType({ client, path: { code: "RIOC" } });
const content = need(type.data, "type").content_example;
const draft = await draftDeclaration({
  client, path: { contributor_id }, headers: { "Idempotency-Key": crypto.randomUUID() }, body: { type: "RIOC", position_id, content: {} },
});
const { declaration_id } = need(draft.data, "draft");
const wrong = await submitDeclaration({ client, path: { declaration_id }, headers: { "Idempotency-Key": crypto.randomUUID() } });
refused(wrong.error, "validation-failed");
const changed = await changeDeclaration({
  client, path: { declaration_id }, headers: { "If-Match": need(draft.response?.headers.get("ETag"), "ETag") }, body: { content },
});
need(changed.data, "changed draft");
const filed = await submitDeclaration({ client, path: { declaration_id }, headers: { "Idempotency-Key": crypto.randomUUID() } });
const protocolNumber = need(filed.data?.protocol_number, "protocol number");

const pdf = await downloadReceiptPdf({ client, path: { declaration_id } });
if (!isPdf(await need(pdf.data, "PDF").arrayBuffer())) {
  throw new Error("the receipt is no PDF");
}
console.log(`filed ${protocolNumber}`);
