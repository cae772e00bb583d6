package timeline

// words say in Italian what happened, as it stands in an export.
var words = map[Happening]string{
	DeclarationSubmitted:           "Dichiarazione presentata",
	DeclarationAwaitingCredentials: "Dichiarazione presentata, in attesa di PIN dispositivo",
	DeclarationInCharge:            "Dichiarazione presa in carico",
	DeclarationDecided:             "Dichiarazione definita",
	DeclarationWithdrawn:           "Dichiarazione ritirata",
	DeclarationSuperseded:          "Dichiarazione sostituita",
	DeclarationLapsed:              "Dichiarazione decaduta",
	TicketOpened:                   "Quesito aperto",
	TicketInCharge:                 "Quesito preso in carico",
	TicketRouted:                   "Quesito smistato",
	TicketCommented:                "Commento al quesito",
	TicketReminded:                 "Sollecito del quesito",
	TicketClosed:                   "Quesito chiuso",
	TicketReopened:                 "Quesito riaperto",
	AppointmentBooked:              "Appuntamento prenotato",
	AppointmentConfirmed:           "Appuntamento confermato",
	AppointmentMoved:               "Appuntamento spostato",
	AppointmentCancelled:           "Appuntamento annullato",
	AppointmentExpired:             "Prenotazione di appuntamento scaduta",
	AppointmentWithdrawn:           "Appuntamento annullato dalla sede",
	DMASubmitted:                   "DMA presentata",
	DMAAwaitingCredentials:         "DMA presentata, in attesa di PIN dispositivo",
	DMASuperseded:                  "DMA sostituita",
	DMALapsed:                      "DMA decaduta",
	DelegationActivated:            "Delega attivata",
	DelegationEnded:                "Delega cessata",
	EnrolmentSubmitted:             "Richiesta di abilitazione presentata",
	EnrolmentAwaitingCredentials:   "Richiesta di abilitazione presentata, in attesa di PIN dispositivo",
	EnrolmentDecided:               "Richiesta di abilitazione definita",
	EnrolmentLapsed:                "Richiesta di abilitazione decaduta",
	RoleGranted:                    "Ruolo assegnato",
	RoleWithdrawn:                  "Ruolo revocato",
}

// states say in Italian into which state something came.
var states = map[string]string{
	"submitted": "presentata", "awaiting_credentials": "in attesa", "in_charge": "in carico", "accepted": "accolta",
	"provisionally_not_accepted": "provvisoriamente non accolta", "not_accepted": "non accolta", "confirmed": "confermata",
	"lapsed": "decaduta", "withdrawn": "ritirata", "superseded": "sostituita", "open": "aperta", "closed": "chiusa", "active": "attiva",
	"revoked": "revocata", "expired": "scaduta",
}

// told is what is told in Italian of an entry.
func (e Entry) told() string {
	// What became of an appointment is in the words themselves.
	if state := states[e.State]; state != "" && e.Kind != Appointment {
		return words[e.Happened] + " (" + state + ")"
	}
	return words[e.Happened]
}

// told says in Italian who did something.
func (a Author) told() string {
	switch {
	case a.AtOffice:
		return "Sede " + a.Office
	case a.PersonID != nil:
		return a.GivenName + " " + a.FamilyName
	}
	return "Sistema"
}
