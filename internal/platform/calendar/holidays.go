package calendar

import "time"

// monthDay is a holiday that falls on the same day every year.
type monthDay struct {
	month time.Month
	day   int
}

// fixedHolidays holds the year from which each was kept on that day without a break. The sources
// are law 260/1949, art. 2, with law 54/1977, DPR 792/1985 (Epiphany), law 336/2000 (2 June) and
// law 151/2025 (Saint Francis).
var fixedHolidays = map[monthDay]int{
	{time.January, 1}:   1950,
	{time.January, 6}:   1986, // Epifania
	{time.April, 25}:    1950, // Liberazione
	{time.May, 1}:       1950, // Festa del lavoro
	{time.June, 2}:      2001, // Festa della Repubblica
	{time.August, 15}:   1950, // Assunzione
	{time.October, 4}:   2026, // San Francesco d'Assisi
	{time.November, 1}:  1950, // Ognissanti
	{time.December, 8}:  1950, // Immacolata Concezione
	{time.December, 25}: 1950, // Natale
	{time.December, 26}: 1950, // Santo Stefano
}

// IsHoliday reports whether d is a public holiday in the whole of Italy:
// Sundays, the fixed holidays and Easter Monday. The feasts of a
// municipality's patron saint are not among them. It is right from 2001 on,
// and goes by the law in force at the end of 2025 for the years to come.
func IsHoliday(d Date) bool {
	if d.Weekday() == time.Sunday || d == Easter(d.Year).AddDays(1) {
		return true
	}
	since, fixed := fixedHolidays[monthDay{d.Month, d.Day}]
	return fixed && d.Year >= since
}

// IsWorkingDay reports whether d is a working day (giorno lavorativo): Monday
// to Friday, holidays excepted.
func IsWorkingDay(d Date) bool {
	return d.Weekday() != time.Saturday && !IsHoliday(d)
}

// AddWorkingDays returns the n-th working day after d, which itself does not count. With a negative
// n, it returns the one that many before d. With 0 it returns d, working day or not.
func AddWorkingDays(d Date, n int) Date {
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	for n > 0 {
		d = d.AddDays(step)
		if IsWorkingDay(d) {
			n--
		}
	}
	return d
}

// Easter returns Easter Sunday of a year of the Gregorian calendar. It uses the computus that Meeus
// and others print: the golden number gives the moon, the rest the Sunday after it.
func Easter(year int) Date {
	golden := year % 19
	century, inCentury := year/100, year%100
	moonShift := (century - (century+8)/25 + 1) / 3
	moon := (19*golden + century - century/4 - moonShift + 15) % 30
	sunday := (32 + 2*(century%4) + 2*(inCentury/4) - moon - inCentury%4) % 7
	late := (golden + 11*moon + 22*sunday) / 451
	n := moon + sunday - 7*late + 114
	return Date{year, time.Month(n / 31), n%31 + 1}
}
