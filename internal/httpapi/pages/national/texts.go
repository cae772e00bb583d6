package national

import (
	"strconv"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/federation"
)

// Reason says to a person why a login with a national identity did not succeed, by the national
// number or the reason where there is one.
func Reason(lang problem.Language, refusal *federation.Refusal) string {
	if text := texts[lang]["number."+strconv.Itoa(refusal.Number)]; text != "" {
		return text
	}
	if text := problem.ReasonText(lang, refusal.Reason); text != "" {
		return text
	}
	if text := texts[lang]["outcome."+string(refusal.Outcome)]; text != "" {
		return text
	}
	return texts[lang]["outcome.other"]
}

// texts are what the pages say, by language and name.
var texts = [...]map[string]string{problem.Italian: inItalian, problem.English: inEnglish}

var inItalian = map[string]string{
	"skip":     "Vai al contenuto",
	"language": "English",
	"privacy":  "Privacy",

	"leave.title":  "Accesso con identità digitale",
	"leave.text":   "Il pulsante porta al gestore della tua identità digitale. Fatto l'accesso, torni dove hai iniziato.",
	"leave.button": "Prosegui",

	"logout.title": "Uscita",
	"logout.text":  "Hai chiesto di uscire. Il pulsante riporta al gestore della tua identità digitale, che conclude.",

	"unknown.title": "Questo accesso non è più valido",
	"unknown.text": "È già stato concluso, è durato più di 15 minuti oppure la pagina è stata aperta due volte. Non è successo altro: " +
		"torna all'applicazione da cui sei partito e ripeti l'accesso.",
	"failed.title": "Accesso non riuscito",
	"back":         "Vai ai servizi",

	"number.19": "Hai inserito più volte credenziali errate. Verificale o recuperale presso il tuo gestore, poi riprova.",
	"number.20": "Questo servizio chiede un livello più alto di quello delle tue credenziali. Attivalo presso il tuo gestore.",
	"number.21": "Il tempo per l'accesso è scaduto. Riprova.",
	"number.22": "Non hai acconsentito all'invio dei dati: senza non possiamo farti entrare.",
	"number.23": "La tua identità digitale risulta sospesa o bloccata. Rivolgiti al tuo gestore.",
	"number.25": "Hai annullato l'accesso. Puoi riprovare quando vuoi.",
	"number.30": "Questo servizio chiede un altro tipo di identità digitale: usa quella personale.",

	"outcome.access_denied":           "Accesso non riuscito. Riprova o scegli un altro gestore.",
	"outcome.temporarily_unavailable": "Il gestore ora non è raggiungibile. Riprova più tardi o scegline un altro.",
	"outcome.invalid_answer":          "La risposta del gestore non è valida: l'accesso non è stato concesso. Riprova o scegline un altro.",
	"outcome.other":                   "Accesso non riuscito. Riprova.",
}

var inEnglish = map[string]string{
	"skip":     "Skip to content",
	"language": "Italiano",
	"privacy":  "Privacy",

	"leave.title":  "Log in with a digital identity",
	"leave.text":   "The button leads to the provider of your digital identity. Once you have logged in you come back to where you began.",
	"leave.button": "Go on",

	"logout.title": "Log out",
	"logout.text":  "You asked to log out. The button leads back to the provider of your digital identity, which finishes it.",

	"unknown.title": "This login is over",
	"unknown.text": "It was finished already, took longer than 15 minutes, or the page was opened twice. Nothing else happened: go back " +
		"to the application where you began, and log in again.",
	"failed.title": "The login did not succeed",
	"back":         "Go to the services",

	"number.19": "You entered wrong credentials several times. Check or recover them with your provider, then try again.",
	"number.20": "This service asks for a higher level than your credentials have. Your provider can activate it.",
	"number.21": "The login took too long. Try again.",
	"number.22": "You did not agree to send your data: without them we cannot let you in.",
	"number.23": "Your digital identity is suspended or blocked. Turn to your provider.",
	"number.25": "You broke the login off. You can try again whenever you like.",
	"number.30": "This service asks for another kind of digital identity: use your personal one.",

	"outcome.access_denied":           "The login did not succeed. Try again, or choose another provider.",
	"outcome.temporarily_unavailable": "The provider cannot be reached now. Try again later, or choose another one.",
	"outcome.invalid_answer":          "The provider's answer is not valid, so nobody was let in. Try again, or choose another provider.",
	"outcome.other":                   "The login did not succeed. Try again.",
}
