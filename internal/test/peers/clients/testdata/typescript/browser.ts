// A person at a browser without scripts, who has a PIN that no program sees.
import assert from "node:assert/strict";

export interface Person {
  origin: string;
  taxCode: string;
  pin: string;
  cookies: Map<string, string>;
}

interface Visited {
  address: string;
  body: string;
}

/** The legal representative of the sandbox. */
export async function representative(api: string): Promise<Person> {
  const people = await (await fetch(`${api}/sandbox/people?key=rep-rome`)).json() as { items: { tax_code: string; pin: string }[] };
  const [one] = people.items;
  assert.ok(one);
  return { origin: new URL(api).origin, taxCode: one.tax_code, pin: one.pin, cookies: new Map() };
}

const callback = "http://127.0.0.1/callback";

async function visit(person: Person, to: string, form?: [string, string][]): Promise<Visited> {
  let address = to;
  let sent = form;
  for (;;) {
    const headers = new Headers({ cookie: [...person.cookies].map((c) => c.join("=")).join("; ") });
    if (sent !== undefined) {
      headers.set("origin", person.origin);
    }
    const answer: Response = await fetch(address, {
      headers, redirect: "manual", ...(sent === undefined ? {} : { method: "POST", body: new URLSearchParams(sent) }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]*)=([^;]*)/.exec(cookie) ?? [];
      person.cookies.set(name, value);
    }
    const onward = answer.headers.get("location");
    if (onward === null) {
      return { address, body: await answer.text() };
    }
    address = new URL(onward, address).href;
    sent = undefined;
    if (address.startsWith(callback)) {
      return { address, body: "" };
    }
  }
}

/** Sends the form of a page that leads to the action, with these values in the place of what stands there. */
function fill(person: Person, page: Visited, action: string, change: Record<string, string>): Promise<Visited> {
  const form = [...page.body.matchAll(/<form method="post" action="([^"]*)".*?<\/form>/gs)].find((f) => f[1] === action);
  assert.ok(form, `no form for ${action} at ${page.address}: ${page.body}`);
  const sent: [string, string][] = [];
  for (const [input] of form[0].matchAll(/<input [^>]*>/g)) {
    const attribute = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1] ?? "";
    if (!["radio", "checkbox"].includes(attribute("type")) || / checked/.test(input)) {
      sent.push([attribute("name"), change[attribute("name")] ?? attribute("value")]);
    }
  }
  if (change["decision"] !== undefined) {
    sent.push(["decision", change["decision"]]);
  }
  return visit(person, person.origin + action, sent);
}

async function logIn(person: Person, page: Visited): Promise<Visited> {
  return page.body.includes('action="/oauth2/login"')
    ? fill(person, page, "/oauth2/login", { tax_code: person.taxCode, pin: person.pin })
    : page;
}

async function answerConsent(person: Person, page: Visited, decision: "approve" | "refuse"): Promise<string> {
  const decided = await fill(person, page, "/oauth2/consent", { decision, pin: person.pin });
  const onward = /<a [^>]*href="(http:\/\/127\.0\.0\.1\/callback[^"]*)"/.exec(decided.body)?.[1];
  return onward?.replaceAll("&amp;", "&").replaceAll("&#43;", "+") ?? decided.address;
}

/** Logs in and decides; returns where the person comes back to. */
export async function decide(person: Person, address: string, decision: "approve" | "refuse"): Promise<string> {
  return answerConsent(person, await logIn(person, await visit(person, address)), decision);
}

/** Lets a device in that shows a code. */
export async function typeCode(person: Person, address: string, code: string): Promise<void> {
  const page = await logIn(person, await visit(person, address));
  await answerConsent(person, await fill(person, page, "/oauth2/device", { user_code: code }), "approve");
}
