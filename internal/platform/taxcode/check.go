package taxcode

import (
	"strings"
	"time"
)

// omocodia holds the letter that stands for each digit in a variant of a
// person's code.
const omocodia = "LMNPQRSTUV"

// months holds the letter of each month of birth, January first.
const months = "ABCDEHLMPRST"

// femaleDays is added to the day of birth of a woman.
const femaleDays = 40

// oddValues gives the weight of a letter from A to Z in an odd position. The first character is in
// position 1. A digit weighs as much as the letter at its place: 0 as A, 1 as B. Decree of 23
// December 1976.
var oddValues = [26]int{
	1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18,
	20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
}

// checkPerson checks a person's code of 16 bytes in upper case.
func checkPerson(s string) error {
	for i := range len(s) {
		var ok bool
		switch i {
		case 6, 7, 9, 10, 12, 13, 14:
			_, ok = digit(s[i])
		case 8:
			ok = strings.IndexByte(months, s[i]) >= 0
		default:
			ok = isLetter(s[i])
		}
		if !ok {
			return ErrPattern
		}
	}
	if !birthdayExists(s) {
		return ErrPattern
	}
	if want := checkLetter(s[:personLength-1]); want != s[personLength-1] {
		return checkError{want}
	}
	return nil
}

// birthdayExists reports whether the date in a code of the right pattern is
// one of the calendar. The code holds two digits of the year, so 29 February
// stands whenever a century makes it a leap year.
func birthdayExists(s string) bool {
	year := number(s[6:8])
	month := time.Month(strings.IndexByte(months, s[8]) + 1)
	day := number(s[9:11])
	if day > femaleDays {
		day -= femaleDays
	}
	// 2000 was a leap year, 1900 was not: the 2000s are the more lenient guess.
	last := time.Date(2000+year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return 1 <= day && day <= last
}

func number(s string) int {
	n := 0
	for i := range len(s) {
		d, _ := digit(s[i])
		n = n*10 + d
	}
	return n
}

// digit reads a digit, or the letter that stands for it in an omocodia variant.
func digit(c byte) (int, bool) {
	if isDigit(c) {
		return int(c - '0'), true
	}
	d := strings.IndexByte(omocodia, c)
	return d, d >= 0
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' }

// checkLetter computes the last letter from the first 15 characters.
func checkLetter(s string) byte {
	sum := 0
	for i := range len(s) {
		at := int(s[i] - 'A')
		if isDigit(s[i]) {
			at = int(s[i] - '0')
		}
		if i%2 == 0 { // the first position is odd
			sum += oddValues[at]
		} else {
			sum += at
		}
	}
	return byte('A' + sum%26)
}

// checkDigits checks the 11 digits of an organisation's code or a VAT number.
// Eleven zeros satisfy the check digit but are a placeholder, given to nobody.
func checkDigits(s string) error {
	zeros := true
	for i := range len(s) {
		if !isDigit(s[i]) {
			return ErrPattern
		}
		zeros = zeros && s[i] == '0'
	}
	if zeros {
		return ErrPattern
	}
	if want := checkDigit(s[:organisationLength-1]); want != s[organisationLength-1] {
		return checkError{want}
	}
	return nil
}

// checkDigit computes the eleventh digit from the first ten (Luhn's formula).
func checkDigit(s string) byte {
	sum := 0
	for i := range len(s) {
		d := int(s[i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}
