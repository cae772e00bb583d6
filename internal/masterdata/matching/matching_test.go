package matching_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"diresco/internal/masterdata/matching"
)

// pairs are what a register holds and what somebody types, with the answer; a blank answer is no.
type pairs map[[2]string]bool

func (p pairs) check(t *testing.T, compare func(a, b string) bool) {
	t.Helper()
	for pair, want := range p {
		if got := compare(pair[0], pair[1]); got != want {
			t.Errorf("%q and %q: the same is %v", pair[0], pair[1], got)
		}
		if got := compare(pair[1], pair[0]); got != want {
			t.Errorf("%q and %q: the same is %v", pair[1], pair[0], got)
		}
	}
}

func TestMatching_Names(t *testing.T) {
	pairs{
		// Case, accents and what stands for them.
		{"NICOLO'", "Nicolò"}: true, {"NICOLO'", "Nicolo"}: true, {"NOE`", "Noè"}: true, {"JOSE", "José"}: true, {"Zoe\u0308", "ZOË"}: true,
		{"DALI´", "Dalì"}: true, {"RENEE", "Renée"}: true,
		// Spaces, apostrophes and hyphens.
		{"DE ROSA", "DeRosa"}: true, {"D'AMICO", "Damico"}: true, {"D'AMICO", "D Amico"}: true, {"D' AMICO", "d’amico"}: true,
		{"DELL'ORTO", "Dell Orto"}: true, {"DELL'ORTO", "dellorto"}: true, {"GIAN PAOLO", "Gianpaolo"}: true,
		{"ANNAMARIA", "Anna Maria"}: true, {"ANNA, MARIA", "Anna-Maria"}: true, {"LO PRESTI", "Lopresti"}: true, {"O'BRIEN", "OBrien"}: true,
		{"VERDI", "Verdi."}: true, {"VERDI", " verdi "}: true, {"VERDI", "Ver\u00addi"}: true, {"VERDI", "ＶＥＲＤＩ"}: true,
		// Letters with signs: without them, or as in a passport.
		{"DOKIC", "Đokić"}: true, {"DJOKIC", "Đokić"}: true, {"LUKASZ", "Łukasz"}: true, {"ISIK", "Işık"}: true, {"ILKER", "İlker"}: true,
		{"GROSS", "Groß"}: true, {"GROSS", "GROẞ"}: true, {"GUENTHER", "Günther"}: true, {"GUNTHER", "Günther"}: true,
		{"GUXXNTHER", "Günther"}: true, {"KÖHLER", "Koehler"}: true, {"JAEGER", "Jäger"}: true, {"SOERENSEN", "Sørensen"}: true,
		{"SORENSEN", "Sørensen"}: true, {"AAGAARD", "Ågård"}: true, {"AGARD", "Ågård"}: true, {"IBANEZ", "Ibáñez"}: true,
		{"IBANXXEZ", "Ibáñez"}: true, {"AEGIR", "Ægir"}: true, {"THORDARDOTTIR", "Þórðardóttir"}: true, {"COEUR", "Cœur"}: true,
		{"NGUYEN", "Nguyễn"}: true, {"STEFANIA", "Ștefania"}: true, {"ALIYEVA", "Əliyeva"}: true, {"ELIYEVA", "Əliyeva"}: true,
		{"MÜLLER", "Mu\u0308ller"}: true, {"ĲSBRAND", "IJsbrand"}: true,
		// What differs in substance.
		{"MUELLER", "Muller"}: false, {"VERDI IN NERI", "Verdi"}: false, {"VERDI", "Verde"}: false, {"MARIA GRAZIA", "Maria"}: false,
		{"MARIA GRAZIA", "Grazia Maria"}: false, {"MARIO", "M."}: false, {"VERDI", ""}: false, {"VERDI", "..."}: false,
		{"D'ANGELO", "Angelo"}: false, {"DE LUCA", "Luca"}: false,
	}.check(t, matching.Names)
}

