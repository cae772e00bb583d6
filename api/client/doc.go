// Package client calls the API from Go. It imports nothing else of this module, so its files can be
// copied into another.
//
// New returns the whole API: the methods that oapi-codegen makes of the contract, with refusals as
// errors, repeats that file nothing twice, and tokens that are renewed. Beside it stand
//   - App, an application that people let in by OAuth: in a browser (Authorize, Exchange) or by a
//     code that they type elsewhere (StartDevice, WaitForDevice); its Tokens are kept in a TokenStore,
//   - All, which goes through a list page by page,
//   - FollowEvents, which goes through what happens, through every break of the connection,
//   - WebhookVerifier, for who is called when something happens,
//   - ReceiptVerifier, for receipts, without asking the service.
//
// NewClientWithResponses is the generated client alone.
package client
