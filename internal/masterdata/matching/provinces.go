package matching

import (
	"slices"
	"strings"
)

// provinces are the names of the provinces by their code, the former ones too.
var provinces = map[string][]string{
	"AG": {"Agrigento"}, "AL": {"Alessandria"}, "AN": {"Ancona"}, "AO": {"Aosta", "Valle d'Aosta"}, "AP": {"Ascoli Piceno"},
	"AQ": {"L'Aquila"}, "AR": {"Arezzo"}, "AT": {"Asti"}, "AV": {"Avellino"}, "BA": {"Bari"}, "BG": {"Bergamo"}, "BI": {"Biella"},
	"BL": {"Belluno"}, "BN": {"Benevento"}, "BO": {"Bologna"}, "BR": {"Brindisi"}, "BS": {"Brescia"},
	"BT": {"Barletta Andria Trani", "BAT"},
	"BZ": {"Bolzano", "Bozen", "Alto Adige", "Südtirol"}, "CA": {"Cagliari"}, "CB": {"Campobasso"}, "CE": {"Caserta"}, "CH": {"Chieti"},
	"CI": {"Carbonia Iglesias"}, "CL": {"Caltanissetta"}, "CN": {"Cuneo"}, "CO": {"Como"}, "CR": {"Cremona"}, "CS": {"Cosenza"},
	"CT": {"Catania"}, "CZ": {"Catanzaro"}, "EN": {"Enna"}, "FC": {"Forlì Cesena", "Forlì"}, "FE": {"Ferrara"}, "FG": {"Foggia"},
	"FI": {"Firenze"}, "FM": {"Fermo"}, "FR": {"Frosinone"}, "GE": {"Genova"}, "GO": {"Gorizia"}, "GR": {"Grosseto"}, "IM": {"Imperia"},
	"IS": {"Isernia"}, "KR": {"Crotone"}, "LC": {"Lecco"}, "LE": {"Lecce"}, "LI": {"Livorno"}, "LO": {"Lodi"}, "LT": {"Latina"},
	"LU": {"Lucca"}, "MB": {"Monza e della Brianza", "Monza"}, "MC": {"Macerata"}, "ME": {"Messina"}, "MI": {"Milano"}, "MN": {"Mantova"},
	"MO": {"Modena"}, "MS": {"Massa Carrara", "Massa"}, "MT": {"Matera"}, "NA": {"Napoli"}, "NO": {"Novara"}, "NU": {"Nuoro"},
	"OG": {"Ogliastra"}, "OR": {"Oristano"}, "OT": {"Olbia Tempio", "Gallura"}, "PA": {"Palermo"}, "PC": {"Piacenza"}, "PD": {"Padova"},
	"PE": {"Pescara"}, "PG": {"Perugia"}, "PI": {"Pisa"}, "PN": {"Pordenone"}, "PO": {"Prato"}, "PR": {"Parma"}, "PT": {"Pistoia"},
	"PU": {"Pesaro e Urbino", "Pesaro"}, "PV": {"Pavia"}, "PZ": {"Potenza"}, "RA": {"Ravenna"}, "RC": {"Reggio Calabria"},
	"RE": {"Reggio Emilia"}, "RG": {"Ragusa"}, "RI": {"Rieti"}, "RM": {"Roma", "Roma Capitale"}, "RN": {"Rimini"}, "RO": {"Rovigo"},
	"SA": {"Salerno"}, "SI": {"Siena"}, "SO": {"Sondrio"}, "SP": {"La Spezia"}, "SR": {"Siracusa"}, "SS": {"Sassari"},
	"SU": {"Sud Sardegna", "Sulcis Iglesiente"}, "SV": {"Savona"}, "TA": {"Taranto"}, "TE": {"Teramo"}, "TN": {"Trento"}, "TO": {"Torino"},
	"TP": {"Trapani"}, "TR": {"Terni"}, "TS": {"Trieste"}, "TV": {"Treviso"}, "UD": {"Udine"}, "VA": {"Varese"},
	"VB": {"Verbano Cusio Ossola", "VCO", "Verbania"}, "VC": {"Vercelli"}, "VE": {"Venezia"}, "VI": {"Vicenza"}, "VR": {"Verona"},
	"VS": {"Medio Campidano"}, "VT": {"Viterbo"}, "VV": {"Vibo Valentia"}, "EE": {"Estero"},
}

// renamed are codes that changed.
var renamed = map[string]string{"FO": "FC", "PS": "PU"}

// provinceNames leads from the name of a province, its words together, to its code.
var provinceNames = namesOfProvinces()

func namesOfProvinces() map[string]string {
	all := map[string]string{}
	for code, names := range provinces {
		for _, name := range names {
			all[together(wordsOf(name))] = code
		}
	}
	return all
}

// together returns words without particles, as one.
func together(words []word) string {
	var b strings.Builder
	for _, w := range words {
		if !w.isParticle() {
			b.WriteString(plain(w.text))
		}
	}
	return b.String()
}

// titles are what a province is called.
var titles = strings.Fields("provincia prov citta metropolitana libero consorzio comunale autonoma")

// provinceOf returns the code of a province that is named or whose code is written, or "".
func provinceOf(words []word) string {
	words = slices.DeleteFunc(slices.Clone(words), func(w word) bool { return slices.Contains(titles, plain(w.text)) })
	if len(words) == 1 {
		code := strings.ToUpper(words[0].text)
		if now, ok := renamed[code]; ok {
			return now
		}
		if provinces[code] != nil {
			return code
		}
	}
	return provinceNames[together(words)]
}

// Provinces reports whether two texts name one province, by its code or its name.
func Provinces(a, b string) bool {
	if code := province(a); code != "" && code == province(b) {
		return true
	}
	return Names(a, b)
}

func province(s string) string {
	if code := provinceOf(wordsOf(s)); code != "" {
		return code
	}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if code := provinceOf(wordsOf(part)); code != "" {
			return code
		}
	}
	return ""
}
