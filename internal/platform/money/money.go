// Package money has amounts in euros, counted in whole cents. Nothing is ever rounded in between.
package money

import (
	"errors"
	"fmt"
	"strings"
)

// Currency is the only one there is.
const Currency = "EUR"

// Most is the greatest amount: 999,999,999,999.99 euros.
const Most Cents = 99_999_999_999_999

// Cents is an amount in cents of a euro.
type Cents int64

// ErrFormat is the error of a text that is no amount.
var ErrFormat = errors.New("an amount is digits, a point and two decimals")

// Parse reads an amount as the API writes it: digits without a leading zero, a point and two
// decimals. It returns ErrFormat for any other text, also for an amount above Most.
func Parse(s string) (Cents, error) {
	whole, decimals, found := strings.Cut(s, ".")
	if !found || len(decimals) != 2 || len(whole) < 1 || len(whole) > 12 || len(whole) > 1 && whole[0] == '0' {
		return 0, ErrFormat
	}
	var c Cents
	for _, digit := range []byte(whole + decimals) {
		if digit < '0' || digit > '9' {
			return 0, ErrFormat
		}
		c = 10*c + Cents(digit-'0')
	}
	return c, nil
}

// String writes the amount as Parse reads it; one below zero has a sign before it.
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}
