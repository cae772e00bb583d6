"use strict";

// What is optional is sent only if somebody fills it in: an example would be a made-up cursor, tag or filter.
function withoutExamples(contract) {
  const find = (item) => (item.$ref ? item.$ref.split("/").slice(1).reduce((at, key) => at[key], contract) : item);
  const bare = (parameter) => {
    const { example, examples, ...rest } = find(parameter);
    const { example: ofSchema, default: given, ...schema } = find(rest.schema || {});
    return rest.required ? parameter : { ...rest, schema };
  };
  for (const path of Object.values(contract.paths)) {
    for (const part of Object.values(path)) {
      if (Array.isArray(part)) {
        part.forEach((parameter, i) => { part[i] = bare(parameter); });
      } else if (part && part.parameters) {
        part.parameters = part.parameters.map(bare);
      }
    }
  }
  return contract;
}

// validatorUrl is off because the validator's badge would be fetched from elsewhere.
const viewer = window.SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [() => ({
    statePlugins: { spec: { wrapActions: { updateJsonSpec: (go) => (contract) => go(withoutExamples(contract)) } } },
  })],
  showExtensions: true,
  validatorUrl: null,
  // A key is for one intent: each click is a new one.
  requestInterceptor: (request) => {
    const name = Object.keys(request.headers || {}).find((header) => header.toLowerCase() === "idempotency-key");
    if (name) {
      request.headers[name] = newKey();
    }
    return request;
  },
  // What is tried out here goes to the service that shows this page: its policy lets nothing else through.
  onComplete: () => viewer.getSystem().oas3Actions.setSelectedServer("/v1"),
});

// randomUUID is there on https and localhost alone.
function newKey() {
  if (window.crypto.randomUUID) {
    return window.crypto.randomUUID();
  }
  return Array.from(window.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
