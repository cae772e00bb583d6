package problem

import "diresco/internal/platform/fault"

var inItalian = dictionary{
	problems: map[fault.Code]words{
		fault.Malformed: {
			"Richiesta non leggibile", "La richiesta non si può leggere.",
			"Il corpo non è JSON o un modulo corretto, una chiave è ripetuta, oppure un parametro o un'intestazione manca, è sconosciuto " +
				"o non ha la forma prevista. Il campo errors indica il punto. Correggere la richiesta: ripeterla uguale non serve.",
		},
		fault.InvalidCredentials: {
			"Credenziali non valide", "Codice fiscale e PIN non corrispondono.",
			"Il codice fiscale o il PIN non è giusto. La risposta è la stessa se la persona non è registrata. Dopo 10 tentativi " +
				"sbagliati di seguito l'accesso è sospeso per 5 minuti.",
		},
		fault.SessionEnded: {
			"Sessione terminata", "La sessione è terminata. Occorre entrare di nuovo.",
			"La sessione si chiude dopo 30 minuti senza attività, dopo 12 ore in ogni caso, all'uscita e al cambio del PIN. Si chiude " +
				"anche se un token di rinnovo viene usato due volte.",
		},
		fault.Unauthenticated: {
			"Autenticazione necessaria", "Il token di accesso non è valido o è scaduto.",
			"L'operazione richiede l'intestazione Authorization con un token di accesso valido. Il token si ottiene entrando con codice " +
				"fiscale e PIN e si rinnova con il token di rinnovo.",
		},
		fault.PINChangeRequired: {
			"Cambio del PIN obbligatorio", "Prima di ogni altra operazione occorre cambiare il PIN.",
			"Al primo accesso con il PIN di 16 caratteri, e quando il PIN ha raggiunto la sua durata (6 mesi, 3 per gli intermediari " +
				"istituzionali), la sessione permette solo il cambio del PIN, il rinnovo e l'uscita.",
		},
		fault.PINExpired: {
			"PIN scaduto", "Il PIN non è stato usato in tempo ed è scaduto. Occorre richiederne uno nuovo.",
			"Le due metà di un PIN mai usato valgono 60 giorni dalla consegna della seconda. Chi aveva già completato un primo accesso " +
				"può recuperare il PIN; gli altri lo revocano con un recapito registrato e ne chiedono uno nuovo, oppure si rivolgono a " +
				"una sede con un documento di identità.",
		},
		fault.Reauthenticate: {
			"Nuova autenticazione necessaria", "Per questa operazione occorre inserire di nuovo il PIN.",
			"Il cambio del PIN e dei contatti e, nelle funzioni di sede, PIN, operatori e sospensioni richiedono che il PIN sia stato " +
				"inserito negli ultimi 5 minuti.",
		},
		fault.StrongLogin: {
			"Accesso con SPID, CIE o CNS necessario",
			"Le deleghe si gestiscono dopo un accesso con SPID, CIE o CNS: occorre entrare così e riprovare.",
			"Preparare, modificare, attivare e revocare deleghe e subdeleghe richiede una sessione aperta con SPID, CIE o CNS. Con un " +
				"PIN si possono consultare.",
		},
		fault.DispositiveRequired: {
			"Credenziali dispositive necessarie", "Per questa operazione occorre un PIN dispositivo.",
			"Con un PIN ordinario si può consultare, e non si entra nelle funzioni di sede. Il PIN diventa " +
				"dispositivo allo sportello, o su richiesta firmata con copia di un documento di identità.",
		},
		fault.ServiceNotDelegated: {
			"Servizio non compreso nell'abilitazione", "L'abilitazione per questo contribuente non comprende il servizio.",
			"Chi agisce per il contribuente è abilitato ad altri servizi. Il contribuente può estendere l'abilitazione.",
		},
		fault.IdentityNotConfirmed: {
			"Identità digitale non confermata", "Prima occorre confermare la propria identità digitale.",
			"Chi entra per la prima volta nella gestione utenti conferma la propria identità digitale; fino ad allora non dà e " +
				"non riceve ruoli.",
		},
		fault.OTPExhausted: {
			"Tentativi esauriti", "Il codice OTP non è più utilizzabile dopo cinque tentativi errati.",
			"Occorre inviare un nuovo codice OTP al contribuente.",
		},
		fault.OTPExpired: {
			"Codice OTP scaduto", "Il codice OTP vale 7 giorni ed è scaduto.",
			"Occorre inviare un nuovo codice OTP al contribuente.",
		},
		fault.Duplicate: {
			"Già presentata", "Con questo riferimento è già stata presentata una dichiarazione per il contribuente.",
			"In un invio massivo ogni dichiarazione ha un riferimento di chi la invia, con il quale è presentata una volta sola, in " +
				"qualunque invio si trovi. Accanto è indicata la dichiarazione presentata.",
		},
		fault.ExclusiveExists: {
			"Delega esclusiva esistente", "Una delega esclusiva è in conflitto con un'altra delega attiva sulla stessa posizione.",
			"Una delega esclusiva non può stare insieme a quella di un altro intermediario sulla stessa posizione: il contribuente può " +
				"revocarne una.",
		},
		fault.ChannelClosed: {
			"Canale chiuso", "Il servizio non si usa da questo canale in questo momento.",
			"Un servizio ha canali con periodi di validità. Il campo href indica il canale aperto, se c'è.",
		},
		fault.BudgetBelowCommitments: {
			"Stanziamento inferiore agli impegni", "Del fondo è prenotato e speso più di questo stanziamento.",
			"Quanto è stato promesso alle dichiarazioni resta loro: lo stanziamento non scende sotto quanto è prenotato e speso.",
		},
		fault.OTPInvalid: {
			"Codice OTP errato", "Il codice OTP non è giusto.",
			"Il campo tries_left dice quanti tentativi restano. Dopo il quinto errato occorre un nuovo codice.",
		},
		fault.DelegateMustBePerson: {
			"Il delegato deve essere una persona", "Uno studio associato non può essere delegato: si indica il singolo professionista.",
			"La delega si dà al professionista iscritto all'albo, a un'associazione di categoria, a un CAF o a un patronato.",
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
			"Un corpo JSON può avere al massimo 1 MiB, un modulo con file 10 MiB, un elenco 16 MiB, il file di un registro 1 GiB.",
		},
		fault.UnsupportedMediaType: {
			"Formato non previsto", "Il corpo della richiesta è in un formato che l'operazione non legge.",
			"Il corpo va inviato come application/json in UTF-8, senza compressione; per le modifiche come application/merge-patch+json, " +
				"con file come multipart/form-data, un elenco o un registro nei formati indicati dal contratto.",
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
			"Dopo 10 PIN sbagliati di seguito l'accesso è sospeso per 5 minuti; ogni altro tentativo sbagliato costa altri 5 minuti. I " +
				"tentativi fatti durante l'attesa non sono esaminati e non la prolungano.",
		},
		fault.RateLimited: {
			"Troppe richieste", "Troppe richieste in poco tempo. Attendere quanto indica Retry-After.",
			"Le intestazioni RateLimit-Limit, RateLimit-Remaining e RateLimit-Reset dicono in ogni risposta quante richieste restano.",
		},
		fault.Unavailable: {
			"Servizio non disponibile", "Il servizio ora non può rispondere. Riprovare più tardi.",
			"Nulla è andato perduto di ciò che ha avuto risposta. Con la stessa Idempotency-Key la richiesta si può ripetere " +
				"senza rischio.",
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
	hints: hints{
		atLeast: "Almeno %s.", atMost: "Al massimo %s.", between: "Almeno %s, al massimo %s.",
		shortest: "Almeno %s caratteri.", longest: "Al massimo %s caratteri.", length: "Da %s a %s caratteri.",
		fewest: "Almeno %s elementi.", most: "Al massimo %s elementi.", members: "Da %s a %s elementi.",
		multipleOf: "Un multiplo di %s.", oneOf: "Ammessi: %s.", expected: "Atteso: %s.",
		check: "Con il resto così com'è, il carattere di controllo, l'ultimo, sarebbe %s.", did: "Forse intendeva %s?",
		example: "Ad esempio: %s",
		allowed: map[fault.Code]string{
			fault.MethodNotAllowed: "Metodi ammessi: %s.", fault.NotAcceptable: "Forme che ci sono: %s.",
			fault.UnsupportedMediaType: "Forme ammesse: %s.", fault.Forbidden: "Possono: %s.",
			fault.ServiceNotDelegated: "Servizio necessario: %s.",
		},
	},
	notices: map[string]string{
		NoticeRecovery: "Se i dati corrispondono a un PIN attivo, un codice di recupero è in viaggio verso la casella di posta " +
			"elettronica registrata, o la PEC. Vale 24 ore.",
		NoticeRevocation: "Se i dati corrispondono a un PIN attivo, un codice di revoca è in viaggio verso il recapito " +
			"indicato. Vale 24 ore.",
	},
	reasons: map[string]string{
		"refresh-token":               "Non è un token di rinnovo. Invii l'ultimo ricevuto all'accesso o al rinnovo, oppure acceda di nuovo.",
		ReasonNoToken:                 "Manca il token di accesso.",
		ReasonBadToken:                "L'intestazione Authorization non ha la forma Bearer seguita dal token.",
		ReasonTokenExpired:            "Il token di accesso è scaduto: va rinnovato con il refresh token, o rifatto l'accesso.",
		ReasonTokenInvalid:            "Il token di accesso non è di questo servizio, o è stato alterato: va rifatto l'accesso.",
		ReasonNoPath:                  "Questo percorso non esiste. Quelli che esistono sono nel contratto, /openapi.yaml.",
		ReasonMethod:                  "Il percorso è giusto, il metodo no.",
		ReasonClass:                   "Il Suo profilo di utente non consente questa operazione.",
		ReasonOffice:                  "L'operazione è riservata a chi lavora in una sede.",
		"person-only":                 "Questa operazione richiede la persona: nessuna applicazione può compierla.",
		"insufficient-scope":          "Il consenso o il token di accesso dell'applicazione non lo permette.",
		"right-looks":                 "Il Suo titolo per il contribuente consente di consultare, non di inviare.",
		"ticket-of-the-system":        "La richiesta è decisa automaticamente: non c'è chi sollecitare.",
		"ticket-not-due":              "La sede ha cinque giorni lavorativi da quando ha ricevuto il quesito: il sollecito è possibile dopo.",
		"ticket-reminded":             "La sede è stata sollecitata meno di 24 ore fa.",
		"ticket-closed":               "Il quesito è chiuso.",
		"ticket-in-charge-of-another": "Il quesito è in carico a un altro operatore.",
		"right-consults":              "Il Suo titolo per il contribuente consente di consultare, non di dichiarare.",
		ReasonSignature:               "L'esito non è firmato, la firma è sbagliata o non è di adesso.",
		ReasonNoBody:                  "Manca il corpo della richiesta.",
		ReasonCompressedBody:          "Il corpo va inviato senza compressione, senza `Content-Encoding`.",
		ReasonUnexpectedBody:          "Questa operazione non prevede un corpo.",
		ReasonCutBody:                 "Il corpo della richiesta si interrompe.",
		ReasonQuery:                   "I parametri dell'indirizzo non sono codificati correttamente.",
		ReasonJSON:                    "Il corpo della richiesta non è JSON corretto.",
		ReasonForm:                    "Il corpo della richiesta non è un modulo (multipart/form-data) corretto.",
		ReasonNoKey:                   "Manca l'intestazione Idempotency-Key.",
		"too-many-streams":            "La sessione ha già tutti i flussi che può tenere aperti. Chiuderne prima uno.",
		"delivery-not-ended":          "La consegna è ancora in corso o è riuscita: si ritenta solo una consegna fallita o abbandonata.",
		"message-erased": "Il contenuto riservato del messaggio è stato cancellato: occorre un nuovo codice " +
			"o un nuovo PIN.",
		"declaration-not-draft": "La dichiarazione non è più una bozza: una dichiarazione presentata non si modifica e non si " +
			"presenta di nuovo.",
		"money-not-held":                   "La prenotazione non ha più alcun importo.",
		"reservation-confirmed":            "La prenotazione è già stata confermata.",
		"reservation-lapsed":               "Il termine per confermare la prenotazione è scaduto.",
		"reservation-not-accepted":         "La prenotazione non è stata accolta.",
		"declaration-not-withdrawable":     "La dichiarazione non si può ritirare nel suo stato attuale.",
		"type-not-for-right":               "Questo tipo di dichiarazione non si presenta con il titolo di chi opera.",
		"type-not-open":                    "Il periodo per presentare questo tipo di dichiarazione non è aperto.",
		"supersedes-not-possible":          "La dichiarazione indicata non si può sostituire con questa.",
		"declaration-changed":              "La dichiarazione è cambiata nel frattempo. Occorre leggerla di nuovo.",
		"tax-code-registered":              "Il codice fiscale è già registrato.",
		"already-exists":                   "Esiste già.",
		"contact-exists":                   "Il recapito è già presente.",
		"contact-verified":                 "Il recapito è già verificato.",
		"too-many-contacts":                "I recapiti sono già quanti se ne possono avere. Rimuoverne prima uno.",
		"last-contact":                     "L'ultimo recapito verificato non si può rimuovere. Aggiungerne e verificarne prima un altro.",
		"already-dispositive":              "Le credenziali sono già dispositive.",
		"upgrade-waiting":                  "Una richiesta precedente di PIN dispositivo attende ancora la decisione.",
		"upgrade-decided":                  "La richiesta è già stata decisa.",
		"already-decided":                  "Il contact center ha già deciso sulla richiesta.",
		"nothing-to-confirm":               "Nessun PIN rilasciato allo sportello attende la conferma.",
		"document-kept":                    "La copia del documento è già stata acquisita.",
		"issuer-only":                      "La copia del documento è acquisita da chi ha rilasciato il PIN.",
		"post-unconfirmed":                 "L'incarico di amministratore va ancora confermato da un secondo amministratore.",
		"consent-of-staff":                 "Chi lavora per l'istituto non autorizza applicazioni ad agire per suo conto.",
		"consent-reaches-nothing":          "Non può operare per alcun contribuente: un'applicazione non potrebbe fare nulla per Lei.",
		"post-confirmed":                   "Non c'è nulla da confermare.",
		"application-decided":              "Nulla dell'applicazione attende una decisione.",
		"webhook-disabled":                 "Il webhook è disattivato: non vi si invia nulla.",
		"application-not-approved":         "L'applicazione non è approvata.",
		"application-not-suspended":        "L'applicazione non è sospesa.",
		"second-person":                    "Chi l'ha chiesto, presentato o rilasciato non decide in merito: decide un'altra persona.",
		"declaration-in-charge-of-another": "La dichiarazione è in carico a un altro operatore.",
		"declaration-not-in-charge":        "Nessuno ha in carico la dichiarazione.",
		"declaration-not-to-be-decided":    "La dichiarazione è già definita, oppure non attende una decisione della sede.",
		"declaration-decided-by-itself":    "Le dichiarazioni di questo tipo sono definite automaticamente, non da un operatore.",
		"counter-needed": "I dati non coincidono con l'anagrafe e la persona non ha recapiti verificati a cui inviare il PIN: si " +
			"rivolga a uno sportello con un documento di identità.",
		"person-has-pin":    "La persona ha già un PIN valido.",
		"already-suspended": "L'utente è già sospeso.",
		"not-suspended":     "L'utente non è sospeso.",
		"person-suspended":  "L'utente è sospeso: prima va riammesso.",
		"own-account":       "Nessuno può sospendere sé stesso.",
		"administrator-pin": "Il PIN di un amministratore può essere revocato solo da un amministratore.",
		"own-pin":           "Nessuno può rilasciare un PIN a sé stesso.",
		"staff-pin": "A operatori e amministratori non si rilascia un nuovo PIN: lo recuperano, oppure prima un " +
			"amministratore ne revoca l'incarico.",
		"last-administrator":   "È l'ultimo amministratore utenze: prima va nominato un altro.",
		"already-operator":     "La persona ha già un profilo da operatore.",
		"ordinary-credentials": "Solo chi ha credenziali dispositive può diventare operatore.",
		"not-a-citizen":        "Solo un cittadino può diventare operatore, non un intermediario.",
		"enrolment-open": "Una richiesta precedente per lo stesso contribuente, con qualcuno degli stessi servizi, " +
			"attende ancora la decisione.",
		"enrolment-decided":              "La richiesta è già stata decisa.",
		"enrolment-awaiting-credentials": "La richiesta attende che il PIN di chi l'ha inviata diventi dispositivo.",
		"enrolment-lapsed":               "La richiesta è decaduta: il PIN non è diventato dispositivo in tempo.",
		"already-enabled":                "L'abilitazione c'è già: non occorre presentare di nuovo il modulo.",
		"channel-over":                   "Questo canale è chiuso. Il campo href indica quello da usare, se c'è.",
		"channel-not-yet-open":           "Questo canale non è ancora aperto. Il campo href indica quello da usare intanto, se c'è.",
		"no-intermediary": "L'operazione è degli intermediari iscritti al proprio albo o censimento, e delle persone che " +
			"vi hanno un ruolo.",
		"delegation-state": "Nello stato in cui si trova, la delega non lo permette.",
		"delegation-over":  "La data di fine della delega è passata.",
		"no-verified-contact": "Il contribuente non ha una PEC e il firmatario non ha un recapito verificato: il codice non " +
			"si può inviare.",
		"delegate-not-listed": "L'intermediario non è più iscritto al proprio albo o censimento.",
		"signatory-gone":      "Il firmatario non rappresenta più il contribuente: occorre indicarne un altro.",
		"last-employer": "È l'ultimo datore di lavoro, e non c'è un rappresentante legale: prima un'altra persona deve " +
			"avere il ruolo (modulo SC65).",
		"last-legal-representative": "È l'ultimo rappresentante legale: attribuisca prima il ruolo a un'altra persona.",
		"role-exists":               "La persona ha già questo ruolo.",
		"role-for-oneself":          "Nessuno attribuisce un ruolo a se stesso.",
		"role-not-yours-to-give": "Il Suo ruolo non consente di attribuire questo: il rappresentante legale attribuisce ogni " +
			"ruolo, l'amministratore delle utenze quelli di datore di lavoro e di delegato ai servizi, il datore di lavoro quello di " +
			"delegato ai servizi.",
		"role-not-yours-to-withdraw": "Il Suo ruolo non consente di revocare questo: rappresentanti legali e amministratori delle " +
			"utenze sono revocati da un rappresentante legale.",
		"too-many-open":         "Ce ne sono già quante possono essere aperte insieme. Prima ne concluda o ne scarti alcune.",
		"no-users":              "Un professionista non attribuisce ruoli, ma subdeleghe.",
		"sub-delegate-oneself":  "Nessuno dà una subdelega a sé stesso.",
		"sub-delegation-ended":  "La subdelega è già terminata.",
		"sub-delegation-exists": "La persona ha già una subdelega che dà altrettanto: vedi href.",
		"survey-answered":       "Hai già risposto a questa indagine.",
		"survey-too-few":        "Hanno risposto meno di cinque persone.",
		"survey-beside":         "Un'altra indagine è aperta in parte dello stesso periodo.",
		"survey-closed":         "L'indagine è terminata.",
		"batch-not-done":        "L'elenco è ancora in lavorazione.",
		"batch-over":            "L'invio è concluso: non c'è più nulla da annullare.",
		"batch-right-ended":     "Il diritto o le credenziali di chi ha fatto l'invio sono venuti meno prima di questa dichiarazione.",
		"batch-not-whole":       "Un'altra dichiarazione dell'invio è stata respinta, ed era chiesto di presentarle tutte o nessuna.",
		"batch-without-forms":   "Nessuna delega dell'elenco attende una firma: non ci sono moduli.",
	},
	fields: map[string]string{
		fault.FieldRequired:     "Il campo è obbligatorio.",
		fault.FieldUnknown:      "Il campo non è previsto.",
		fault.FieldReadOnly:     "Il campo è di sola lettura.",
		fault.FieldType:         "Il valore non è del tipo previsto.",
		fault.FieldNull:         "Il valore non può essere null.",
		fault.FieldEnum:         "Il valore non è tra quelli ammessi.",
		fault.FieldConst:        "Il valore non è quello previsto.",
		fault.FieldFormat:       "Il valore non è formalmente corretto.",
		fault.FieldPattern:      "Il valore non ha la forma prevista.",
		fault.FieldTooShort:     "Il testo è troppo corto.",
		fault.FieldTooLong:      "Il testo è troppo lungo.",
		fault.FieldMinimum:      "Il numero è troppo piccolo.",
		fault.FieldMaximum:      "Il numero è troppo grande.",
		fault.FieldMultipleOf:   "Il numero non è un multiplo di quello previsto.",
		fault.FieldTooFew:       "Gli elementi sono troppo pochi.",
		fault.FieldTooMany:      "Gli elementi sono troppi.",
		fault.FieldDuplicate:    "Un elemento è ripetuto.",
		fault.FieldVariant:      "Il valore non corrisponde a nessuna delle forme previste.",
		fault.FieldCharacter:    "Il testo contiene un carattere non ammesso.",
		fault.FieldOther:        "Il valore non è valido.",
		fault.FieldSyntax:       "Qui il JSON non è corretto.",
		fault.FieldDuplicateKey: "La chiave è ripetuta nello stesso oggetto.",
		fault.FieldTrailing:     "Dopo la fine del JSON c'è altro.",
		fault.FieldTooDeep:      "Troppi oggetti o elenchi uno dentro l'altro.",
		fault.FieldNoFile:       "Il campo richiede un file, con il suo nome.",
		fault.FieldFileEmpty:    "Il file è vuoto.",
		fault.FieldFileTooLarge: "Il file è troppo grande.",
		fault.FieldFileType: "Il file non è di un tipo ammesso, qualunque cosa dica il suo nome. Di un file firmato (P7M, ASiC), dove " +
			"non è ammesso, inviare il documento che contiene.",
		fault.FieldFilePassword: "Il file si apre solo con una password: inviarlo senza.",
		fault.FieldFileUnsafe: "L'archivio non si legge o non è sicuro da aprire: contiene programmi, nomi che portano fuori, troppi file o " +
			"molto più di quanto sembra. Inviare i documenti che contiene.",
		fault.FieldUnknownTopic:     "L'argomento non esiste: l'elenco degli argomenti ha quelli disponibili.",
		fault.FieldTopicHeading:     "L'argomento è un titolo: scegliere uno di quelli che raccoglie.",
		fault.FieldEmailOrPhone:     "Indicare un indirizzo e-mail o un numero di cellulare, per ricevere le comunicazioni.",
		fault.FieldInFuture:         "La data è nel futuro.",
		fault.FieldDocumentExpired:  "Il documento è scaduto.",
		fault.FieldBeforeIssue:      "Il documento scadrebbe prima di essere rilasciato.",
		fault.FieldOfficeNeeded:     "Non risulta una sede competente: occorre indicarne una.",
		fault.FieldUnknownParameter: "Il parametro non è previsto.",
		fault.FieldRepeated:         "Questo è ripetuto: può esserci una volta sola.",
		fault.FieldCursor:           "Il cursore non è valido: va preso da next_cursor.",
		fault.FieldCursorGone:       "Ciò che segue questo cursore non è più conservato: rileggere gli elenchi e riprendere da `latest`.",
		fault.FieldWrongPIN:         "Il PIN non è giusto.",
		fault.FieldUnknownRight:     "L'utente non ha questo titolo per il contribuente.",
		fault.FieldNotCanonical:     "Il contenuto non si può scrivere in forma canonica.",
		fault.FieldUnknownType:      "Il tipo di dichiarazione non esiste.",
		fault.FieldUnknownStep:      "Il tipo di dichiarazione non prevede questo passo.",
		fault.FieldNotApplicable:    "Il campo non si applica a questo caso.",
		fault.FieldNotAtPlace:       "Il servizio qui non esiste: i servizi degli enti pubblici sono solo loro.",
		fault.FieldWiderThanOwn: "Nessuno attribuisce più servizi di quelli del proprio ruolo: occorre indicare i " +
			"servizi compresi.",
		fault.FieldUnknownPosition: "Il contribuente non ha questa posizione.",
		fault.FieldPositionCeased:  "La posizione è cessata.",
		fault.FieldDiffers:         "È diverso da quanto prenotato.",
		fault.FieldAfterTerm:       "È oltre il termine della prenotazione.",
		fault.FieldOverReserved:    "È più di quanto prenotato.",
		fault.FieldURIFragment:     "L'indirizzo non può avere un frammento (#).",
		fault.FieldURIInsecure:     "Occorre https; http va solo a 127.0.0.1 o [::1].",
		fault.FieldURILocalhost:    "Il nome localhost può portare altrove: indicare 127.0.0.1 o [::1].",
		fault.FieldURIPrivate:      "L'indirizzo non porta a un host di Internet pubblica.",
		fault.FieldURIQuery:        "L'indirizzo non può avere una query (?): i programmi la perdono. Usare state.",
		fault.FieldURIScheme:       "Lo schema non è ammesso: https o, per un'applicazione public, uno come it.esempio.app.",
		fault.FieldURIUserinfo:     "L'indirizzo non può contenere nome utente o password.",
		fault.FieldURIWildcard:     "Gli indirizzi si confrontano per intero: nessun asterisco, ma ogni indirizzo per sé.",
		fault.FieldKeyAlgorithm:    "La chiave non è tra quelle ammesse: EC con P-256 (ES256) oppure RSA (RS256).",
		fault.FieldKeyID:           "La chiave deve avere un kid, da 1 a 100 caratteri ASCII.",
		fault.FieldKeyPrivate: "La chiave contiene la parte privata, che non va mai inviata: crearne una nuova e inviare la parte " +
			"pubblica.",
		fault.FieldKeyUse:             "La chiave non serve a firmare: use deve essere sig.",
		fault.FieldKeyWeak:            "La chiave è troppo debole: RSA con almeno 2048 bit.",
		fault.FieldUnknownDeclaration: "La dichiarazione non esiste per questo contribuente.",
		fault.FieldUnknownOffice:      "La sede non esiste.",
		fault.FieldOfficeNotCompetent: "La sede non è competente per questo contribuente: va indicata quella di una sua " +
			"posizione, o nessuna.",
		fault.FieldBackwards:          "L'orologio si sposta solo in avanti.",
		fault.FieldTooFar:             "È troppo avanti nel tempo.",
		fault.FieldOnlyOperators:      "Solo chi lavora in una sede ne ha una.",
		fault.FieldContributorDiffers: "La posizione è di un altro contribuente: non passa mai dall'uno all'altro.",
		fault.FieldNotAPublicBody:     "La posizione non è di un'amministrazione pubblica.",
		fault.FieldKindDiffers:        "Un professionista figura come organizzazione, o viceversa.",
		fault.FieldColumns:            "La riga non ha tante colonne quante l'intestazione.",
		fault.FieldEmpty:              "Il file non contiene righe.",
		fault.FieldFileMissing:        "Il file non c'è più: va inviato di nuovo.",
		fault.FieldUnknownContributor: "Il contribuente non esiste.",
		fault.FieldUnknownForForm:     "Con questo codice fiscale non c'è un contribuente per il quale si usi il modulo.",
		fault.FieldNoVerifiedContact:  "Per questo canale non c'è un recapito verificato.",
		fault.FieldNotRegistered:      "Nessuno è registrato con questo codice fiscale.",
		fault.FieldUnknownDelivery:    "Nessun invio con questo identificativo era per il webhook.",
		fault.FieldBeforeLog:          "Il registro degli invii non arriva così indietro: 30 giorni.",
		fault.FieldUnknownDelegate:    "L'intermediario non esiste, o chi opera non vi ha un ruolo.",
		fault.FieldUnknownService:     "Il servizio non esiste.",
		fault.FieldUnknownSignatory:   "La persona non può firmare per questo contribuente.",
		fault.FieldNotDeclared:        "Occorre dichiarare che il delegante ha firmato il modulo.",
		fault.FieldPast:               "L'istante è passato.",
		fault.FieldCSVHeader: "La prima riga non nomina le colonne previste, ciascuna una volta, con quelle obbligatorie: " +
			"vanno scritte come nella documentazione, separate da ; , o tabulazione.",
		fault.FieldCSVSyntax: "Il file non è CSV corretto in UTF-8.",
		fault.FieldEncoding: "Il file non è in UTF-8: va salvato come \"CSV UTF-8\", oppure inviato con la sua codifica, " +
			"ad esempio Content-Type: text/csv; charset=windows-1252.",
		fault.FieldGarbled: "Le lettere accentate sono guaste (NICCOLÃ’ per NICCOLÒ): il file è stato aperto o salvato prima con la " +
			"codifica sbagliata. Va esportato di nuovo dall'origine, in UTF-8.",
		fault.FieldNoText: "Il file è una cartella di lavoro (XLSX, XLS, ODS), un archivio o una pagina, non un testo: nel foglio di " +
			"calcolo va salvato come \"CSV UTF-8\".",
		fault.FieldTitleRows: "Sopra l'intestazione ci sono altre righe: vanno tolte, perché i nomi delle colonne siano la prima riga.",
		fault.FieldLeadingZeros: "Al numero mancano cifre: di solito un foglio di calcolo ha tolto gli zeri iniziali. La colonna va " +
			"formattata come testo prima di esportarla.",
		fault.FieldUnknownDelegation:    "L'intermediario non ha questa delega, o non è attiva.",
		fault.FieldNotDelegated:         "Nessuna delle deleghe indicate comprende il servizio.",
		fault.FieldTooManyOpen:          "Ce ne sono già quante possono essere aperte insieme.",
		fault.FieldAfterDelegation:      "Una delle deleghe indicate termina prima: la subdelega non dura più della delega.",
		fault.FieldUnknownPerson:        "Con questo codice fiscale non risulta registrato nessuno a cui si possa attribuire.",
		fault.FieldIdentityNotConfirmed: "La persona non ha ancora confermato la propria identità digitale.",
		fault.FieldSchema:               "Lo schema non si può compilare.",
		fault.FieldTooCostly:            "Verificare un contenuto costerebbe troppo: occorre uno schema più semplice.",
		fault.FieldUnknownKeyword:       "La parola chiave non è ammessa negli schemi dei contenuti.",
		fault.FieldLeadsNowhere:         "Il riferimento non porta a un campo del contenuto del genere richiesto.",
		fault.FieldLeadsBack:            "Il riferimento riporta a sé stesso.",
		fault.FieldNotNeeded:            "Il campo indicato deve essere obbligatorio in questo passo.",
		fault.FieldNotAfter:             "La fine deve venire dopo l'inizio, e dentro il periodo del tipo.",
		fault.FieldStepOrder:            "I passi sono uno solo, single, oppure reservation e confirmation.",
		fault.FieldVersionNotNext:       "Non è la versione che segue l'ultima pubblicata.",
		fault.FieldUnknownFund:          "Il fondo, o quello di una delle regioni, non esiste.",
	},
}
