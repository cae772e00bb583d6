// Package dossier is what goes on between a contributor and its office beside declarations.
//
// That is tickets (questions to the office and its answers), appointments, what the system decides
// by itself, what public bodies see and send, all of it on one timeline, and surveys. What is
// declared belongs to filing.
//
// Its packages import platform, kernel, masterdata, identity, mandate and filing.
package dossier