func TestMatching_Places(t *testing.T) {
	pairs{
		{"ROMA", "Roma (RM)"}: true, {"ROMA", "Roma RM"}: true, {"ROMA", "roma, rm"}: true, {"ROMA", "Roma, Italia"}: true,
		{"ROMA", "Comune di Roma"}: true, {"BRESSANONE", "Bressanone/Brixen"}: true, {"BRESSANONE", "Brixen - Bressanone"}: true,
		{"MERANO/MERAN", "Merano"}: true, {"BRUNICO", "Brunico-Bruneck"}: true, {"FRANCIA", "Francia (Lione)"}: true,
		{"FRANCIA", "Lione (Francia)"}: true, {"FRANCIA", "FRANCIA - Parigi"}: true, {"REGGIO CALABRIA", "Reggio di Calabria"}: true,
		{"REGGIO NELL'EMILIA", "Reggio Emilia"}: true, {"CAVA DE' TIRRENI", "Cava dei Tirreni"}: true,
		{"CAVA DE’ TIRRENI", "Cava de Tirreni"}: true, {"SANT'ANGELO DEI LOMBARDI", "S. Angelo dei Lombardi"}: true,
		{"SANT'ANGELO", "Santangelo"}: true, {"SAN DONA' DI PIAVE", "S.Donà di Piave"}: true, {"SANTA MARIA A MONTE", "S.ta Maria a Monte"}: true,
		{"CANTU'", "Cantù"}: true, {"CANTU'", "CANTU"}: true, {"DESENZANO DEL GARDA", "Desenzano d. Garda"}: false,
		{"ALI'", "Alì (Messina)"}: true, {"L'AQUILA", "Aquila"}: true, {"LA SPEZIA", "La  Spezia (SP)"}: true, {"ROMA", "ROMA."}: true,
		{"ROMA", "Milano"}: false, {"ROMA", "Romano"}: false, {"ROMA", ""}: false, {"REGGIO CALABRIA", "Reggio Emilia"}: false,
		{"SAMONE (TN)", "Samone (TO)"}: false, {"CASTRO (BG)", "Castro (Lecce)"}: false, {"CASTRO (LE)", "Castro (Lecce)"}: true,
		{"SAN GIOVANNI (ROMA)", "Ostia (Roma)"}: false, {"CASTELNUOVO", "Castelnuovo Rangone"}: false, {"ROMA", "(RM)"}: false,
		{"SAN MARCO", "Santa Marco"}: false,
	}.check(t, matching.Places)
}

func TestMatching_ProvincesAndPostalCodes(t *testing.T) {
	pairs{
		{"MI", "Milano"}: true, {"MI", "mi"}: true, {"MI", "(MI)"}: true, {"MI", "Milano (MI)"}: true, {"MI", "prov. di Milano"}: true,
		{"MI", "Città metropolitana di Milano"}: true, {"FC", "Forlì-Cesena"}: true, {"FO", "FC"}: true, {"BZ", "Bolzano/Bozen"}: true,
		{"RE", "Reggio nell'Emilia"}: true, {"RC", "Reggio di Calabria"}: true, {"AQ", "L'Aquila"}: true, {"MB", "Monza e Brianza"}: true,
		{"AO", "Valle d'Aosta"}: true, {"ＭＩ", "MI"}: true,
		{"MI", "MN"}: false, {"MI", "Mantova"}: false, {"MI", ""}: false, {"RE", "Reggio Calabria"}: false, {"SO", "Sondrio e Como"}: false,
	}.check(t, matching.Provinces)
	pairs{
		{"00184", "184"}: true, {"00184", "00 184"}: true, {"00184", "I-00184"}: true, {"00184", "００１８４"}: true, {"20121", "20121."}: true,
		{"50014", "50 014"}: true, {"05014", "50 014"}: false,
		{"00184", "00185"}: false, {"20121", "02012"}: false, {"00184", ""}: false,
	}.check(t, matching.PostalCodes)
}

