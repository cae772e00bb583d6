// Package masterdata has what others keep and the service imports.
//
// That is contributors and their positions, intermediaries, the register of persons, the catalogue
// of services, and the files that bring them.
//
// Users decide nothing here but the order of their own menu. Who people are and what they may do
// belongs to identity and mandate.
//
// Its packages import platform and kernel.
package masterdata
