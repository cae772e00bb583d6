package httpapi

import "diresco/internal/fault"

var inItalian = dictionary{
	problems: map[fault.Code]words{
		fault.Malformed: {
			"Richiesta non leggibile", "La richiesta non si può leggere.",
			"Il corpo non è JSON corretto, una chiave è ripetuta, oppure un parametro o un'intestazione manca, è sconosciuto o non ha la forma prevista. Il campo errors indica il punto. Correggere la richiesta: ripeterla uguale non serve.",
		},
		fault.InvalidCredentials: {
			"Credenziali non valide", "Codice fiscale e PIN non corrispondono.",
			"Il codice fiscale o il PIN non è giusto. La risposta è la stessa se la persona non è registrata. Dopo 10 tentativi sbagliati di seguito l'accesso è sospeso per 5 minuti.",
		},
		fault.SessionEnded: {
			"Sessione terminata", "La sessione è terminata. Occorre entrare di nuovo.",
			"La sessione si chiude dopo 30 minuti senza attività, dopo 12 ore in ogni caso, all'uscita e al cambio del PIN. Si chiude anche se un token di rinnovo viene usato due volte.",
		},
		fault.Unauthenticated: {
			"Autenticazione necessaria", "Il token di accesso non è valido o è scaduto.",
			"L'operazione richiede l'intestazione Authorization con un token di accesso valido. Il token si ottiene entrando con codice fiscale e PIN e si rinnova con il token di rinnovo.",
		},
		fault.PINChangeRequired: {
			"Cambio del PIN obbligatorio", "Prima di ogni altra operazione occorre cambiare il PIN.",
			"Al primo accesso con il PIN di 16 caratteri, e quando il PIN ha raggiunto la sua durata (6 mesi, 3 per gli intermediari istituzionali), la sessione permette solo il cambio del PIN, il rinnovo e l'uscita.",
		},
		fault.PINExpired: {
			"PIN scaduto", "Il PIN non è stato usato in tempo ed è scaduto. Occorre richiederne uno nuovo.",
			"Le due metà di un PIN mai usato valgono 60 giorni dalla consegna della seconda.",
		},
		fault.Reauthenticate: {
			"Nuova autenticazione necessaria", "Per questa operazione occorre inserire di nuovo il PIN.",
			"Il cambio del PIN e dei contatti richiede che il PIN sia stato inserito negli ultimi 5 minuti.",
		},
		fault.DispositiveRequired: {
			"Credenziali dispositive necessarie", "Per questa operazione occorre un PIN dispositivo.",
			"Con un PIN ordinario si può consultare. Il PIN diventa dispositivo allo sportello, o su richiesta firmata con copia di un documento di identità.",
		},
		fault.ServiceNotDelegated: {
			"Servizio non compreso nell'abilitazione", "L'abilitazione per questo contribuente non comprende il servizio.",
			"Chi agisce per il contribuente è abilitato ad altri servizi. Il contribuente può estendere l'abilitazione.",
		},
		fault.Forbidden: {
			"Operazione non permessa", "L'operazione non è permessa a questo utente.",
			"La risorsa è visibile, ma il profilo dell'utente non permette questa operazione.",
		},
		fault.NotFound: {
			"Non trovato", "Qui non c'è nulla che si possa vedere.",
			"La risorsa non esiste, oppure l'utente non la può vedere: la risposta è la stessa.",
		},
		fault.MethodNotAllowed: {
			"Metodo non previsto", "Questo indirizzo non prevede il metodo usato.",
			"L'intestazione Allow elenca i metodi previsti.",
		},
		fault.NotAcceptable: {
			"Formato non disponibile", "Nessun formato disponibile corrisponde all'intestazione Accept.",
			"La documentazione dell'operazione elenca i formati della risposta.",
		},
		fault.Conflict: {
			"Non possibile in questo stato", "L'operazione non è possibile nello stato attuale.",
			"Leggere di nuovo la risorsa: il suo stato è cambiato o non permette l'operazione.",
		},
		fault.RequestInProgress: {
			"Richiesta in corso", "Una richiesta con la stessa Idempotency-Key è ancora in corso.",
			"Attendere quanto indica Retry-After e ripetere la stessa richiesta con la stessa chiave: darà la risposta della prima.",
		},
		fault.PreconditionFailed: {
			"Versione superata", "La risorsa è cambiata da quando è stata letta. Occorre leggerla di nuovo.",
			"Il valore di If-Match non è l'ETag attuale. Leggere di nuovo la risorsa, riportare le modifiche e ripetere.",
		},
		fault.PreconditionRequired: {
			"Versione necessaria", "Occorre l'intestazione If-Match con l'ETag letto.",
			"Così nessuno sovrascrive senza saperlo le modifiche di un altro.",
		},
		fault.TooLarge: {
			"Contenuto troppo grande", "Il corpo della richiesta supera la dimensione massima.",
			"Un corpo JSON può avere al massimo 1 MiB.",
		},
		fault.UnsupportedMediaType: {
			"Formato non previsto", "Il corpo della richiesta è in un formato che l'operazione non legge.",
			"Il corpo va inviato come application/json in UTF-8, senza compressione; per le modifiche come application/merge-patch+json.",
		},
		fault.Invalid: {
			"Dati non validi", "Uno o più campi non sono validi.",
			"La richiesta si può leggere, ma non rispetta lo schema o una regola. Il campo errors indica ogni punto con il suo codice.",
		},
		fault.IdempotencyKeyReused: {
			"Idempotency-Key già usata", "La Idempotency-Key è già stata usata per un'altra richiesta.",
			"Ogni intento ha la sua chiave. La stessa chiave vale solo per ripetere la stessa richiesta.",
		},
		fault.CodeInvalid: {
			"Codice non valido", "Il codice inserito non è giusto.",
			"Controllare il codice ricevuto e riprovare. I tentativi sono contati.",
		},
		fault.PINLocked: {
			"Accesso sospeso", "Troppi tentativi sbagliati: l'accesso con il PIN è sospeso per qualche minuto.",
			"Dopo 10 PIN sbagliati di seguito l'accesso è sospeso per 5 minuti; ogni altro tentativo sbagliato costa altri 5 minuti. I tentativi fatti durante l'attesa non sono esaminati e non la prolungano.",
		},
		fault.RateLimited: {
			"Troppe richieste", "Troppe richieste in poco tempo. Attendere quanto indica Retry-After.",
			"Le intestazioni RateLimit-Limit, RateLimit-Remaining e RateLimit-Reset dicono in ogni risposta quante richieste restano.",
		},
		fault.Unavailable: {
			"Servizio non disponibile", "Il servizio ora non può rispondere. Riprovare più tardi.",
			"Nulla è andato perduto di ciò che ha avuto risposta. Con la stessa Idempotency-Key la richiesta si può ripetere senza rischio.",
		},
		fault.Busy: {
			"Servizio occupato", "Il servizio ha troppe richieste in corso. Riprovare tra poco.",
			"Attendere quanto indica Retry-After. Un tentativo di accesso che ha avuto questa risposta non è contato.",
		},
		fault.Internal: {
			"Errore interno", "Si è verificato un errore del servizio. Per assistenza indicare il Request-Id.",
			"L'errore è stato registrato. Con la stessa Idempotency-Key la richiesta si può ripetere senza rischio.",
		},
	},
	reasons: map[string]string{
		reasonNoToken:                  "Manca il token di accesso.",
		reasonBadToken:                 "L'intestazione Authorization non ha la forma Bearer seguita dal token.",
		reasonNoBody:                   "Manca il corpo della richiesta.",
		reasonUnexpectedBody:           "Questa operazione non prevede un corpo.",
		reasonCutBody:                  "Il corpo della richiesta si interrompe.",
		reasonQuery:                    "I parametri dell'indirizzo non sono codificati correttamente.",
		reasonJSON:                     "Il corpo della richiesta non è JSON corretto.",
		reasonNoKey:                    "Manca l'intestazione Idempotency-Key.",
		"declaration-not-draft":        "La dichiarazione non è più una bozza: una dichiarazione presentata non si modifica e non si presenta di nuovo.",
		"declaration-not-withdrawable": "La dichiarazione non si può ritirare nel suo stato attuale.",
		"type-not-open":                "Il periodo per presentare questo tipo di dichiarazione non è aperto.",
		"supersedes-not-possible":      "La dichiarazione indicata non si può sostituire con questa.",
		"declaration-changed":          "La dichiarazione è cambiata nel frattempo. Occorre leggerla di nuovo.",
		"tax-code-registered":          "Il codice fiscale è già registrato.",
		"already-exists":               "Esiste già.",
	},
	fields: map[string]string{
		codeRequired:          "Il campo è obbligatorio.",
		codeUnknownField:      "Il campo non è previsto.",
		codeReadOnly:          "Il campo è di sola lettura.",
		codeType:              "Il valore non è del tipo previsto.",
		codeNull:              "Il valore non può essere null.",
		codeEnum:              "Il valore non è tra quelli ammessi.",
		codeConst:             "Il valore non è quello previsto.",
		codeFormat:            "Il valore non è formalmente corretto.",
		codePattern:           "Il valore non ha la forma prevista.",
		codeTooShort:          "Il testo è troppo corto.",
		codeTooLong:           "Il testo è troppo lungo.",
		codeMinimum:           "Il numero è troppo piccolo.",
		codeMaximum:           "Il numero è troppo grande.",
		codeMultipleOf:        "Il numero non è un multiplo di quello previsto.",
		codeTooFew:            "Gli elementi sono troppo pochi.",
		codeTooMany:           "Gli elementi sono troppi.",
		codeDuplicate:         "Un elemento è ripetuto.",
		codeVariant:           "Il valore non corrisponde a nessuna delle forme previste.",
		codeCharacter:         "Il testo contiene un carattere non ammesso.",
		codeOther:             "Il valore non è valido.",
		codeSyntax:            "Qui il JSON non è corretto.",
		codeDuplicateKey:      "La chiave è ripetuta nello stesso oggetto.",
		codeTrailing:          "Dopo la fine del JSON c'è altro.",
		codeTooDeep:           "Troppi oggetti o elenchi uno dentro l'altro.",
		codeUnknownParameter:  "Il parametro non è previsto.",
		codeRepeated:          "Il parametro è ripetuto.",
		codeCursor:            "Il cursore non è valido: va preso da _links.next.",
		codeWrongPIN:          "Il PIN non è giusto.",
		codeUnknownRight:      "L'utente non ha questo titolo per il contribuente.",
		codeNotCanonical:      "Il contenuto non si può scrivere in forma canonica.",
		"unknown-type":        "Il tipo di dichiarazione non esiste.",
		"unknown-step":        "Il tipo di dichiarazione non prevede questo passo.",
		"not-applicable":      "Il campo non si applica a questo caso.",
		"unknown-position":    "Il contribuente non ha questa posizione.",
		"position-ceased":     "La posizione è cessata.",
		"unknown-declaration": "La dichiarazione non esiste per questo contribuente.",
		"unknown-office":      "La sede non esiste.",
		"backwards":           "L'orologio si sposta solo in avanti.",
		"too-far":             "È troppo avanti nel tempo.",
		"only-operators":      "Solo chi lavora in una sede ne ha una.",
		"unknown-contributor": "Il contribuente non esiste.",
	},
}
