"use strict";

const form = document.getElementById("form");
const field = document.getElementById("jws");
const button = document.getElementById("submit");
const verdict = document.getElementById("verdict");

const instant = new Intl.DateTimeFormat("it-IT", { dateStyle: "long", timeStyle: "medium", timeZone: "Europe/Rome" });

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function show(kind, title, text, facts) {
  const card = element("section", "");
  card.className = "card " + kind;
  card.append(element("h2", title), element("p", text));
  if (facts) {
    const list = element("dl", "");
    for (const [term, value] of facts) {
      list.append(element("dt", term), element("dd", value));
    }
    card.append(list);
  }
  verdict.replaceChildren(card);
  verdict.focus();
}

function judge(answer) {
  if (answer.finding === "not_registered") {
    show("bad", "Ricevuta non registrata", "Il testo è firmato con una chiave di questo servizio, ma il registro di protocollo non contiene questa " +
      "ricevuta: non fa fede. Rivolgersi alla sede competente.");
    return;
  }
  if (!answer.valid) {
    show("bad", "Ricevuta non valida", "Il testo non è una ricevuta rilasciata da questo servizio, oppure è stato alterato.");
    return;
  }
  show("good", "Ricevuta valida", "La ricevuta è stata rilasciata da questo servizio e non è stata alterata.", [
    ["Numero di protocollo", answer.protocol_number],
    ["Presentata il", instant.format(new Date(answer.submitted_at)) + " (ora italiana)"],
  ]);
}

async function verify() {
  const jws = field.value.trim();
  if (jws === "") {
    return;
  }
  button.disabled = true;
  try {
    const response = await fetch("/v1/receipt-verifications", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept": "application/json", "Accept-Language": "it" },
      credentials: "omit",
      body: JSON.stringify({ jws }),
    });
    const answer = await response.json();
    if (response.ok) {
      judge(answer);
    } else if (response.status === 422) {
      judge({ valid: false });
    } else {
      show("bad", "Verifica non riuscita", answer.detail);
    }
  } catch {
    show("bad", "Verifica non riuscita", "Il servizio non risponde. Riprovare più tardi.");
  } finally {
    button.disabled = false;
  }
}

function fromAddress() {
  const jws = location.hash.slice(1);
  if (jws !== "") {
    field.value = jws;
    verify();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  verify();
});
window.addEventListener("hashchange", fromAddress);
fromAddress();
