// Package messaging is how word gets out. It has the words of messages, the choice of recipients,
// and a sender for each channel.
//
// What is promised stands in kernel/outbox; who promises it knows nothing of this group,
// which itself promises but one: that a contact does not work.
//
// Its packages import platform, kernel, masterdata and identity: none of mandate, filing and
// dossier.
package messaging
