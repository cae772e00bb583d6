// Package dossier is what goes on between a contributor and its office beside declarations.
//
// That is tickets (questions to the office and its answers), appointments, requests for
// certificates, and what is told on one timeline. What is declared belongs to filing.
//
// Its packages import platform, kernel, masterdata, identity, mandate and filing.
package dossier
