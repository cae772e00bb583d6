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

// An open lock stands at what needs no login, and a closed one at the rest; the main operations are shown in code.
function explained(contract, samples) {
  for (const path of Object.values(contract.paths)) {
    for (const operation of Object.values(path)) {
      if (!operation || !operation.operationId) {
        continue;
      }
      if ((operation.security || []).some((requirement) => Object.keys(requirement).length === 0)) {
        operation.security = [];
        operation.summary += " \u{1F513}";
      }
      delete operation["x-sample"];
      for (const { label, language, source } of samples[operation.operationId] || []) {
        operation.description += `\n\n**${label}**\n\n\`\`\`${language}\n${source}\`\`\``;
      }
    }
  }
  return contract;
}

// randomUUID is there on https and localhost alone.
function newKey() {
  if (window.crypto.randomUUID) {
    return window.crypto.randomUUID();
  }
  return Array.from(window.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The page still shows the contract where the samples cannot be had.
async function fetchSamples() {
  try {
    const answer = await fetch("/assets/samples.json");
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}

// In the sandbox one click fills in the token of the first test person.
function offerLogin(viewer) {
  const button = document.getElementById("login");
  if (!button) {
    return;
  }
  const said = document.getElementById("logged-in");
  const read = async (path, options) => {
    const answer = await fetch(path, options);
    const content = await answer.json();
    if (!answer.ok) {
      throw new Error(content.detail);
    }
    return content;
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const person = (await read("/v1/sandbox/people?limit=1")).items[0];
      const session = await read(`/v1/sandbox/people/${person.key}/sessions`, { method: "POST" });
      viewer.preauthorizeApiKey("bearer", session.access_token);
      said.textContent = `${person.given_name} ${person.family_name} is logged in for ${Math.round(session.expires_in / 60)} minutes.`;
    } catch (error) {
      said.textContent = error.message;
    }
    button.disabled = false;
  });
}

async function show() {
  const samples = await fetchSamples();
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
      // The viewer's own open lock would say that nobody is logged in yet.
      wrapComponents: { UnlockAuthOperationIcon: (_, system) => (properties) => system.React.createElement(
        system.getComponent("LockAuthOperationIcon"), properties,
      ) },
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (go) => (contract) => go(explained(withoutExamples(contract), samples)) } },
      },
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
  offerLogin(viewer);
}

const shown = show();
