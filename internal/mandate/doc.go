// Package mandate is who may act for whom: roles, delegations, sub-delegations and the enrolments
// that ask for them.
//
// What is then done for a contributor belongs to filing and dossier.
//
// Its packages import platform, kernel, masterdata and identity.
package mandate
