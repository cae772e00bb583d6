// Package clients holds what programs of others need of the contract against what generators make of
// it. Its tests have the build tag peers, since they fetch packages.
package clients
