package account

import "diresco/internal/httpapi/problem"

// texts are what the pages say, by language and name.
var texts = [...]map[string]string{problem.Italian: inItalian, problem.English: inEnglish}

// months are the names of the months.
var months = [...][12]string{
	problem.Italian: {
		"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
	},
	problem.English: {
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	},
}
