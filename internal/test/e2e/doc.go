// Package e2e tests the whole house from outside: a real listener, the generated client, both
// databases, and every answer held against the contract. It has no code beside its tests.
package e2e
