package identityprovider

import "diresco/internal/httpapi/problem"

// texts are what the pages say, by language and name.
var texts = [...]map[string]string{problem.Italian: inItalian, problem.English: inEnglish}

var inItalian = map[string]string{
	"skip":  "Vai al contenuto",
	"brand": "Gestore di identità di prova",
	"other": "English",
	"trial": "Questo gestore esiste solo nella sandbox: le persone sono inventate e non serve alcuna password.",

	"choose.title":              "Accesso di prova",
	"choose.lead":               "Accesso con",
	"choose.asked":              "Il servizio chiede il livello",
	"choose.person":             "Chi accede",
	"choose.level":              "Livello raggiunto",
	"choose.outcome":            "Che cosa succede",
	"choose.button":             "Prosegui",
	"level.1":                   "Livello 1: nome utente e password",
	"level.2":                   "Livello 2: con un codice temporaneo o un'app",
	"level.3":                   "Livello 3: con una smart card o un dispositivo certificato",
	"wrong.title":               "Qualcosa non va",
	"wrong.person":              "Questa persona non c'è.",
	"wrong.choice":              "Questo livello o questo esito non c'è.",
	"outcome.granted":           "L'accesso riesce",
	"outcome.refused":           "L'utente nega il consenso all'invio dei dati (errore 22)",
	"outcome.cancelled":         "L'utente annulla l'accesso (errore 25)",
	"outcome.timed-out":         "Il tempo per l'accesso scade (errore 21)",
	"outcome.level-too-low":     "Le credenziali non raggiungono il livello chiesto (errore 20)",
	"outcome.blocked":           "L'identità è sospesa o le credenziali sono bloccate (errore 23)",
	"outcome.wrong-credentials": "Credenziali sbagliate troppe volte (errore 19)",
	"outcome.down":              "Il gestore smette di rispondere",

	"leave.granted.title":  "Dati inviati al servizio",
	"leave.granted.text":   "Il gestore invia al servizio questi dati, e nessun altro:",
	"leave.granted.button": "Acconsento",
	"leave.failed.title":   "Accesso non riuscito",
	"leave.failed.text":    "Il gestore comunica al servizio che l'accesso non è riuscito, con questo numero:",
	"leave.failed.button":  "Torna al servizio",

	"over.title":    "Questa richiesta è conclusa",
	"over.text":     "Ha già avuto risposta, o sono passati più di 15 minuti. Tornare al servizio e ricominciare.",
	"invalid.title": "Questa richiesta non è valida",
	"invalid.text":  "Il servizio ha mandato una richiesta che il gestore non accetta:",
	"down.title":    "Il gestore non risponde",
	"down.text":     "È ciò che è stato scelto: da qui non si torna al servizio. Tornarvi e ricominciare.",
}

var inEnglish = map[string]string{
	"skip":  "Skip to content",
	"brand": "Trial identity provider",
	"other": "Italiano",
	"trial": "This provider exists in the sandbox alone: its people are invented, and no password is needed.",

	"choose.title":              "Trial login",
	"choose.lead":               "Login with",
	"choose.asked":              "The service asks for level",
	"choose.person":             "Who logs in",
	"choose.level":              "Level reached",
	"choose.outcome":            "What happens",
	"choose.button":             "Go on",
	"level.1":                   "Level 1: user name and password",
	"level.2":                   "Level 2: with a one-time code or an app",
	"level.3":                   "Level 3: with a smart card or a certified device",
	"wrong.title":               "Something is wrong",
	"wrong.person":              "There is no such person.",
	"wrong.choice":              "There is no such level or outcome.",
	"outcome.granted":           "The login succeeds",
	"outcome.refused":           "The user does not agree to send the data (error 22)",
	"outcome.cancelled":         "The user breaks the login off (error 25)",
	"outcome.timed-out":         "The login takes too long (error 21)",
	"outcome.level-too-low":     "The credentials do not reach the level asked for (error 20)",
	"outcome.blocked":           "The identity is suspended or the credentials are blocked (error 23)",
	"outcome.wrong-credentials": "Wrong credentials too often (error 19)",
	"outcome.down":              "The provider stops answering",

	"leave.granted.title":  "Data sent to the service",
	"leave.granted.text":   "The provider sends these data to the service, and no others:",
	"leave.granted.button": "I agree",
	"leave.failed.title":   "The login did not succeed",
	"leave.failed.text":    "The provider tells the service that the login did not succeed, by this number:",
	"leave.failed.button":  "Back to the service",

	"over.title":    "This request is over",
	"over.text":     "It was answered already, or more than 15 minutes have gone by. Go back to the service and begin anew.",
	"invalid.title": "This request is not valid",
	"invalid.text":  "The service sent a request that the provider does not take:",
	"down.title":    "The provider is out of order",
	"down.text":     "That is what was chosen: no way leads back to the service from here. Go there and begin anew.",
}
