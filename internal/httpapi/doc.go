// Package httpapi holds the packages that speak HTTP. They are:
//   - edge leads a request in and its answer out, and is the one that knows echo,
//   - handlers implements the operations of the contract,
//   - problem says what a fault looks like to a caller,
//   - pages serves what stands outside the contract,
//   - reqctx carries what the edge found out to the handlers,
//   - etag writes and reads entity tags.
//
// To add an operation, see docs/architecture.md; here is its HTTP part. Write it into the file of
// its tag in api/contract/paths, with its x-access rule, run go generate, and implement the new
// method of api.StrictServerInterface in handlers. A handler maps, calls the service and maps back;
// it takes the caller from
// reqctx.ActorOf and returns errors as they are. Authentication, access, limits, validation,
// idempotency, traces and headers need no line of code: they follow from the contract.
package httpapi
