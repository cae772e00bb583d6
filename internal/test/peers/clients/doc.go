// Package clients files declarations with the clients that generators make of the contract, and
// with the samples in TypeScript. It runs the script of the documentation, too. Its tests have the
// build tag peers, since they need node and fetch packages.
package clients
