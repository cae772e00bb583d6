// Package matching compares what people type about somebody with what a register holds. It forgives
// how something is written, never what it says.
//
// A text becomes a spelling: at each place the ways in which it may be written. Two texts agree if
// one way of writing is common to both. So Müller agrees with MUELLER and with MULLER, which do not
// agree with each other.
package matching
