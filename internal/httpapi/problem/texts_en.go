package problem

import "diresco/internal/platform/fault"

var inEnglish = dictionary{
	problems: map[fault.Code]words{
		fault.Malformed: {
			"Malformed request", "The request cannot be read.",
			"The body is not correct JSON or a correct form, a key is repeated, or a parameter or header is missing, unknown or not of " +
				"the expected form. The errors member says where. Correct the request: repeating it unchanged does not help.",
		},
		fault.InvalidCredentials: {
			"Invalid credentials", "Tax code and PIN do not match.",
			"The tax code or the PIN is wrong. The answer is the same for a person who is not registered. After 10 wrong tries in a row " +
				"the login is inhibited for 5 minutes.",
		},
		fault.SessionEnded: {
			"Session ended", "The session is over. Log in again.",
			"A session ends after 30 minutes without activity, after 12 hours in any case, at logout and when the PIN is changed. It " +
				"also ends when a refresh token is used twice.",
		},
		fault.Unauthenticated: {
			"Authentication required", "The access token is not valid or has expired.",
			"The operation needs an Authorization header with a valid access token. Log in with tax code and PIN to get one, and renew " +
				"it with the refresh token.",
		},
		fault.PINChangeRequired: {
			"PIN change required", "Change the PIN before anything else.",
			"At the first login with the 16-character PIN, and when the PIN has reached its age (6 months, 3 for institutional " +
				"intermediaries), a session can only change the PIN, renew and end itself.",
		},
		fault.PINExpired: {
			"PIN expired", "The PIN was not used in time and has expired. Request a new one.",
			"The two halves of a PIN that was never used are valid for 60 days after the second was handed over. Who finished a first " +
				"access before can recover the PIN; others revoke it by a stored contact and ask for a new one, or turn to an office " +
				"with an identity document.",
		},
		fault.Reauthenticate: {
			"Authentication needed again", "Enter the PIN again for this operation.",
			"Changing the PIN or the contacts, and in the back office PINs, operators and suspensions, needs a PIN that was " +
				"entered within " +
				"the last 5 minutes.",
		},
		fault.StrongLogin: {
			"Login with SPID, CIE or CNS required",
			"Delegations are managed after a login with SPID, CIE or CNS: log in that way and try again.",
			"Drafting, changing, activating and ending delegations and sub-delegations needs a session that began with SPID, CIE or CNS. " +
				"With a PIN they can be read.",
		},
		fault.DispositiveRequired: {
			"Dispositive credentials required", "This operation needs a dispositive PIN.",
			"An ordinary PIN lets you consult, and opens nothing of the back office. It becomes dispositive at the counter, or on a " +
				"signed request with a copy of an " +
				"identity document.",
		},
		fault.ServiceNotDelegated: {
			"Service not covered", "Your right over this contributor does not cover the service.",
			"You may act for the contributor in other services. The contributor can extend your right.",
		},
		fault.IdentityNotConfirmed: {
			"Digital identity not confirmed", "Confirm your digital identity first.",
			"Whoever enters the management of users for the first time confirms their digital identity; until then they neither give " +
				"nor get a role.",
		},
		fault.OTPExhausted: {
			"No tries left", "The one-time code cannot be used any more after five wrong tries.",
			"Send the contributor a new code.",
		},
		fault.OTPExpired: {
			"One-time code expired", "The one-time code is good for 7 days and has expired.",
			"Send the contributor a new code.",
		},
		fault.Duplicate: {
			"Filed already", "You have filed a declaration for this contributor under this reference.",
			"In a batch each declaration has a reference of its sender's, under which it is filed once, whatever batch it is sent in. " +
				"The declaration that was filed is named beside it.",
		},
		fault.ExclusiveExists: {
			"Exclusive delegation exists", "An exclusive delegation conflicts with another active one of the same position.",
			"An exclusive delegation does not go together with another intermediary's of the same position: the contributor " +
				"can revoke one.",
		},
		fault.ChannelClosed: {
			"Channel closed", "The service is not used by this channel at this time.",
			"A service has channels with periods of validity. The member href names the open one, if there is any.",
		},
		fault.BudgetBelowCommitments: {
			"Budget below commitments", "More of the fund is reserved and spent than this budget has.",
			"What declarations were promised stays theirs: a budget is never set below what is reserved and spent.",
		},
		fault.OTPInvalid: {
			"Wrong one-time code", "The one-time code is wrong.",
			"The member tries_left says how many tries are left. After the fifth wrong one a new code is needed.",
		},
		fault.DelegateMustBePerson: {
			"The delegate must be a person", "A firm (studio associato) cannot be the delegate: name the professional.",
			"A delegation is given to a registered professional, an association, a CAF or a patronato.",
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
			"A JSON body may have at most 1 MiB, a form with files 10 MiB, a list 16 MiB, the file of a register 1 GiB.",
		},
		fault.UnsupportedMediaType: {
			"Unsupported media type", "The body is in a form that this operation does not read.",
			"Send the body as application/json in UTF-8, not compressed; for changes as application/merge-patch+json, with files as " +
				"multipart/form-data, a list or register in the formats that the contract names.",
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
			"After 10 wrong PINs in a row the login is inhibited for 5 minutes; each further wrong try costs another 5. Tries made while " +
				"waiting are not looked at and do not prolong the wait.",
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
	hints: hints{
		atLeast: "At least %s.", atMost: "At most %s.", between: "At least %s, at most %s.",
		shortest: "At least %s characters.", longest: "At most %s characters.", length: "From %s to %s characters.",
		fewest: "At least %s members.", most: "At most %s members.", members: "From %s to %s members.",
		multipleOf: "A multiple of %s.", oneOf: "Allowed: %s.", expected: "Expected: %s.",
		check: "With the rest as it is, the check character, the last one, would be %s.", did: "Did you mean %s?",
		example: "For example: %s",
		allowed: map[fault.Code]string{
			fault.MethodNotAllowed: "Methods that it takes: %s.", fault.NotAcceptable: "Forms that there are: %s.",
			fault.UnsupportedMediaType: "Forms that it takes: %s.", fault.Forbidden: "Those who may: %s.",
			fault.ServiceNotDelegated: "Service that is needed: %s.",
		},
	},
	notices: map[string]string{
		NoticeRecovery: "If the data are those of an active PIN, a recovery code is on its way to the stored e-mail address, or the " +
			"PEC. It is good for 24 hours.",
		NoticeRevocation: "If the data are those of an active PIN, a revocation code is on its way to the contact given. It is " +
			"good for 24 hours.",
	},
	reasons: map[string]string{
		"refresh-token": "This is no refresh token. Send the last one that startSession, renewSession or reauthenticate gave, " +
			"or log in again.",
		ReasonNoToken:        "The access token is missing.",
		ReasonBadToken:       "The Authorization header is not Bearer followed by a token.",
		ReasonTokenExpired:   "The access token has expired. Renew it with the refresh token, or log in again.",
		ReasonTokenInvalid:   "The access token is not one of this service, or was changed. Log in to get one.",
		ReasonNoPath:         "There is no such path here. The contract, at /openapi.yaml, has those that there are.",
		ReasonMethod:         "The path is right, the method is not.",
		ReasonClass:          "People of your user class may not do this.",
		ReasonOffice:         "Only who works in an office may do this.",
		"person-only":        "This needs the person: no application may do it.",
		"insufficient-scope": "The consent or the access token of the application does not allow this.",
		"right-consults":     "Your right over the contributor lets you look and not declare.",
		ReasonSignature:      "The report is not signed, its signature is wrong or it was not signed now.",
		ReasonNoBody:         "The body of the request is missing.",
		ReasonCompressedBody: "Send the body uncompressed, without `Content-Encoding`.",
		ReasonUnexpectedBody: "This operation takes no body.",
		ReasonCutBody:        "The body of the request breaks off.",
		ReasonQuery:          "The query is not encoded correctly.",
		ReasonJSON:           "The body of the request is not correct JSON.",
		ReasonForm:           "The body of the request is not a correct form (multipart/form-data).",
		ReasonNoKey:          "The Idempotency-Key header is missing.",
		"too-many-streams":   "The session has as many streams open as it may. Close one first.",
		"delivery-not-ended": "The delivery is under way or has succeeded: only one that failed or was given up can " +
			"be tried again.",
		"message-erased":                   "The secret in the message was erased: a new code or PIN is needed.",
		"declaration-not-draft":            "The declaration is no longer a draft: what has been filed is neither changed nor filed again.",
		"money-not-held":                   "The reservation holds no money any more.",
		"reservation-confirmed":            "The reservation has been confirmed already.",
		"reservation-lapsed":               "The term for the confirmation of the reservation is over.",
		"reservation-not-accepted":         "The reservation has not been accepted.",
		"declaration-not-withdrawable":     "The declaration cannot be withdrawn in its present state.",
		"type-not-for-right":               "This type of declaration may not be submitted by the right you act by.",
		"type-not-open":                    "The window for filing this type of declaration is not open.",
		"supersedes-not-possible":          "The declaration that you name cannot be superseded by this one.",
		"declaration-changed":              "The declaration has changed meanwhile. Read it again.",
		"tax-code-registered":              "The tax code is registered already.",
		"already-exists":                   "It exists already.",
		"contact-exists":                   "You have this contact already.",
		"contact-verified":                 "The contact is verified already.",
		"too-many-contacts":                "You have as many contacts as one may have. Remove one first.",
		"last-contact":                     "Your last verified contact cannot be removed. Add and verify another one first.",
		"already-dispositive":              "The credentials are dispositive already.",
		"upgrade-waiting":                  "An earlier request for a dispositive PIN waits for its decision.",
		"upgrade-decided":                  "The request has been decided already.",
		"already-decided":                  "The contact centre has decided about the request already.",
		"nothing-to-confirm":               "No PIN from the counter waits for its confirmation.",
		"document-kept":                    "The copy of the document is kept already.",
		"issuer-only":                      "The copy of the document is handed in by who issued the PIN.",
		"post-unconfirmed":                 "The post of administrator still has to be confirmed by a second administrator.",
		"consent-of-staff":                 "Whoever works for the institute authorises no application to act in their name.",
		"consent-reaches-nothing":          "You have no right over any contributor yet, so an application could do nothing for you.",
		"post-confirmed":                   "There is nothing to confirm.",
		"application-decided":              "Nothing of the application waits for a decision.",
		"webhook-disabled":                 "The webhook is disabled: nothing is sent to it.",
		"application-not-approved":         "The application is not approved.",
		"application-not-suspended":        "The application is not suspended.",
		"second-person":                    "Who asked for it, filed it or issued it does not decide about it: somebody else does.",
		"declaration-in-charge-of-another": "Another operator has the declaration in charge.",
		"declaration-not-in-charge":        "Nobody has the declaration in charge.",
		"declaration-not-to-be-decided":    "The declaration is decided already, or does not wait for the office.",
		"declaration-decided-by-itself":    "Declarations of this type are decided by themselves, not by an operator.",
		"counter-needed": "The data differ from the register and the person has no verified contacts to send the PIN to: they " +
			"turn to a counter with an identity document.",
		"person-has-pin":    "The person has a valid PIN already.",
		"already-suspended": "The person is suspended already.",
		"not-suspended":     "The person is not suspended.",
		"person-suspended":  "The person is suspended and has to be readmitted first.",
		"own-account":       "Nobody can suspend themselves.",
		"administrator-pin": "The PIN of an administrator is revoked by an administrator.",
		"own-pin":           "Nobody can issue a PIN to themselves.",
		"staff-pin": "Nobody gets a new PIN while they are an operator or administrator: they recover theirs, or an " +
			"administrator ends the post first.",
		"last-administrator":   "This is the last administrator: appoint another one first.",
		"already-operator":     "The person is an operator already.",
		"ordinary-credentials": "Only somebody with dispositive credentials can become an operator.",
		"not-a-citizen":        "Only a citizen can become an operator, not an intermediary.",
		"enrolment-open": "An earlier request for the same contributor, with some of the same services, still waits " +
			"for its decision.",
		"enrolment-decided":              "The request was decided already.",
		"enrolment-awaiting-credentials": "The request waits until the PIN of who sent it is dispositive.",
		"enrolment-lapsed":               "The request has lapsed: the PIN did not become dispositive in time.",
		"already-enabled":                "You have access already: the form need not be sent again.",
		"channel-over":                   "This channel is closed. href leads to the one to use, if there is one.",
		"channel-not-yet-open":           "This channel is not open yet. href leads to the one to use meanwhile, if there is one.",
		"no-intermediary":                "This is for intermediaries on their register or census, and for people with a role there.",
		"delegation-state":               "The delegation does not allow this in the state that it is in.",
		"delegation-over":                "The end of the delegation has passed.",
		"no-verified-contact": "The contributor has no certified e-mail (PEC) and the signatory no verified contact: the code " +
			"cannot be sent.",
		"delegate-not-listed": "The intermediary is no longer on its register or census.",
		"signatory-gone":      "The signatory no longer represents the contributor: name another.",
		"last-employer": "This is the last employer, and there is no legal representative: somebody else must have the " +
			"role first (form SC65).",
		"last-legal-representative": "This is the last legal representative: give the role to another person first.",
		"role-exists":               "The person has this role already.",
		"role-for-oneself":          "Nobody gives a role to themselves.",
		"role-not-yours-to-give": "Your role does not give this one: a legal representative gives every role, a user " +
			"administrator those of employer and delegate for services, an employer that of delegate for services.",
		"role-not-yours-to-withdraw": "Your role does not withdraw this one: legal representatives and user administrators are " +
			"withdrawn by a legal representative.",
		"too-many-open":         "As many as may be are open already. Finish or discard some of them first.",
		"no-users":              "A professional gives no roles, but sub-delegations.",
		"sub-delegate-oneself":  "Nobody gives a sub-delegation to themselves.",
		"sub-delegation-ended":  "The sub-delegation has ended already.",
		"sub-delegation-exists": "The person has a sub-delegation already that gives as much: see href.",
		"batch-not-done":        "The list is still being worked on.",
		"batch-over":            "The batch is over: nothing of it waits that could be cancelled.",
		"batch-right-ended":     "The right or the credentials of who sent the batch ended before this declaration was filed.",
		"batch-not-whole":       "Another declaration of the batch was refused, and all or nothing was to be filed.",
		"batch-without-forms":   "No delegation of the list waits for a signature: there are no forms.",
	},
	fields: map[string]string{
		fault.FieldRequired:     "The field is required.",
		fault.FieldUnknown:      "There is no such field.",
		fault.FieldReadOnly:     "The field is read-only.",
		fault.FieldType:         "The value is not of the expected type.",
		fault.FieldNull:         "The value may not be null.",
		fault.FieldEnum:         "The value is not one of those allowed.",
		fault.FieldConst:        "The value is not the expected one.",
		fault.FieldFormat:       "The value is not formally valid.",
		fault.FieldPattern:      "The value does not have the expected form.",
		fault.FieldTooShort:     "The text is too short.",
		fault.FieldTooLong:      "The text is too long.",
		fault.FieldMinimum:      "The number is too small.",
		fault.FieldMaximum:      "The number is too large.",
		fault.FieldMultipleOf:   "The number is not a multiple of the expected one.",
		fault.FieldTooFew:       "There are too few items.",
		fault.FieldTooMany:      "There are too many items.",
		fault.FieldDuplicate:    "An item is repeated.",
		fault.FieldVariant:      "The value has none of the expected forms.",
		fault.FieldCharacter:    "The text holds a character that is not allowed.",
		fault.FieldOther:        "The value is not valid.",
		fault.FieldSyntax:       "The JSON is not correct here.",
		fault.FieldDuplicateKey: "The key is repeated in one object.",
		fault.FieldTrailing:     "Something follows the end of the JSON.",
		fault.FieldTooDeep:      "Too many objects or arrays stand in each other.",
		fault.FieldNoFile:       "The field takes a file, with a file name.",
		fault.FieldFileEmpty:    "The file is empty.",
		fault.FieldFileTooLarge: "The file is longer than 5 MiB.",
		fault.FieldFileType: "The file is not of a type that is accepted, whatever its name says: PDF, JPEG, PNG, TIFF and HEIC are, " +
			"up to 5 MiB. Of a signed file (P7M, ASiC) send the document in it.",
		fault.FieldFilePassword:       "The PDF opens only with a password: send it without.",
		fault.FieldInFuture:           "The date is still to come.",
		fault.FieldDocumentExpired:    "The document has expired.",
		fault.FieldBeforeIssue:        "The document would expire before it was issued.",
		fault.FieldOfficeNeeded:       "No competent office was found: name one.",
		fault.FieldUnknownParameter:   "There is no such parameter.",
		fault.FieldRepeated:           "This is repeated: it may be there once.",
		fault.FieldCursor:             "The cursor is not valid: take it from next_cursor.",
		fault.FieldCursorGone:         "What follows this cursor is not kept any more: read the lists anew, and go on from `latest`.",
		fault.FieldWrongPIN:           "The PIN is not right.",
		fault.FieldUnknownRight:       "You have no such right over the contributor.",
		fault.FieldNotCanonical:       "The content cannot be written in canonical form.",
		fault.FieldUnknownType:        "There is no such type of declaration.",
		fault.FieldUnknownStep:        "The type of declaration has no such step.",
		fault.FieldNotApplicable:      "The field does not apply here.",
		fault.FieldNotAtPlace:         "This service does not exist there: services of public bodies are theirs alone.",
		fault.FieldWiderThanOwn:       "Nobody gives more services than their own role covers: name those that the role is to cover.",
		fault.FieldUnknownPosition:    "The contributor has no such position.",
		fault.FieldPositionCeased:     "The position has ceased.",
		fault.FieldDiffers:            "It differs from what was reserved.",
		fault.FieldAfterTerm:          "It is after the term of the reservation.",
		fault.FieldOverReserved:       "It is more than what was reserved.",
		fault.FieldURIFragment:        "The address may not have a fragment (#).",
		fault.FieldURIInsecure:        "It must be https; http goes to 127.0.0.1 or [::1] alone.",
		fault.FieldURILocalhost:       "The name localhost may lead elsewhere: write 127.0.0.1 or [::1].",
		fault.FieldURIPrivate:         "The address leads to no host of the public Internet.",
		fault.FieldURIQuery:           "The address may not have a query (?), which programs lose. Use state.",
		fault.FieldURIScheme:          "The scheme is not taken: https or, for a public application, one such as com.example.app.",
		fault.FieldURIUserinfo:        "The address may not hold a user name or password.",
		fault.FieldURIWildcard:        "Addresses are compared as a whole: no asterisk, but each address by itself.",
		fault.FieldKeyAlgorithm:       "The key is none of those that are taken: EC with P-256 (ES256) or RSA (RS256).",
		fault.FieldKeyID:              "The key needs a kid of 1 to 100 ASCII characters.",
		fault.FieldKeyPrivate:         "The key has its private part, which must never be sent: make a new one and send the public part.",
		fault.FieldKeyUse:             "The key is not for signing: use must be sig.",
		fault.FieldKeyWeak:            "The key is too weak: RSA with at least 2048 bits.",
		fault.FieldUnknownDeclaration: "The contributor has no such declaration.",
		fault.FieldUnknownOffice:      "There is no such office.",
		fault.FieldOfficeNotCompetent: "The office is not competent for this contributor: name that of one of its positions, or none.",
		fault.FieldBackwards:          "The clock only moves forwards.",
		fault.FieldTooFar:             "That is too far ahead.",
		fault.FieldOnlyOperators:      "Only who works in an office has one.",
		fault.FieldUnknownContributor: "There is no such contributor.",
		fault.FieldContributorDiffers: "The position belongs to another contributor: it never goes from one to another.",
		fault.FieldNotAPublicBody:     "The position is not one of a public body.",
		fault.FieldKindDiffers:        "A professional is listed as an organisation, or the other way round.",
		fault.FieldColumns:            "The row does not have as many columns as the header.",
		fault.FieldEmpty:              "The file has no rows.",
		fault.FieldFileMissing:        "The file is not there any more: send it again.",
		fault.FieldUnknownForForm:     "There is no contributor with this tax code that the form is for.",
		fault.FieldNoVerifiedContact:  "You have no verified contact for this channel.",
		fault.FieldNotRegistered:      "Nobody is registered with this tax code.",
		fault.FieldUnknownDelivery:    "Nothing with this id was for the webhook.",
		fault.FieldBeforeLog:          "The log does not reach back so far: 30 days.",
		fault.FieldUnknownDelegate:    "There is no such intermediary, or you have no role there.",
		fault.FieldUnknownService:     "There is no such service.",
		fault.FieldUnknownSignatory:   "This person cannot sign for the contributor.",
		fault.FieldNotDeclared:        "It must be declared that the delegating party has signed the form.",
		fault.FieldPast:               "The instant has passed.",
		fault.FieldCSVHeader: "The first line does not name the columns that there are, each once, with those that are needed: " +
			"write them as in the documentation, with ; , or tabs between them.",
		fault.FieldCSVSyntax: "The file is not correct CSV in UTF-8.",
		fault.FieldEncoding: "The file is not in UTF-8: save it as \"CSV UTF-8\", or send it with its character set, for example " +
			"Content-Type: text/csv; charset=windows-1252.",
		fault.FieldGarbled: "Accented letters are garbled (NICCOLÃ’ for NICCOLÒ): the file was opened or saved in a wrong character " +
			"set before. Export it again from where it came from, in UTF-8.",
		fault.FieldNoText: "The file is a workbook (XLSX, XLS, ODS), an archive or a page, and no text: in the spreadsheet save it as " +
			"\"CSV UTF-8\".",
		fault.FieldTitleRows: "There are lines above the header: take them away, so that the names of the columns are the first line.",
		fault.FieldLeadingZeros: "Digits are missing from the number: usually a spreadsheet dropped the zeros before it. Format the " +
			"column as text before you export it.",
		fault.FieldUnknownDelegation: "The intermediary has no such delegation, or it is not active.",
		fault.FieldNotDelegated:      "None of the delegations covers the service.",
		fault.FieldTooManyOpen:       "As many as may be are open already.",
		fault.FieldAfterDelegation: "One of the delegations ends before that: a sub-delegation never lasts longer than " +
			"the delegation.",
		fault.FieldUnknownPerson:        "Nobody who could be given this is registered with this tax code.",
		fault.FieldIdentityNotConfirmed: "The person has not confirmed their digital identity yet.",
		fault.FieldSchema:               "The schema does not compile.",
		fault.FieldTooCostly:            "Checking a content would cost too much: make the schema simpler.",
		fault.FieldUnknownKeyword:       "The keyword may not stand in the schema of a content.",
		fault.FieldLeadsNowhere:         "The reference leads to no member of the content of the kind that is needed.",
		fault.FieldLeadsBack:            "The reference leads back to itself.",
		fault.FieldNotNeeded:            "The member must be required in this step.",
		fault.FieldNotAfter:             "The end must come after the beginning, and within the window of the type.",
		fault.FieldStepOrder:            "The steps are one, single, or reservation and confirmation.",
		fault.FieldVersionNotNext:       "This is not the version that follows the last one published.",
		fault.FieldUnknownFund:          "The fund, or that of one of the regions, does not exist.",
	},
}
