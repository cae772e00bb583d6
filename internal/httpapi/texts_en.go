package httpapi

import "diresco/internal/fault"

var inEnglish = dictionary{
	problems: map[fault.Code]words{
		fault.Malformed: {
			"Malformed request", "The request cannot be read.",
			"The body is not correct JSON, a key is repeated, or a parameter or header is missing, unknown or not of the expected form. The errors member says where. Correct the request: repeating it unchanged does not help.",
		},
		fault.InvalidCredentials: {
			"Invalid credentials", "Tax code and PIN do not match.",
			"The tax code or the PIN is wrong. The answer is the same for a person who is not registered. After 10 wrong tries in a row the login is inhibited for 5 minutes.",
		},
		fault.SessionEnded: {
			"Session ended", "The session is over. Log in again.",
			"A session ends after 30 minutes without activity, after 12 hours in any case, at logout and when the PIN is changed. It also ends when a refresh token is used twice.",
		},
		fault.Unauthenticated: {
			"Authentication required", "The access token is not valid or has expired.",
			"The operation needs an Authorization header with a valid access token. Log in with tax code and PIN to get one, and renew it with the refresh token.",
		},
		fault.PINChangeRequired: {
			"PIN change required", "Change the PIN before anything else.",
			"At the first login with the 16-character PIN, and when the PIN has reached its age (6 months, 3 for institutional intermediaries), a session can only change the PIN, renew and end itself.",
		},
		fault.PINExpired: {
			"PIN expired", "The PIN was not used in time and has expired. Request a new one.",
			"The two halves of a PIN that was never used are valid for 60 days after the second was handed over.",
		},
		fault.Reauthenticate: {
			"Authentication needed again", "Enter the PIN again for this operation.",
			"Changing the PIN or the contacts needs a PIN that was entered within the last 5 minutes.",
		},
		fault.DispositiveRequired: {
			"Dispositive credentials required", "This operation needs a dispositive PIN.",
			"An ordinary PIN lets you consult. It becomes dispositive at the counter, or on a signed request with a copy of an identity document.",
		},
		fault.ServiceNotDelegated: {
			"Service not covered", "Your right over this contributor does not cover the service.",
			"You may act for the contributor in other services. The contributor can extend your right.",
		},
		fault.Forbidden: {
			"Not allowed", "You may not do this.",
			"You may see the resource, but your profile does not allow this operation.",
		},
		fault.NotFound: {
			"Not found", "There is nothing here that you may see.",
			"The resource does not exist, or you may not see it: the answer is the same.",
		},
		fault.MethodNotAllowed: {
			"Method not allowed", "This address does not take the method.",
			"The Allow header lists the methods that it takes.",
		},
		fault.NotAcceptable: {
			"Not acceptable", "No form of the answer matches the Accept header.",
			"The documentation of the operation lists the forms of its answer.",
		},
		fault.Conflict: {
			"Wrong state", "This is not possible in the present state.",
			"Read the resource again: its state has changed or does not allow the operation.",
		},
		fault.RequestInProgress: {
			"Request in progress", "A request with the same Idempotency-Key is still running.",
			"Wait as long as Retry-After says and repeat the same request with the same key: it gets the answer of the first.",
		},
		fault.PreconditionFailed: {
			"Precondition failed", "The resource has changed since you read it. Read it again.",
			"The value of If-Match is not the present ETag. Read the resource again, apply your changes and repeat.",
		},
		fault.PreconditionRequired: {
			"Precondition required", "Send If-Match with the ETag that you read.",
			"So that nobody overwrites the changes of somebody else unawares.",
		},
		fault.TooLarge: {
			"Content too large", "The body of the request is longer than allowed.",
			"A JSON body may have at most 1 MiB.",
		},
		fault.UnsupportedMediaType: {
			"Unsupported media type", "The body is in a form that this operation does not read.",
			"Send the body as application/json in UTF-8, not compressed; for changes as application/merge-patch+json.",
		},
		fault.Invalid: {
			"Not valid", "One or more fields are not valid.",
			"The request can be read but is against the schema or a rule. The errors member names each place with its code.",
		},
		fault.IdempotencyKeyReused: {
			"Idempotency-Key used before", "The Idempotency-Key was used for another request.",
			"Each intent has a key of its own. The same key is good only for repeating the same request.",
		},
		fault.CodeInvalid: {
			"Code not valid", "The code is not right.",
			"Check the code that you received and try again. Tries are counted.",
		},
		fault.PINLocked: {
			"Login inhibited", "Too many wrong tries: the login with the PIN is inhibited for some minutes.",
			"After 10 wrong PINs in a row the login is inhibited for 5 minutes; each further wrong try costs another 5. Tries made while waiting are not looked at and do not prolong the wait.",
		},
		fault.RateLimited: {
			"Too many requests", "Too many requests in a short time. Wait as long as Retry-After says.",
			"The headers RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset say in every answer how many requests are left.",
		},
		fault.Unavailable: {
			"Unavailable", "The service cannot answer now. Try again later.",
			"Nothing that was answered is lost. With the same Idempotency-Key the request can be repeated safely.",
		},
		fault.Busy: {
			"Busy", "The service has too many requests at hand. Try again shortly.",
			"Wait as long as Retry-After says. A login that got this answer does not count as a try.",
		},
		fault.Internal: {
			"Internal error", "Something went wrong here. Give the Request-Id when you ask for help.",
			"The error has been recorded. With the same Idempotency-Key the request can be repeated safely.",
		},
	},
	reasons: map[string]string{
		reasonNoToken:                  "The access token is missing.",
		reasonBadToken:                 "The Authorization header is not Bearer followed by a token.",
		reasonNoBody:                   "The body of the request is missing.",
		reasonUnexpectedBody:           "This operation takes no body.",
		reasonCutBody:                  "The body of the request breaks off.",
		reasonQuery:                    "The query is not encoded correctly.",
		reasonJSON:                     "The body of the request is not correct JSON.",
		reasonNoKey:                    "The Idempotency-Key header is missing.",
		"declaration-not-draft":        "The declaration is no longer a draft: what has been filed is neither changed nor filed again.",
		"declaration-not-withdrawable": "The declaration cannot be withdrawn in its present state.",
		"type-not-open":                "The window for filing this type of declaration is not open.",
		"supersedes-not-possible":      "The declaration that you name cannot be superseded by this one.",
		"declaration-changed":          "The declaration has changed meanwhile. Read it again.",
		"tax-code-registered":          "The tax code is registered already.",
		"already-exists":               "It exists already.",
	},
	fields: map[string]string{
		codeRequired:          "The field is required.",
		codeUnknownField:      "There is no such field.",
		codeReadOnly:          "The field is read-only.",
		codeType:              "The value is not of the expected type.",
		codeNull:              "The value may not be null.",
		codeEnum:              "The value is not one of those allowed.",
		codeConst:             "The value is not the expected one.",
		codeFormat:            "The value is not formally valid.",
		codePattern:           "The value does not have the expected form.",
		codeTooShort:          "The text is too short.",
		codeTooLong:           "The text is too long.",
		codeMinimum:           "The number is too small.",
		codeMaximum:           "The number is too large.",
		codeMultipleOf:        "The number is not a multiple of the expected one.",
		codeTooFew:            "There are too few items.",
		codeTooMany:           "There are too many items.",
		codeDuplicate:         "An item is repeated.",
		codeVariant:           "The value has none of the expected forms.",
		codeCharacter:         "The text holds a character that is not allowed.",
		codeOther:             "The value is not valid.",
		codeSyntax:            "The JSON is not correct here.",
		codeDuplicateKey:      "The key is repeated in one object.",
		codeTrailing:          "Something follows the end of the JSON.",
		codeTooDeep:           "Too many objects or arrays stand in each other.",
		codeUnknownParameter:  "There is no such parameter.",
		codeRepeated:          "The parameter is repeated.",
		codeCursor:            "The cursor is not valid: take it from _links.next.",
		codeWrongPIN:          "The PIN is not right.",
		codeUnknownRight:      "You have no such right over the contributor.",
		codeNotCanonical:      "The content cannot be written in canonical form.",
		"unknown-type":        "There is no such type of declaration.",
		"unknown-step":        "The type of declaration has no such step.",
		"not-applicable":      "The field does not apply here.",
		"unknown-position":    "The contributor has no such position.",
		"position-ceased":     "The position has ceased.",
		"unknown-declaration": "The contributor has no such declaration.",
		"unknown-office":      "There is no such office.",
		"backwards":           "The clock only moves forwards.",
		"too-far":             "That is too far ahead.",
		"only-operators":      "Only who works in an office has one.",
		"unknown-contributor": "There is no such contributor.",
	},
}
