import createClient from "openapi-fetch";

import type { components, paths } from "./generated/openapi-typescript.js";
import { base, isPdf, need } from "./need.js";

const api = createClient<paths>({ baseUrl: base });

// Kinds of problems are told apart by their code, which the compiler knows.
function refused(problem: components["schemas"]["Problem"] | undefined, code: components["schemas"]["ProblemCode"]): void {
  if (problem?.code !== code) {
    throw new Error(`${problem?.code ?? "no problem"} instead of ${code}`);
  }
}

// The sandbox's first person is a legal representative.
const people = await api.GET("/sandbox/people", { params: { query: { limit: 1 } } });
const person = need(people.data?.items[0], "person");
const session = await api.POST("/sessions", { body: { tax_code: person.tax_code, pin: person.pin } });
const headers = { Authorization: `Bearer ${need(session.data, "session").access_token}` };

const contributors = await api.GET("/contributors", { headers });
const { contributor_id } = need(contributors.data?.items[0], "contributor");
const positions = await api.GET("/contributors/{contributor_id}/positions", { headers, params: { path: { contributor_id } } });
const { position_id } = need(positions.data?.items[0], "position");

// Types are paged by their cursor.
const types: string[] = [];
let cursor: string | undefined;
do {
  const page = await api.GET("/declaration-types", { params: { query: { limit: 1, ...(cursor === undefined ? {} : { cursor }) } } });
  types.push(...need(page.data, "types").items.map((type) => type.code));
  cursor = page.data?.next_cursor;
} while (cursor !== undefined);
if (types.length < 2 || !types.includes("RIOC")) {
  throw new Error(`types ${types.join(" ")}`);
}

const type = await api.GET("/declaration-types/{code}", { params: { path: { code: "RIOC" } } });
const content = need(type.data, "type").content_example;
const path = { contributor_id };
const draft = await api.POST("/contributors/{contributor_id}/declarations", {
  headers, params: { path, header: { "Idempotency-Key": crypto.randomUUID() } }, body: { type: "RIOC", position_id, content: {} },
});
const { declaration_id } = need(draft.data, "draft");
const wrong = await api.POST("/declarations/{declaration_id}/submission", {
  headers, params: { path: { declaration_id }, header: { "Idempotency-Key": crypto.randomUUID() } },
});
refused(wrong.error, "validation-failed");
const changed = await api.PATCH("/declarations/{declaration_id}", {
  headers, params: { path: { declaration_id }, header: { "If-Match": need(draft.response.headers.get("ETag"), "ETag") } }, body: { content },
});
need(changed.data, "changed draft");
const filed = await api.POST("/declarations/{declaration_id}/submission", {
  headers, params: { path: { declaration_id }, header: { "Idempotency-Key": crypto.randomUUID() } },
});
const protocolNumber = need(filed.data?.protocol_number, "protocol number");

const pdf = await api.GET("/declarations/{declaration_id}/receipt/pdf", {
  headers, params: { path: { declaration_id } }, parseAs: "arrayBuffer",
});
if (!isPdf(need(pdf.data, "PDF"))) {
  throw new Error("the receipt is no PDF");
}
console.log(`filed ${protocolNumber}`);
