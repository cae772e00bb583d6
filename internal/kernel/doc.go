// Package kernel has what every operation goes through. That is who may enter, the key that makes
// it safe to repeat, its trace, its message and its place in the register of protocol numbers.
//
// It has no rules of a domain: what a declaration or a delegation is belongs further up. Packages
// access and recheck read the tables that rights hang on.
//
// Its packages import platform.
package kernel
