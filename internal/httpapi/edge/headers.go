package edge

// Values of headers that every answer has. They are slices because that is what http.Header holds;
// nobody appends to them.
var (
	noSniff     = []string{"nosniff"}
	onlyHTTPS   = []string{"max-age=63072000; includeSubDomains"}
	noReferrer  = []string{"no-referrer"}
	nothingElse = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	noStore     = []string{"no-store"}
	publicFor   = []string{"public, max-age=300"}
	immutable   = []string{"public, max-age=31536000, immutable"}
	varies      = []string{"Accept-Language, Origin"}
	variesMore  = []string{"Accept, Accept-Language, Origin"}
)

const (
	contentType     = "Content-Type"
	cacheControl    = "Cache-Control"
	securityPolicy  = "Content-Security-Policy"
	contentLanguage = "Content-Language"
)

// setHeaders sets what protects every answer. Nothing may be kept by a cache unless it is known to
// be the same for everybody; what is, says so later.
func (e *edge) setHeaders(r *request) error {
	h := r.c.Response().Header()
	h["X-Content-Type-Options"] = noSniff
	h["Strict-Transport-Security"] = onlyHTTPS
	h["Referrer-Policy"] = noReferrer
	h[securityPolicy] = nothingElse
	h[cacheControl] = noStore
	h["Vary"] = varies
	return nil
}
