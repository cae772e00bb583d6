package fault

// What can be wrong with one place of a request, whoever finds it. One mistake has one code.
const (
	// FieldRequired stands for what is missing; a list with too few members is FieldTooFew, even
	// when it is empty.
	FieldRequired     = "required"
	FieldUnknown      = "unknown-field"
	FieldReadOnly     = "read-only"
	FieldType         = "type"
	FieldNull         = "null"
	FieldEnum         = "enum"
	FieldConst        = "const"
	FieldFormat       = "format"
	FieldPattern      = "pattern"
	FieldTooShort     = "too-short" // a text
	FieldTooLong      = "too-long"
	FieldMinimum      = "minimum" // of a number
	FieldMaximum      = "maximum"
	FieldMultipleOf   = "multiple-of"
	FieldTooFew       = "too-few" // members of a list or an object
	FieldTooMany      = "too-many"
	FieldDuplicate    = "duplicate"
	FieldVariant      = "variant"
	FieldCharacter    = "forbidden-character"
	FieldNotCanonical = "not-canonical"
	FieldOther        = "other"
)

// EmptyList returns the code for a list without members. It is FieldRequired for one that was not
// sent, which is nil, and FieldTooFew for one that was sent empty.
func EmptyList[T any](list []T) string {
	if list == nil {
		return FieldRequired
	}
	return FieldTooFew
}

// What can be wrong with the form of a request: its JSON, parameters and files.
const (
	FieldSyntax           = "syntax"
	FieldDuplicateKey     = "duplicate-key"
	FieldRepeated         = "repeated"
	FieldTrailing         = "trailing-data"
	FieldTooDeep          = "too-deep"
	FieldUnknownParameter = "unknown-parameter"
	FieldCursor           = "cursor"
	FieldCursorGone       = "cursor-gone"
	FieldNoFile           = "no-file"
	FieldFileEmpty        = "file-empty"
	FieldFileTooLarge     = "file-too-large"
	FieldFileType         = "file-type"
	FieldFilePassword     = "file-password"
	FieldFileUnsafe       = "file-unsafe"
	FieldFileMissing      = "file-missing"
	FieldEmpty            = "empty"
	FieldColumns          = "columns"
	FieldCSVHeader        = "csv-header"
	FieldCSVSyntax        = "csv-syntax"
	FieldEncoding         = "encoding"
	FieldGarbled          = "garbled"
	FieldNoText           = "no-text"
	FieldTitleRows        = "title-rows"
	FieldLeadingZeros     = "leading-zeros"
)

// What the rules of the domains refuse.
const (
	FieldWrongPIN             = "wrong-pin"
	FieldUnknownRight         = "unknown-right"
	FieldInFuture             = "in-future"
	FieldDocumentExpired      = "document-expired"
	FieldBeforeIssue          = "before-issue"
	FieldPast                 = "past"
	FieldBeforeLog            = "before-log"
	FieldBackwards            = "backwards"
	FieldTooFar               = "too-far"
	FieldUnknownOffice        = "unknown-office"
	FieldOfficeNeeded         = "office-needed"
	FieldOfficeNotCompetent   = "office-not-competent"
	FieldOnlyOperators        = "only-operators"
	FieldUnknownType          = "unknown-type"
	FieldUnknownTopic         = "unknown-topic"
	FieldTopicHeading         = "topic-heading"
	FieldEmailOrPhone         = "email-or-phone"
	FieldUnknownStep          = "unknown-step"
	FieldUnknownDeclaration   = "unknown-declaration"
	FieldUnknownPosition      = "unknown-position"
	FieldPositionCeased       = "position-ceased"
	FieldUnknownContributor   = "unknown-contributor"
	FieldUnknownForForm       = "unknown-for-form"
	FieldContributorDiffers   = "contributor-differs"
	FieldKindDiffers          = "kind-differs"
	FieldNotAPublicBody       = "not-a-public-body"
	FieldNotApplicable        = "not-applicable"
	FieldNotAtPlace           = "not-at-place"
	FieldUnknownService       = "unknown-service"
	FieldWiderThanOwn         = "wider-than-own"
	FieldUnknownPerson        = "unknown-person"
	FieldNotRegistered        = "not-registered"
	FieldIdentityNotConfirmed = "identity-not-confirmed"
	FieldNoVerifiedContact    = "no-verified-contact"
	FieldUnknownDelegate      = "unknown-delegate"
	FieldUnknownDelivery      = "unknown-delivery"
	FieldUnknownSignatory     = "unknown-signatory"
	FieldNotDeclared          = "not-declared"
	FieldUnknownDelegation    = "unknown-delegation"
	FieldNotDelegated         = "not-delegated"
	FieldAfterDelegation      = "after-delegation"
	FieldTooManyOpen          = "too-many-open"
	FieldSchema               = "schema"
	FieldTooCostly            = "too-costly"
	FieldUnknownKeyword       = "unknown-keyword"
	FieldLeadsNowhere         = "leads-nowhere"
	FieldLeadsBack            = "leads-back"
	FieldNotNeeded            = "not-needed"
	FieldNotAfter             = "not-after"
	FieldStepOrder            = "step-order"
	FieldVersionNotNext       = "version-not-next"
	FieldUnknownFund          = "unknown-fund"
	FieldDiffers              = "differs"
	FieldAfterTerm            = "after-term"
	FieldOverReserved         = "over-reserved"
	FieldURIFragment          = "uri-fragment"
	FieldURIInsecure          = "uri-insecure"
	FieldURILocalhost         = "uri-localhost"
	FieldURIPrivate           = "uri-private"
	FieldURIQuery             = "uri-query"
	FieldURIScheme            = "uri-scheme"
	FieldURIUserinfo          = "uri-userinfo"
	FieldURIWildcard          = "uri-wildcard"
	FieldKeyAlgorithm         = "key-algorithm"
	FieldKeyID                = "key-id"
	FieldKeyPrivate           = "key-private"
	FieldKeyUse               = "key-use"
	FieldKeyWeak              = "key-weak"
)
