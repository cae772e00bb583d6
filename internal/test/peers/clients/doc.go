// Package clients files declarations with the clients that generators make of the contract. Its
// tests have the build tag peers, since they fetch packages.
package clients
