package problem

import "diresco/internal/platform/fault"

// Remedy says what to do about a kind of problem.
func Remedy(lang Language, code fault.Code) string {
	if lang == English {
		return remediesInEnglish[code]
	}
	return remediesInItalian[code]
}

var remediesInEnglish = map[fault.Code]string{
	fault.Malformed: "Correct the places that the errors member names, and send the request again.",
	fault.InvalidCredentials: "Check tax code and PIN and log in again. Who has forgotten the PIN recovers it with two stored contacts. " +
		"After a login with SPID or CIE begin another with startFederatedLogin: its code is good once, for a minute.",
	fault.SessionEnded: "Log in again with startSession, and repeat the request with the new token.",
	fault.Unauthenticated: "Renew the token with the refresh token (renewSession), or log in, and send Authorization: Bearer " +
		"with the new one.",
	fault.PINChangeRequired: "Get a new PIN with rotatePin and confirm it with confirmPinRotation; the session that comes back " +
		"may do everything.",
	fault.PINExpired:           "Recover the PIN with startPinRecovery, or revoke it and ask for a new one with requestPin.",
	fault.Reauthenticate:       "Enter the PIN again with reauthenticate, and repeat the request within five minutes.",
	fault.StrongLogin:          "Log in with SPID, CIE or CNS, or raise the session by one with reauthenticate, and repeat the request.",
	fault.DispositiveRequired:  "Ask for a dispositive PIN with requestPinUpgrade, or at the counter of an office.",
	fault.IdentityNotConfirmed: "Confirm the digital identity once with confirmIdentity, and repeat the request.",
	fault.ServiceNotDelegated:  "Ask the contributor to add the service to your role or delegation; the member allowed names it.",
	fault.Forbidden:            "Use a login that may: the member allowed names the user classes or rights, where it is there.",
	fault.NotFound: "Check the address and the id, and with listContributors that you have a right there. Waiting does " +
		"not help.",
	fault.MethodNotAllowed:     "Use one of the methods in allowed and in the Allow header.",
	fault.NotAcceptable:        "Ask in Accept for one of the media types in allowed, or leave the header out.",
	fault.UnsupportedMediaType: "Send the body in one of the media types in allowed, uncompressed, and say so in Content-Type.",
	fault.Conflict: "Read the resource again and look at its state; the detail says what hinders. Repeating it " +
		"unchanged does not help.",
	fault.RequestInProgress:      "Wait as long as Retry-After says and send the same request with the same key again.",
	fault.OTPExhausted:           "Have a new code sent with sendDelegationOtp.",
	fault.OTPExpired:             "Have a new code sent with sendDelegationOtp.",
	fault.ExclusiveExists:        "Have the contributor revoke the other delegation, or agree on one that is not exclusive.",
	fault.ChannelClosed:          "Follow href to the channel that is open, if it is there; else come back when the service is open.",
	fault.BudgetBelowCommitments: "Read the fund; set a budget of at least what is reserved and spent.",
	fault.PreconditionFailed:     "Read the resource again, apply the change to what it is now, and send it with the new ETag in If-Match.",
	fault.PreconditionRequired:   "Read the resource and send its ETag in If-Match.",
	fault.TooLarge:               "Send less: split a list, make pictures smaller, leave out what the operation does not take.",
	fault.Duplicate:              "Nothing needs to be done: href leads to what was filed. Another one needs a reference of its own.",
	fault.Invalid: "Correct each place that errors names; minimum, maximum, allowed, expected and example say what " +
		"would be right.",
	fault.IdempotencyKeyReused: "Take a new key for each new request, and keep the old one for repeating the old request.",
	fault.CodeInvalid:          "Enter the code again exactly as it came, the last one that was sent; or ask for another.",
	fault.OTPInvalid: "Ask the contributor for the code again, and enter the last one that was sent. tries_left says how " +
		"often you can.",
	fault.DelegateMustBePerson: "Name the registered professional instead of the firm.",
	fault.PINLocked:            "Wait as long as Retry-After says; trying meanwhile has no effect. Who has forgotten the PIN recovers it.",
	fault.RateLimited:          "Wait as long as Retry-After says, and send fewer requests; the RateLimit headers say how many are left.",
	fault.SlotTaken:            "List the slots again with listSlots, and take a free one.",
	fault.Unavailable:          "Try again after Retry-After, with the same Idempotency-Key. /v1/status says when the service is back.",
	fault.Busy:                 "Try again after Retry-After, with the same Idempotency-Key.",
	fault.Internal:             "Try once more with the same Idempotency-Key; if it stays, report the Request-Id.",
}

