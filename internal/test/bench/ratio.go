package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// noise is by how much a ratio of two programs on a busy machine may differ from one by chance.
const noise = 0.08

// goal is what a measure is to reach; the zero value is none.
type goal struct {
	bound float64
	// least tells that the bound is the lowest that is right, not the highest.
	least bool
	// own tells that the bound is one for the value of the second program, not for the ratio.
	own bool
}

func ratioAtLeast(bound float64) goal { return goal{bound: bound, least: true} }

func ratioAtMost(bound float64) goal { return goal{bound: bound} }

func valueAtLeast(bound float64) goal { return goal{bound: bound, least: true, own: true} }

func valueAtMost(bound float64) goal { return goal{bound: bound, own: true} }

// verdict says whether the goal was reached.
func (g goal) verdict(ratio, value float64) string {
	if g == (goal{}) {
		return ""
	}
	got := ratio
	if g.own {
		got = value
	}
	if g.least && got >= g.bound || !g.least && got <= g.bound {
		return "reached"
	}
	return "missed"
}

// text writes the goal.
func (g goal) text(show func(float64) string) string {
	if g == (goal{}) {
		return ""
	}
	sign := "≤"
	if g.least {
		sign = "≥"
	}
	if g.own {
		return sign + " " + show(g.bound)
	}
	return fmt.Sprintf("%s %s ×", sign, strconv.FormatFloat(g.bound, 'f', -1, 64))
}

// measure is one thing that was measured of both programs, in turns.
type measure struct {
	name   string
	show   func(float64) string
	goal   goal
	values [2][]float64
}

// ratio returns the ratio of the medians, second to first, and the lowest and highest of the turns.
func (m *measure) ratio() (of, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for i, first := range m.values[0][:min(len(m.values[0]), len(m.values[1]))] {
		one := m.values[1][i] / first
		low, high = min(low, one), max(high, one)
	}
	return middle(m.values[1]) / middle(m.values[0]), low, high
}

// middle is the median; of an even number of values it is the mean of the two in the middle, and of
// none it is not a number.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread writes the median with the lowest and the highest.
func spread(values []float64, show func(float64) string) string {
	if len(values) == 0 {
		return "–"
	}
	text := show(middle(values))
	if len(values) > 1 {
		text += fmt.Sprintf(" (%s–%s)", show(slices.Min(values)), show(slices.Max(values)))
	}
	return text
}

// comparison is what was measured of two programs.
type comparison struct {
	names    [2]string
	measures []*measure
	costs    []*costed
}

// costed is the processor time of a request, by who used it, of both programs.
type costed struct {
	name                   string
	server, database, load [2][]float64
}

// note keeps a value of one of the two. The goal may come with either.
func (c *comparison) note(who int, name string, show func(float64) string, g goal, value float64) {
	i := slices.IndexFunc(c.measures, func(m *measure) bool { return m.name == name })
	if i < 0 {
		i = len(c.measures)
		c.measures = append(c.measures, &measure{name: name, show: show, goal: g})
	}
	m := c.measures[i]
	if g != (goal{}) {
		m.goal = g
	}
	m.values[who] = append(m.values[who], value)
}

// noteCost keeps who used the processors in a work.
func (c *comparison) noteCost(who int, name string, r *result) {
	i := slices.IndexFunc(c.costs, func(m *costed) bool { return m.name == name })
	if i < 0 {
		i = len(c.costs)
		c.costs = append(c.costs, &costed{name: name})
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(max(1, total(r.answers))) }
	m := c.costs[i]
	m.server[who] = append(m.server[who], each(r.server))
	m.database[who] = append(m.database[who], each(r.database))
	m.load[who] = append(m.load[who], each(r.load))
}

// table has a line for each measure.
func (c *comparison) table() *table {
	t := &table{}
	t.add("measure", c.names[0], c.names[1], c.names[1]+" : "+c.names[0], "target", "")
	for _, m := range c.measures {
		of, low, high := m.ratio()
		ratio, remarks := "–", []string{}
		if !math.IsNaN(of) {
			ratio = fmt.Sprintf("%.2f × (%.2f–%.2f)", of, low, high)
			switch {
			case math.Abs(of-1) < noise:
				remarks = append(remarks, fmt.Sprintf("within the noise of ±%.0f %%", 100*noise))
			case low < 1 && high > 1:
				remarks = append(remarks, "the rounds disagree")
			}
		}
		if v := m.goal.verdict(of, middle(m.values[1])); v != "" {
			remarks = append([]string{v}, remarks...)
		}
		t.add(m.name, spread(m.values[0], m.show), spread(m.values[1], m.show), ratio, m.goal.text(m.show), strings.Join(remarks, "; "))
	}
	return t
}

// costTable has a line for each work. Its ratio leaves out the load.
func (c *comparison) costTable() *table {
	t := &table{}
	t.add(fmt.Sprintf("processor time of a request on %d cores, µs: server + PostgreSQL + load", runtime.NumCPU()), c.names[0], c.names[1],
		c.names[1]+" : "+c.names[0]+", without the load")
	for _, m := range c.costs {
		var cells [2]string
		var work [2]float64
		for i := range cells {
			cells[i] = "–"
			if len(m.server[i]) > 0 {
				cells[i] = fmt.Sprintf(
					"%s + %s + %s", thousands(middle(m.server[i])), thousands(middle(m.database[i])), thousands(middle(m.load[i])),
				)
			}
			work[i] = middle(m.server[i]) + middle(m.database[i])
		}
		t.add(m.name, cells[0], cells[1], fmt.Sprintf("%.2f ×", work[1]/work[0]))
	}
	return t
}
