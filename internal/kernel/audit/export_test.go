package audit

// WriteAccess writes a group of the access log as the writer does.
var WriteAccess = writeAccess