// TestMatching_SameStreets compares all spellings within a line, and lines with each other.
func TestMatching_SameStreets(t *testing.T) {
	same := [][]string{
		{"VIA SANTA CHIARA 12 A", "Via S. Chiara, 12/A", "Via S.Chiara 12A", "V. S.ta Chiara n. 12 a", "via santachiara 12/a"},
		{"VIA SANT'ANNA 3", "Via S. Anna 3", "Via S.Anna, 3", "Via Sant Anna n° 3", "Via Santanna 003"},
		{"VIA SS. ANNUNZIATA 5", "Via Santissima Annunziata 5", "Via SS.ma Annunziata, 5"},
		{"VIA SANTI PIETRO E PAOLO 7", "Via SS. Pietro e Paolo 7", "Via SS Pietro Paolo 7"},
		{"VIALE EUROPA 9", "V.le Europa 9", "VLE EUROPA N.9", "viale d'Europa 9"},
		{"PIAZZA DEL POPOLO 2", "P.zza Popolo 2", "P.za del Popolo, 2", "piazza popolo civ. 2"},
		{"LARGO ARGENTINA 4", "L.go Argentina 4"},
		{"STRADA DELLE VIGNE 6", "Str. delle Vigne 6", "S.da Vigne 6"},
		{"VICOLO CORTO 8", "V.lo Corto 8", "V.co Corto 8"},
		{
			"VIA MILANO 12", "Via Milano 12, int. 4", "Via Milano 12 sc. B int 4", "Via Milano 12 scala B piano 2 interno 4", "VIA MILANO 012",
			"Via Milano n° civico 12", "Via Milano 12, 2° piano", "Via Milano 12 p. 3", "12, Via Milano", "Via Milano 12 secondo piano",
			"Via Milano 12 piano terra",
		},
		{"VIA TORINO SNC", "Via Torino s.n.c.", "Via Torino", "Via Torino, senza numero", "Via Torino S.N.", "Via Torino n. snc"},
		{"VIA XX SETTEMBRE 1", "Via 20 Settembre 1", "Via Venti Settembre 1", "V. XX Settembre, 1"},
		{"VIA I MAGGIO 5", "Via 1° Maggio 5", "Via Primo Maggio 5", "Via 1 Maggio 5"},
		{"PIAZZA PIO XI 3", "Piazza Pio 11 3", "P.zza Pio Undicesimo 3"},
		{"CORSO UMBERTO I 10/BIS", "C.so Umberto I, 10 bis", "Corso Umberto 1° 10bis"},
		{"VIA FRATELLI BANDIERA 6", "Via F.lli Bandiera 6", "V. Flli Bandiera 6"},
		{"VIA ALESSANDRO VOLTA 8", "Via A. Volta 8", "Via Volta Alessandro 8", "Via Aless. Volta 8", "Via Volta A. 8"},
		{"VIA SILVIO PELLICO 4", "Via S. Pellico 4", "Via Pellico Silvio, 4", "via S Pellico 4"},
		{"VIA SALVATORE DI GIACOMO 2", "Via S. Di Giacomo 2"},
		{"VIA ENRICO FERMI 3", "Via E. Fermi 3", "Via Fermi E. 3"},
		{"VIA ENRICO DE NICOLA 7", "V. E. De Nicola 7"},
		{"VIA GENERALE CANTORE 1", "Via Gen. Cantore 1", "Via gen Cantore 1"},
		{"STRADA STATALE 9 KM 12", "SS9 km 12", "S.S. 9 km. 12", "S.S. n. 9 Km 12"},
		{"STRADA PROVINCIALE 4 7", "S.P. 4, 7", "SP4 n. 7"},
		{"LOCALITA' PONTE 3", "Loc. Ponte 3", "Loc.tà Ponte, 3"},
		{"BAHNHOFSTRASSE 2", "Bahnhofstraße 2", "Bahnhofstr. 2"},
		{"LUNGOTEVERE DEI MELLINI 44", "L.tevere Mellini 44", "Lung. Mellini 44"},
		{"VIA DELL'ORSO 28", "Via dell Orso 28", "Via dell’Orso, 28", "via d'orso 28"},
		{"BORGO ALBIZI 9R", "B.go Albizi 9/r", "Borgo degli Albizi 9 rosso"},
		{"VIA DE GASPERI 11", "Via Degasperi 11"},
		{"VIA MILANO 2", "via milano 2"},
		{"VIA MILANO 1 2", "Via Milano 1/2"},
		{"VIA MILANO 12 B", "Via Milano 12/b", "Via Milano 12 lettera B"},
		{"LOCALITA' PIANO 4", "Loc. Piano 4"},
	}
	for i, spellings := range same {
		for _, a := range spellings {
			for j, others := range same {
				for _, b := range others {
					if got := matching.Streets(a, b); (got == matching.Same) != (i == j) {
						t.Errorf("%q and %q are alike by %d", a, b, got)
					}
				}
			}
		}
	}
}

