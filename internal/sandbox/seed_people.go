package sandbox

import (
	"time"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/taxcode"
)

// seedPeople are the people of a new sandbox, in the order in which they are listed.
var seedPeople = []seedPerson{
	{
		key:   "rep-rome",
		birth: taxcode.Birth{FamilyName: "Bianchi", GivenName: "Marco", Sex: taxcode.Male, Date: day(1971, time.March, 14), Place: "H501"},
		class: access.Citizen, pin: "P4A76737",
		contacts: append(reach("marco.bianchi", "+393331100001"), person.NewContact{
			Kind: person.PEC, Value: "officine.tiberine@pec.example",
		}),
		description: "Legal representative (rappresentante legale) of a company with two positions at the office of Rome",
		role:        access.LegalRepresentative, at: tiberine,
	},
	{
		key:   "rep-milan",
		birth: giulia,
		class: access.Citizen, pin: "RR59FTXE", contacts: reach("giulia.colombo", "+393331100002"),
		description: "Legal representative (rappresentante legale) of another company, at the office of Milan",
		role:        access.LegalRepresentative, at: ambrosiana,
	},
	{
		key:   "consulente",
		birth: andrea,
		class: access.InstitutionalIntermediary, pin: "PVVZ9J84",
		contacts:    append(reach("andrea.ricci", "+393331100003"), person.NewContact{Kind: person.PEC, Value: "studio.ricci@pec.example"}),
		description: "Consulente del lavoro (labour consultant); iscritto: consulenti del lavoro",
	},
	{
		key:   "consulente-employee",
		birth: sara,
		class: access.Citizen, pin: "6XG72BM3", contacts: reach("sara.galli", "+393331100004"),
		description: "Employee (dipendente) of the consulente del lavoro Andrea Ricci, at the firm (studio associato), which is " +
			"nobody's delegate",
	},
	{
		key:   "caf-worker",
		birth: luca,
		class: access.InstitutionalIntermediary, pin: "W6X7NR3N", contacts: reach("luca.conti", "+393331100005"),
		description: "CAF worker (operatore di un CAF imprese), which has a delegation of the company at the office of Milan",
	},
	{
		key: "fresh-pin",
		birth: taxcode.Birth{
			FamilyName: "Marino", GivenName: "Elena", Sex: taxcode.Female, Date: day(1998, time.February, 17), Place: "F839",
		},
		class: access.Citizen, pin: "MH4Z5A2QSSQVNRA8", fresh: true, contacts: reach("elena.marino", "+393331100006")[:1],
		description: "Citizen (cittadina) with a PIN of 16 characters that was never used",
	},
	{
		key:   "public-body-delegate",
		birth: taxcode.Birth{FamilyName: "Ferrari", GivenName: "Paolo", Sex: taxcode.Male, Date: day(1977, time.June, 21), Place: "D612"},
		class: access.Citizen, pin: "T44TA948", contacts: reach("paolo.ferrari", "+393331100007"),
		description: "Employee delegate (dipendente delegato) of a public body, for declarations, the dossier and the services of " +
			"public bodies, at the office of Florence",
		role: access.EmployeeDelegate, at: comune, services: append(access.ServiceSet{access.Declarations, access.Dossier},
			access.PublicBodyServices()...),
	},
	{
		key:   "ordinary-pin",
		birth: gennaro,
		class: access.Citizen, ordinary: true, pin: "5AQT598W", contacts: reach("gennaro.esposito", "+393331100008"),
		description: "Self-employed, with an ordinary PIN (PIN ordinario): what this person files waits; at the office of Naples",
		role:        access.LegalRepresentative, at: laboratorio,
	},
	{
		key:   "household",
		birth: margherita,
		class: access.Citizen, pin: "GKUJNQXR", contacts: reach("margherita.ferrero", "+393331100009"),
		description: "Household employer (datore di lavoro domestico) at the office of Turin",
		role:        access.Employer, at: casa,
	},
	{
		key: "operator-rome",
		birth: taxcode.Birth{
			FamilyName: "Greco", GivenName: "Francesca", Sex: taxcode.Female, Date: day(1983, time.April, 12), Place: "H501",
		},
		class: access.Operator, office: "7000", pin: "CUX84DFG", contacts: reach("francesca.greco", "+393331100010"),
		description: "Operator (operatore di sede) of the office of Rome",
	},
	{
		key: "operator-milan",
		birth: taxcode.Birth{
			FamilyName: "Lombardi", GivenName: "Davide", Sex: taxcode.Male, Date: day(1979, time.December, 5), Place: "F205",
		},
		class: access.Operator, office: "4900", pin: "KRSG23D5", contacts: reach("davide.lombardi", "+393331100011"),
		description: "Operator (operatore di sede) of the office of Milan",
	},
	{
		key: "contact-centre",
		birth: taxcode.Birth{
			FamilyName: "Moretti", GivenName: "Chiara", Sex: taxcode.Female, Date: day(1990, time.August, 27), Place: "L219",
		},
		class: access.ContactCentre, pin: "HKYHTWDZ", contacts: reach("chiara.moretti", "+393331100012"),
		description: "Contact-centre operator (operatrice del contact center)",
	},
	{
		key: "administrator",
		birth: taxcode.Birth{
			FamilyName: "Fontana", GivenName: "Roberto", Sex: taxcode.Male, Date: day(1966, time.September, 9), Place: "L781",
		},
		class: access.Administrator, pin: "WMEHQS4A", contacts: reach("roberto.fontana", "+393331100013"),
		description: "Administrator (amministratore utenze)",
	},
	{
		key:   "administrator-2",
		birth: taxcode.Birth{FamilyName: "Sala", GivenName: "Marta", Sex: taxcode.Female, Date: day(1973, time.April, 17), Place: "F205"},
		class: access.Administrator, pin: "Y7CQK4RH", contacts: reach("marta.sala", "+393331100019"),
		description: "Another administrator (amministratrice utenze), who confirms whom the first one makes an administrator",
	},
	{
		key:   "operator-naples",
		birth: taxcode.Birth{FamilyName: "De Luca", GivenName: "Teresa", Sex: taxcode.Female, Date: day(1987, time.May, 19), Place: "F839"},
		class: access.Operator, office: "5100", pin: "N7TQ4KWD", contacts: reach("teresa.deluca", "+393331100014"),
		description: "Operator (operatore di sede) of the office of Naples, who decides about the ordinary PIN of Gennaro Esposito",
	},
	{
		key: "public-body-user",
		birth: taxcode.Birth{
			FamilyName: "Bruni", GivenName: "Silvia", Sex: taxcode.Female, Date: day(1976, time.February, 11), Place: "D612",
		},
		class: access.Citizen, pin: "V6KXR3TB", contacts: reach("silvia.bruni", "+393331100015"),
		description: "Employee delegate (dipendente delegata) of a public body who was enabled on 31 March 2023, and needs no form " +
			"RA012; at the office of Florence",
		role: access.EmployeeDelegate, at: valdarno, services: access.PublicBodyServices(),
	},
	{
		key:   "operator-florence",
		birth: taxcode.Birth{FamilyName: "Martini", GivenName: "Giorgio", Sex: taxcode.Male, Date: day(1981, time.June, 3), Place: "D612"},
		class: access.Operator, office: "3000", pin: "Q8MZP4HW", contacts: reach("giorgio.martini", "+393331100016"),
		description: "Operator (operatore di sede) of the office of Florence, who decides about access to the public bodies there",
	},
	{
		key:   "caf-representative",
		birth: antonio,
		class: access.InstitutionalIntermediary, pin: "T6QWK9ZB", contacts: reach("antonio.caruso", "+393331100017"),
		description: "Representative of the CAF (rappresentante legale del CAF imprese) of Luca Conti, who gives and withdraws the roles " +
			"there (gestione utenti)",
	},
	{
		key: "rep-public-body",
		birth: taxcode.Birth{
			FamilyName: "Landi", GivenName: "Beatrice", Sex: taxcode.Female, Date: day(1969, time.October, 22), Place: "D612",
		},
		class: access.Citizen, pin: "H3VNXC7D", contacts: reach("beatrice.landi", "+393331100018"),
		description: "Legal representative (rappresentante legale) of the public body at the office of Florence where Paolo Ferrari works",
		role:        access.LegalRepresentative, at: comune,
	},
}
