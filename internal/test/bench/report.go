package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// table is printed as Markdown, in columns that line up.
type table struct {
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	if len(t.rows) < 2 {
		return
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range t.rows {
		fmt.Fprint(w, "|")
		for i, cell := range row {
			fmt.Fprintf(w, " %s%s |", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		fmt.Fprintln(w)
		if n == 0 {
			fmt.Fprint(w, "|")
			for _, width := range widths {
				fmt.Fprintf(w, "%s|", strings.Repeat("-", width+2))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w)
}

// speeds is the table of what was measured.
func speeds(results []*result) *table {
	t := &table{}
	t.add("work", "clients", "req/s", "p50", "p99", "answers", "unexpected", "peak memory of the server", "compared")
	for _, r := range results {
		t.add(r.name, fmt.Sprint(r.clients), thousands(r.rate()), milliseconds(r.quantile(0.5)), milliseconds(r.quantile(0.99)),
			answersOf(r.answers), fmt.Sprint(r.unexpected), megabytes(r.peak), dash(r.compared))
	}
	return t
}

// costs is the table of who used the cores meanwhile.
func costs(results []*result, cores int) *table {
	t := &table{}
	t.add(
		"work", "clients", "server, CPU µs/req", "PostgreSQL, CPU µs/req", "load generator, CPU µs/req", "cores used by the three",
		"cores used by anything else", "WAL bytes/req",
	)
	for _, r := range results {
		each := func(d time.Duration) string {
			if d == 0 {
				return "–"
			}
			return thousands(float64(d.Microseconds()) / float64(total(r.answers)))
		}
		busy := func(d time.Duration) string { return fmt.Sprintf("%.2f of %d", d.Seconds()/r.elapsed.Seconds(), cores) }
		t.add(
			r.name, fmt.Sprint(r.clients), each(r.server), each(r.database), each(r.load), busy(r.server+r.database+r.load),
			busy(r.others()), thousands(float64(r.wal)/float64(total(r.answers))),
		)
	}
	return t
}

// rowsOf tells what a row of an answer costs.
func rowsOf(results []*result) *table {
	t := &table{}
	t.add("work", "rows per CPU second of the server", "rows per CPU second of server and PostgreSQL")
	for _, r := range results {
		rows := float64(r.rows * total(r.answers))
		if rows == 0 || r.server == 0 {
			continue
		}
		t.add(r.name, thousands(rows/r.server.Seconds()), thousands(rows/(r.server+r.database).Seconds()))
	}
	return t
}

func total(answers map[int]int) int {
	n := 0
	for _, count := range answers {
		n += count
	}
	return n
}

// answersOf lists how often each status was answered.
func answersOf(answers map[int]int) string {
	var statuses []int
	for status := range answers {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	var parts []string
	for _, status := range statuses {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "done"
		}
		parts = append(parts, fmt.Sprintf("%s: %d", name, answers[status]))
	}
	return strings.Join(parts, ", ")
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// thousands writes a number without a fraction, or with one digit of it below 100.
func thousands(f float64) string {
	if f < 100 {
		return fmt.Sprintf("%.1f", f)
	}
	digits := fmt.Sprintf("%.0f", f)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// mebibytes and hundredths write values as the tables of comparisons have them.
func mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

func hundredths(f float64) string { return fmt.Sprintf("%.2f", f) }

// median returns the middle of times in any order.
func median(times []time.Duration) time.Duration {
	return quantile(slices.Sorted(slices.Values(times)), 0.5)
}
