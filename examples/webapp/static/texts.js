// What the page says, in both languages. What the service says comes in the same one.

const texts = {
  it: {
    other: 'English', skip: 'Vai al contenuto', brand: 'Paghe Facili', nav: 'Menu',
    login: 'Accedi', logout: 'Esci', loading: 'Un momento…', back: 'Indietro', more: 'Mostra altri', retry: 'Riprova',
    'home.title': 'Dichiarazioni, senza giri', 'home.lead': 'Presenta una dichiarazione, conserva la ricevuta firmata e guarda in diretta che cosa succede.',
    'home.pin': 'Il PIN si digita solo nel sito dell’istituto: questa applicazione non lo vede mai.',
    'home.refused': 'L’accesso non è stato consentito. Si può riprovare quando si vuole.', 'home.ended': 'L’accesso è finito. Accedi di nuovo.',
    'contributors.title': 'Contribuenti', 'contributors.none': 'Non c’è nessun contribuente per cui si possa agire.',
    'contributors.lead': 'Per chi vuoi lavorare?',
    'kind.company': 'azienda', 'kind.public_body': 'ente pubblico', 'kind.self_employed': 'autonomo', 'kind.household': 'datore di lavoro domestico',
    'tax_code': 'Codice fiscale', 'declarations.title': 'Dichiarazioni', 'declarations.none': 'Ancora nessuna dichiarazione.',
    'new': 'Nuova dichiarazione', 'new.type': 'Che cosa vuoi dichiarare?', 'new.position': 'Posizione', 'new.example': 'Compila con l’esempio',
    'new.submit': 'Presenta', 'new.optional': 'facoltativo', 'new.choose': 'Scegli…', 'new.yes': 'Sì', 'new.filing': 'Si presenta…',
    'new.required': 'Compila questo campo.',
    'new.none': 'Nessun tipo di dichiarazione si può presentare ora.',
    'errors.title': 'Qualcosa non va', 'errors.prefix': 'Errore: ', 'error.unknown': 'Non ha funzionato: ',
    'table.type': 'Tipo', 'table.state': 'Stato', 'table.number': 'Protocollo', 'table.when': 'Presentata', 'table.caption': 'Dichiarazioni, le più recenti prima',
    'declaration.title': 'Dichiarazione', 'declaration.filed': 'Presentata. Questa è la ricevuta.', 'declaration.content': 'Che cosa è dichiarato',
    'receipt.title': 'Ricevuta', 'receipt.number': 'Numero di protocollo', 'receipt.when': 'Presentata il', 'receipt.by': 'Presentata da',
    'receipt.checking': 'Si verifica la firma…', 'receipt.valid': 'Firma verificata: la ricevuta è autentica e il registro la conosce.',
    'receipt.invalid': 'Attenzione: la ricevuta non è autentica.', 'receipt.pdf': 'Scarica la ricevuta (PDF)', 'receipt.none': 'Non c’è ancora una ricevuta.',
    'live.title': 'In diretta', 'live.none': 'Quello che succede da ora compare qui.', 'live.live': 'Collegato', 'live.waiting': 'Ci si ricollega…',
    'live.ended': 'L’accesso è finito', 'live.missing': 'Gli eventi non sono disponibili',
    'state.draft': 'bozza', 'state.submitted': 'presentata', 'state.in_charge': 'in carico', 'state.awaiting_credentials': 'attende credenziali',
    'state.accepted': 'accolta', 'state.provisionally_not_accepted': 'non accolta per ora', 'state.not_accepted': 'non accolta',
    'state.confirmed': 'confermata', 'state.lapsed': 'decaduta', 'state.withdrawn': 'ritirata', 'state.superseded': 'sostituita',
    'event.declaration.submitted': 'Dichiarazione presentata', 'event.declaration.awaiting_credentials': 'Dichiarazione in attesa di credenziali',
    'event.declaration.in_charge': 'Dichiarazione presa in carico', 'event.declaration.decided': 'Dichiarazione decisa',
    'event.declaration.withdrawn': 'Dichiarazione ritirata', 'event.declaration.superseded': 'Dichiarazione sostituita',
    'event.declaration.lapsed': 'Dichiarazione decaduta', 'event.declaration_batch.finished': 'Invio massivo concluso',
    'event.delegation.activated': 'Delega attivata', 'event.delegation.ended': 'Delega cessata',
    'event.consent.given': 'Applicazione autorizzata', 'event.consent.ended': 'Autorizzazione cessata',
  },
  en: {
    other: 'Italiano', skip: 'Skip to content', brand: 'Paghe Facili', nav: 'Menu',
    login: 'Log in', logout: 'Log out', loading: 'One moment…', back: 'Back', more: 'Show more', retry: 'Try again',
    'home.title': 'Declarations, straight away', 'home.lead': 'File a declaration, keep its signed receipt, and watch what happens as it happens.',
    'home.pin': 'The PIN is typed on the institution’s site alone: this application never sees it.',
    'home.refused': 'You did not let this application in. Try again whenever you like.', 'home.ended': 'Your login has ended. Log in again.',
    'contributors.title': 'Contributors', 'contributors.none': 'There is no contributor for whom you may act.',
    'contributors.lead': 'For whom do you want to work?',
    'kind.company': 'company', 'kind.public_body': 'public body', 'kind.self_employed': 'self-employed', 'kind.household': 'household employer',
    'tax_code': 'Tax code', 'declarations.title': 'Declarations', 'declarations.none': 'No declarations yet.',
    'new': 'New declaration', 'new.type': 'What do you want to declare?', 'new.position': 'Position', 'new.example': 'Fill in the example',
    'new.submit': 'File', 'new.optional': 'optional', 'new.choose': 'Choose…', 'new.yes': 'Yes', 'new.filing': 'Filing…',
    'new.required': 'Fill in this field.',
    'new.none': 'No declaration type can be filed now.',
    'errors.title': 'Something is wrong', 'errors.prefix': 'Error: ', 'error.unknown': 'It did not work: ',
    'table.type': 'Type', 'table.state': 'State', 'table.number': 'Protocol number', 'table.when': 'Filed', 'table.caption': 'Declarations, the newest first',
    'declaration.title': 'Declaration', 'declaration.filed': 'Filed. This is the receipt.', 'declaration.content': 'What is declared',
    'receipt.title': 'Receipt', 'receipt.number': 'Protocol number', 'receipt.when': 'Filed at', 'receipt.by': 'Filed by',
    'receipt.checking': 'The signature is being verified…', 'receipt.valid': 'Signature verified: the receipt is genuine, and the register knows it.',
    'receipt.invalid': 'Beware: the receipt is not genuine.', 'receipt.pdf': 'Download the receipt (PDF)', 'receipt.none': 'There is no receipt yet.',
    'live.title': 'Live', 'live.none': 'What happens from now on shows up here.', 'live.live': 'Connected', 'live.waiting': 'Connecting again…',
    'live.ended': 'Your login has ended', 'live.missing': 'Events are not available',
    'state.draft': 'draft', 'state.submitted': 'submitted', 'state.in_charge': 'in charge', 'state.awaiting_credentials': 'awaiting credentials',
    'state.accepted': 'accepted', 'state.provisionally_not_accepted': 'not accepted for now', 'state.not_accepted': 'not accepted',
    'state.confirmed': 'confirmed', 'state.lapsed': 'lapsed', 'state.withdrawn': 'withdrawn', 'state.superseded': 'superseded',
    'event.declaration.submitted': 'Declaration submitted', 'event.declaration.awaiting_credentials': 'Declaration awaits credentials',
    'event.declaration.in_charge': 'Declaration taken in charge', 'event.declaration.decided': 'Declaration decided',
    'event.declaration.withdrawn': 'Declaration withdrawn', 'event.declaration.superseded': 'Declaration superseded',
    'event.declaration.lapsed': 'Declaration lapsed', 'event.declaration_batch.finished': 'Batch finished',
    'event.delegation.activated': 'Delegation activated', 'event.delegation.ended': 'Delegation ended',
    'event.consent.given': 'Application let in', 'event.consent.ended': 'Consent ended',
  },
}

let chosen = localStorage.getItem('language') ?? (navigator.languages.find((l) => /^(it|en)\b/.test(l)) ?? 'it').slice(0, 2)

export const language = {
  get: () => chosen,
  toggle: () => localStorage.setItem('language', (chosen = chosen === 'it' ? 'en' : 'it')),
}

// What has no text, such as an event of a later version, is shown as it is called.
export const t = (key) => texts[chosen][key] ?? key.replace(/^(state|event|kind)\./, '').replaceAll('_', ' ')
export const hasText = (key) => key in texts[chosen]

export const time = (text) =>
  new Intl.DateTimeFormat(chosen === 'it' ? 'it-IT' : 'en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'Europe/Rome' }).format(new Date(text))
