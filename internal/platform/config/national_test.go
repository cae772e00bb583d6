package config

import "testing"

// Without a setting a national identity decides which logins manage delegations.
func TestConfig_DelegationLoginByWhatThereIs(t *testing.T) {
	base := func(given ...string) *Config {
		c := &Config{Addr: "127.0.0.1:8080", DatabaseURL: "sqlite:x", DataDir: "/nowhere", given: map[string]bool{}}
		for _, name := range given {
			c.given[name] = true
		}
		return c
	}
	for _, tt := range []struct {
		config *Config
		want   string
	}{
		{base(), AnyLogin},
		{base("SPID_METADATA"), StrongLogin},
		{base("OIDC_PROVIDERS"), StrongLogin},
		{base("CNS_ADDR"), StrongLogin},
		{base("CNS_HEADER"), StrongLogin},
	} {
		if err := tt.config.Serve(); err != nil || tt.config.DelegationLogin != tt.want {
			t.Errorf("with %v: %s %v", tt.config.given, tt.config.DelegationLogin, err)
		}
	}
	chosen := base("SPID_METADATA")
	chosen.DelegationLogin = AnyLogin
	if err := chosen.Serve(); err != nil || chosen.DelegationLogin != AnyLogin {
		t.Errorf("what is set is %s %v", chosen.DelegationLogin, err)
	}
	sandbox := base("SPID_METADATA")
	if err := sandbox.Sandbox(); err != nil || sandbox.DelegationLogin != AnyLogin {
		t.Errorf("the sandbox has %s %v", sandbox.DelegationLogin, err)
	}
}
