package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"diresco/internal/platform/config"
)

// spidServed is a configuration with which the service lets people in by SPID and CIE.
func spidServed() []string {
	return []string{
		"DIRESCO_DATABASE_URL=sqlite:x", "DIRESCO_DATA_DIR=/var/lib/diresco", "DIRESCO_PUBLIC_URL=https://diresco.example.org",
		"DIRESCO_INSTITUTION_NAME=Istituto", "DIRESCO_INSTITUTION_PAGE=https://a.it",
		"DIRESCO_SPID_METADATA=https://registry.example.it/idps.xml", "DIRESCO_CIE_METADATA=" + os.Args[0],
		"DIRESCO_SPID_KEYS=" + os.Args[0] + "," + os.Args[0], "DIRESCO_SPID_IPA_CODE=ist_prv", "DIRESCO_SPID_EMAIL=spid@a.it",
		"DIRESCO_CIE_MUNICIPALITY=H501",
	}
}

func TestSPID_IsRead(t *testing.T) {
	c := read(t, append(spidServed(), "DIRESCO_SPID_TELEPHONE=+390612345678", "DIRESCO_SPID_COMPARISON=exact", "DIRESCO_SPID_BINDING=post",
		"DIRESCO_SPID_ATTRIBUTES=fiscalNumber,name,familyName", "DIRESCO_SPID_METADATA_CERT="+os.Args[0],
		"DIRESCO_CIE_METADATA_CERT="+os.Args[0])...)
	if err := c.Serve(); err != nil {
		t.Fatal(err)
	}
	if !c.SPIDEnabled() || c.SPIDEntity() != "https://diresco.example.org" || len(c.SPIDKeys) != 2 || c.SPIDIPACode != "ist_prv" ||
		c.SPIDTelephone != "+390612345678" || c.SPIDComparison != "exact" || c.SPIDBinding != "post" || len(c.SPIDAttributes) != 3 ||
		c.CIEMunicipality != "H501" || c.SPIDMetadataCert == "" || c.CIEMetadataCert == "" || c.SPIDEmail != "spid@a.it" {
		t.Errorf("%+v", c.SPID)
	}
	c = read(t, append(spidServed(), "DIRESCO_SPID_ENTITY_ID=https://spid.example.org")...)
	if c.SPIDEntity() != "https://spid.example.org" {
		t.Error(c.SPIDEntity())
	}
	if c := read(t); c.SPIDEnabled() || c.SPIDComparison != "minimum" || c.SPIDBinding != "redirect" || len(c.SPIDAttributes) != 7 {
		t.Errorf("defaults: %+v", c.SPID)
	}
}

func TestSPID_WhatItNeedsIsNamed(t *testing.T) {
	for _, name := range []string{
		"SPID_KEYS", "SPID_IPA_CODE", "SPID_EMAIL", "INSTITUTION_NAME", "INSTITUTION_PAGE", "CIE_MUNICIPALITY",
	} {
		c := read(t, slices.DeleteFunc(spidServed(), func(entry string) bool { return strings.HasPrefix(entry, "DIRESCO_"+name+"=") })...)
		if err := c.Serve(); err == nil || !strings.HasPrefix(err.Error(), "DIRESCO_"+name+": is missing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSPID_ABodyIsPublicOrPrivate(t *testing.T) {
	both := append(spidServed(), "DIRESCO_SPID_PRIVATE="+os.Args[0])
	if c := read(t, both...); c.Serve() == nil || !strings.Contains(c.Serve().Error(), "DIRESCO_SPID_PRIVATE") {
		t.Errorf("both: %v", c.Serve())
	}
	private := slices.DeleteFunc(both, func(entry string) bool { return strings.HasPrefix(entry, "DIRESCO_SPID_IPA_CODE=") })
	if c := read(t, private...); c.Serve() != nil {
		t.Errorf("private: %v", c.Serve())
	}
}

func TestSPID_TheNameHasNoPort(t *testing.T) {
	for name, environ := range map[string][]string{
		"public URL": {"DIRESCO_PUBLIC_URL=https://diresco.example.org:8443"},
		"entity id":  {"DIRESCO_SPID_ENTITY_ID=https://spid.example.org:8443"},
	} {
		c := read(t, append(spidServed(), environ...)...)
		if err := c.Serve(); err == nil || !strings.Contains(err.Error(), "without a port") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSPID_WrongValues(t *testing.T) {
	const wrong = "hunter2"
	for name, values := range map[string][]string{
		"SPID_METADATA":      {"/nowhere/" + wrong, "http://" + wrong + ".example.org", "https://u:" + wrong + "@a.it"},
		"CIE_METADATA":       {"ftp://" + wrong},
		"SPID_PRIVATE":       {"/nowhere/" + wrong},
		"SPID_METADATA_CERT": {"/nowhere/" + wrong},
		"CIE_METADATA_CERT":  {"/nowhere/" + wrong},
		"SPID_KEYS":          {"/nowhere/" + wrong, os.Args[0] + ",/nowhere/" + wrong},
		"SPID_ENTITY_ID":     {wrong, "http://" + wrong + ".it"},
		"SPID_ATTRIBUTES":    {wrong, "name,familyName", "name,familyName,fiscalNumber,name", "name,familyName,fiscalNumber,gender"},
		"SPID_COMPARISON":    {wrong, "maximum"},
		"SPID_BINDING":       {wrong},
		"SPID_IPA_CODE":      {wrong + " x"},
		"SPID_EMAIL":         {wrong, "Name <" + wrong + "@a.it>"},
		"SPID_TELEPHONE":     {wrong, "06 1234"},
		"CIE_MUNICIPALITY":   {wrong, "Roma"},
	} {
		for _, value := range values {
			_, err := config.Read([]string{"DIRESCO_" + name + "=" + value})
			if err == nil || strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "\n") ||
				!strings.HasPrefix(err.Error(), "DIRESCO_"+name+": must be ") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}
