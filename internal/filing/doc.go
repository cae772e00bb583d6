// Package filing is what is declared: declarations, their catalogue and their receipts.
//
// Who may declare is decided by kernel/access, so it knows neither identity nor mandate.
//
// Its packages import platform, kernel and masterdata.
package filing
