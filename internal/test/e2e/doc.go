// Package e2e tests the whole house from outside. It has a real listener, the generated client and
// both databases, and holds every answer against the contract. It has no code beside its tests.
package e2e