var remediesInItalian = map[fault.Code]string{
	fault.Malformed: "Correggere i punti indicati in errors e inviare di nuovo la richiesta.",
	fault.InvalidCredentials: "Controllare codice fiscale e PIN e rifare l'accesso. Chi ha dimenticato il PIN lo recupera con " +
		"due recapiti registrati. Dopo un accesso con SPID o CIE se ne inizia un altro con startFederatedLogin: il codice vale una " +
		"volta, per un minuto.",
	fault.SessionEnded: "Rifare l'accesso con startSession e ripetere la richiesta con il nuovo token.",
	fault.Unauthenticated: "Rinnovare il token con il refresh token (renewSession), o rifare l'accesso, e inviare " +
		"Authorization: Bearer con il nuovo.",
	fault.PINChangeRequired: "Ottenere un nuovo PIN con rotatePin e confermarlo con confirmPinRotation: la sessione che ne " +
		"risulta può fare tutto.",
	fault.PINExpired:           "Recuperare il PIN con startPinRecovery, o revocarlo e chiederne uno nuovo con requestPin.",
	fault.Reauthenticate:       "Inserire di nuovo il PIN con reauthenticate e ripetere la richiesta entro cinque minuti.",
	fault.StrongLogin:          "Accedere con SPID, CIE o CNS, o elevare la sessione con reauthenticate, e ripetere la richiesta.",
	fault.DispositiveRequired:  "Chiedere il PIN dispositivo con requestPinUpgrade, o allo sportello di una sede.",
	fault.IdentityNotConfirmed: "Confermare una volta la propria identità digitale con confirmIdentity e ripetere la richiesta.",
	fault.ServiceNotDelegated:  "Chiedere al contribuente di aggiungere il servizio al ruolo o alla delega: allowed dice quale.",
	fault.Forbidden:            "Usare un accesso che può farlo: allowed, dove c'è, indica i profili o i titoli.",
	fault.NotFound: "Controllare l'indirizzo e l'identificativo, e con listContributors di avere un titolo. Attendere " +
		"non serve.",
	fault.MethodNotAllowed:     "Usare uno dei metodi indicati in allowed e nell'intestazione Allow.",
	fault.NotAcceptable:        "Chiedere in Accept una delle forme indicate in allowed, o omettere l'intestazione.",
	fault.UnsupportedMediaType: "Inviare il corpo in una delle forme indicate in allowed, non compresso, e dichiararla in Content-Type.",
	fault.Conflict: "Leggere di nuovo la risorsa e il suo stato: detail dice che cosa lo impedisce. Ripetere senza " +
		"cambiare non serve.",
	fault.RequestInProgress:      "Attendere quanto indica Retry-After e inviare di nuovo la stessa richiesta con la stessa chiave.",
	fault.OTPExhausted:           "Far inviare un nuovo codice con sendDelegationOtp.",
	fault.OTPExpired:             "Far inviare un nuovo codice con sendDelegationOtp.",
	fault.ExclusiveExists:        "Far revocare al contribuente l'altra delega, o concordarne una non esclusiva.",
	fault.ChannelClosed:          "Seguire href verso il canale aperto, se c'è; altrimenti tornare quando il servizio è aperto.",
	fault.BudgetBelowCommitments: "Leggere il fondo; impostare almeno quanto è prenotato e speso.",
	fault.PreconditionFailed:     "Leggere di nuovo la risorsa, riportarvi la modifica e inviarla con il nuovo ETag in If-Match.",
	fault.PreconditionRequired:   "Leggere la risorsa e inviarne l'ETag in If-Match.",
	fault.TooLarge:               "Inviare di meno: dividere un elenco, ridurre le immagini, togliere ciò che l'operazione non prevede.",
	fault.Duplicate:              "Non occorre fare nulla: href porta a quanto presentato. Un'altra richiede un riferimento nuovo.",
	fault.Invalid: "Correggere ogni punto indicato in errors: minimum, maximum, allowed, expected ed example dicono " +
		"che cosa andrebbe bene.",
	fault.IdempotencyKeyReused: "Usare una chiave nuova per ogni nuova richiesta, e quella vecchia solo per ripetere la vecchia.",
	fault.CodeInvalid:          "Inserire di nuovo il codice così com'è arrivato, l'ultimo inviato; o chiederne un altro.",
	fault.OTPInvalid: "Chiedere di nuovo il codice al contribuente e inserire l'ultimo inviato. tries_left dice quanti " +
		"tentativi restano.",
	fault.DelegateMustBePerson: "Indicare il professionista iscritto, non lo studio.",
	fault.PINLocked: "Attendere quanto indica Retry-After: provare intanto non ha effetto. Chi ha dimenticato il PIN lo " +
		"recupera.",
	fault.RateLimited: "Attendere quanto indica Retry-After e inviare meno richieste: le intestazioni RateLimit dicono " +
		"quante ne restano.",
	fault.SlotTaken:   "Rileggere gli orari con listSlots e sceglierne uno libero.",
	fault.Unavailable: "Riprovare dopo Retry-After, con la stessa Idempotency-Key. /v1/status dice quando il servizio torna.",
	fault.Busy:        "Riprovare dopo Retry-After, con la stessa Idempotency-Key.",
	fault.Internal:    "Riprovare una volta con la stessa Idempotency-Key; se resta, segnalare il Request-Id.",
}
