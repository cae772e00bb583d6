// Package peers runs the program behind the software that stands around it in production: nginx,
// HAProxy, PgBouncer, a mail relay. Its tests have the build tag "peers" and need those programs;
// run them by `make check-peers`. It has no code beside its tests.
package peers
