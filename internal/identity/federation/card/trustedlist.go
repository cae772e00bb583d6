package card

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const (
	// listNamespace is that of trusted lists (ETSI TS 119 612).
	listNamespace = "http://uri.etsi.org/02231/v2#"
	// identityVerification is the type of service under which Italy lists the authorities of cards.
	identityVerification = "http://uri.etsi.org/TrstSvc/Svctype/IdV"
	statusPrefix         = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
)

// inForce are the states of services that are trusted. Since 2016 services that are not qualified,
// such as these, are recognised at national level.
var inForce = []string{"recognisedatnationallevel", "granted", "undersupervision", "supervisionincessation", "accredited"}

// trustedList is what is read of the national trusted list.
type trustedList struct {
	sequence   uint64
	nextUpdate time.Time
	// authorities are those that issue cards.
	authorities []*x509.Certificate
	// unreadable is how many certificates of such authorities cannot be read.
	unreadable int
}

// readTrustedList verifies the signature of a list and reads what was signed, and nothing else.
func readTrustedList(content []byte, signers []*x509.Certificate, now time.Time) (*trustedList, error) {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(content); err != nil || document.Root() == nil {
		return nil, errors.New("it is no XML")
	}
	validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: signers})
	validation.IdAttribute = "Id"
	validation.Clock = dsig.NewFakeClockAt(now)
	root, err := validation.Validate(document.Root())
	if err != nil {
		return nil, errors.New("no configured signer signed it")
	}
	if root.Tag != "TrustServiceStatusList" || root.NamespaceURI() != listNamespace {
		return nil, errors.New("it is no trusted list")
	}
	list := &trustedList{}
	scheme := one(root, "SchemeInformation")
	if list.sequence, err = strconv.ParseUint(text(scheme, "TSLSequenceNumber"), 10, 63); err != nil {
		return nil, errors.New("it has no sequence number")
	}
	if territory := text(scheme, "SchemeTerritory"); territory != "IT" {
		return nil, errors.New("it is not that of Italy")
	}
	if list.nextUpdate, err = time.Parse(time.RFC3339, text(scheme, "NextUpdate", "dateTime")); err != nil {
		return nil, errors.New("it does not say when it ends")
	}
	for _, provider := range children(one(root, "TrustServiceProviderList"), "TrustServiceProvider") {
		for _, service := range children(one(provider, "TSPServices"), "TSPService") {
			list.add(one(service, "ServiceInformation"), now)
		}
	}
	if len(list.authorities) == 0 {
		return nil, errors.New("it has no authority that issues cards")
	}
	return list, nil
}

// add adds the authorities of a service, if it is one of cards and in force.
func (l *trustedList) add(service *etree.Element, now time.Time) {
	status, known := strings.CutPrefix(text(service, "ServiceStatus"), statusPrefix)
	listed := known && slices.Contains(inForce, strings.TrimSuffix(status, "/"))
	if !listed || text(service, "ServiceTypeIdentifier") != identityVerification {
		return
	}
	if since, err := time.Parse(time.RFC3339, text(service, "StatusStartingTime")); err != nil || now.Before(since) {
		return
	}
	for _, id := range children(one(service, "ServiceDigitalIdentity"), "DigitalId") {
		for _, encoded := range children(id, "X509Certificate") {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded.Text()), ""))
			if err != nil {
				l.unreadable++
				continue
			}
			authority, err := x509.ParseCertificate(der)
			if err != nil {
				l.unreadable++
				continue
			}
			l.authorities = append(l.authorities, authority)
		}
	}
}

// children returns the children of an element with a name, none of nil.
func children(parent *etree.Element, name string) []*etree.Element {
	if parent == nil {
		return nil
	}
	var found []*etree.Element
	for _, child := range parent.ChildElements() {
		if child.Tag == name && child.NamespaceURI() == listNamespace {
			found = append(found, child)
		}
	}
	return found
}

// one returns the child with a name if it is the only one.
func one(parent *etree.Element, name string) *etree.Element {
	if found := children(parent, name); len(found) == 1 {
		return found[0]
	}
	return nil
}

// text returns what stands at the end of a path.
func text(from *etree.Element, path ...string) string {
	for _, name := range path {
		from = one(from, name)
	}
	if from == nil {
		return ""
	}
	return strings.TrimSpace(from.Text())
}
