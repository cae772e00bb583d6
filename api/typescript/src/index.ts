export * from "./client.js";
export * from "./events.js";
export * from "./oauth.js";
export * from "./pages.js";
export * from "./problem.js";
export * from "./receipts.js";
export type { RetryOptions } from "./retry.js";
export type { components, operations, paths } from "./schema.js";
export * from "./webhooks.js";
