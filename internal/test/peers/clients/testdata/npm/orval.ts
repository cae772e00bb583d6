import {
  changeDeclaration, downloadReceiptPdf, draftDeclaration, listContributors, listDeclarationTypes, listPositions, listSandboxPeople,
  showDeclarationType, startSession, submitDeclaration,
} from "./generated/orval/client.js";
import { isPdf, need } from "./need.js";

// An answer tells by its status what it holds.
const people = await listSandboxPeople({ limit: 1 });
if (people.status !== 200) {
  throw new Error(people.data.code);
}
const person = need(people.data.items[0], "person");
const session = await startSession({ tax_code: person.tax_code, pin: person.pin });
if (session.status !== 201) {
  throw new Error(session.data.code);
}
const headers = { Authorization: `Bearer ${session.data.access_token}` };

const contributors = await listContributors({}, { headers });
if (contributors.status !== 200) {
  throw new Error(contributors.data.code);
}
const contributor = need(contributors.data.items[0], "contributor").contributor_id;
const positions = await listPositions(contributor, {}, { headers });
if (positions.status !== 200) {
  throw new Error(positions.data.code);
}
const { position_id } = need(positions.data.items[0], "position");

const types: string[] = [];
let cursor: string | undefined;
do {
  const page = await listDeclarationTypes({ limit: 1, ...(cursor === undefined ? {} : { cursor }) });
  if (page.status !== 200) {
    throw new Error(page.data.code);
  }
  types.push(...page.data.items.map((type) => type.code));
  cursor = page.data.next_cursor;
} while (cursor !== undefined);
if (types.length < 2 || !types.includes("RIOC")) {
  throw new Error(`types ${types.join(" ")}`);
}

const type = await showDeclarationType("RIOC");
if (type.status !== 200) {
  throw new Error(type.data.code);
}
const content = type.data.content_example;
const key = () => ({ headers: { ...headers, "Idempotency-Key": crypto.randomUUID() } });
const draft = await draftDeclaration(contributor, { type: "RIOC", position_id, content: {} }, key());
if (draft.status !== 201) {
  throw new Error(draft.data.code);
}
const id = draft.data.declaration_id;
const wrong = await submitDeclaration(id, key());
if (wrong.status === 200 || wrong.data.code !== "validation-failed") {
  throw new Error("what is not complete was filed");
}
const changed = await changeDeclaration(
  id, { content }, { headers: { ...headers, "If-Match": need(draft.headers.get("ETag"), "ETag") } },
);
if (changed.status !== 200) {
  throw new Error(changed.data.code);
}
const filed = await submitDeclaration(id, key());
if (filed.status !== 200) {
  throw new Error(filed.data.code);
}
const protocolNumber = need(filed.data.protocol_number, "protocol number");

const pdf = await downloadReceiptPdf(id, { headers });
if (pdf.status !== 200) {
  throw new Error(pdf.data.code);
}
if (!isPdf(await pdf.data.arrayBuffer())) {
  throw new Error("the receipt is no PDF");
}
console.log(`filed ${protocolNumber}`);