func TestMatching_StreetsThatDifferByAWord(t *testing.T) {
	for pair, want := range map[[2]string]matching.Likeness{
		{"VIA GIUSEPPE MAZZINI 10", "Via Mazzini 10"}:           matching.ByAWord,
		{"VIA G. MAZZINI 10", "Via Mazzini 10"}:                 matching.ByAWord,
		{"CORSO VITTORIO EMANUELE II 8", "C.so V. Emanuele 8"}:  matching.ByAWord,
		{"VIA MONTE NAPOLEONE 8", "Via Napoleone 8"}:            matching.ByAWord,
		{"VIA MAZZINI 10", "Mazzini 10"}:                        matching.ByAWord,
		{"VIA GIUSEPPE MAZZINI 10", "Via Mazzini 11"}:           matching.Different,
		{"VIA GIUSEPPE MAZZINI 10", "Via Mazzini"}:              matching.Different,
		{"VIA GIUSEPPE MAZZINI 10", "Via Giuseppe Verdi 10"}:    matching.Different,
		{"VIA MAZZINI 10", "Piazza Mazzini 10"}:                 matching.Different,
		{"VIA CARLO ALBERTO DALLA CHIESA 1", "Via Chiesa 1"}:    matching.Different,
		{"VIA MAZZINI 10", "Via 10"}:                            matching.Different,
		{"VIA MAZZINI 10", "Via M. 10"}:                         matching.Different,
		{"VIA MAZZINI 10", "10"}:                                matching.Different,
		{"VIA MAZZINI 10", ""}:                                  matching.Different,
		{"STRADA STATALE 16 5", "Strada Statale 5"}:             matching.Different,
		{"VIA XX SETTEMBRE 1", "Via XXV Settembre 1"}:           matching.Different,
		{"VIA SAN MARCO 1", "Via Santa Marco 1"}:                matching.Different,
		{"VIA MILANO 12", "Via Milano 12/A"}:                    matching.Different,
		{"VIA MILANO 12", "Via Milano 12 bis"}:                  matching.Different,
		{"VIA MILANO 12", "Via Milano 1 2"}:                     matching.Different,
		{"VIA MILANO 12", "Via Milano 12 presso Bianchi"}:       matching.Different,
		{"VIA MILANO SNC", "Via Milano 1"}:                      matching.Different,
		{"", ""}:                                                matching.Same,
		{strings.Repeat("a ", 50), strings.Repeat("b ", 49)}:    matching.Different,
		{"VIA VERDI MILANO 1", "Via Milano Verdi 1"}:            matching.Same,
		{"TRAVERSA I 3", "Traversa II 3"}:                       matching.Different,
		{"TRAVERSA I 3", "Traversa 1 3"}:                        matching.Same,
		{"VIA MAZZINI GIUSEPPE 10", "Via Giuseppe Mazzini, 10"}: matching.Same,
	} {
		if got := matching.Streets(pair[0], pair[1]); got != want {
			t.Errorf("%q and %q are alike by %d, want %d", pair[0], pair[1], got, want)
		}
		if got := matching.Streets(pair[1], pair[0]); got != want {
			t.Errorf("%q and %q are alike by %d, want %d", pair[1], pair[0], got, want)
		}
	}
}

// TestMatching_IsSymmetricAndReflexive for whatever is typed.
func TestMatching_IsSymmetricAndReflexive(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-ZàèìòùÀÈüöøđłßæñ'’ ./,()-]{0,30}( [0-9]{1,3}(/[A-Z])?)?`))
	rapid.Check(t, func(t *rapid.T) { holds(t, texts.Draw(t, "a"), texts.Draw(t, "b")) })
}

func FuzzMatching(f *testing.F) {
	f.Add("VIA GIUSEPPE MAZZINI 10", "Via Mazzini, 10/A int. 3")
	f.Add("Bolzano/Bozen (BZ)", "BOLZANO")
	f.Fuzz(func(t *testing.T, a, b string) { holds(t, a, b) })
}

func holds(t interface{ Errorf(string, ...any) }, a, b string) {
	for name, compare := range map[string]func(a, b string) bool{
		"names": matching.Names, "places": matching.Places, "provinces": matching.Provinces, "postal codes": matching.PostalCodes,
		"streets": func(a, b string) bool { return matching.Streets(a, b) == matching.Same },
	} {
		if !compare(a, a) {
			t.Errorf("%s: %q is not itself", name, a)
		}
		if compare(a, b) != compare(b, a) {
			t.Errorf("%s: %q and %q agree one way only", name, a, b)
		}
	}
	if matching.Streets(a, b) != matching.Streets(b, a) {
		t.Errorf("streets: %q and %q agree one way only", a, b)
	}
}
