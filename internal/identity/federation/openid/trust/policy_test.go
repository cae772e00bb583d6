package trust

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demands reads a policy as it is written.
func demands(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	var read map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestPolicy_Operators(t *testing.T) {
	for name, c := range map[string]struct{ policy, metadata, want string }{
		"value replaces":              {`{"a": {"value": 2}}`, `{"a": 1}`, `{"a": 2}`},
		"value adds":                  {`{"a": {"value": ["x"]}}`, `{}`, `{"a": ["x"]}`},
		"value null removes":          {`{"a": {"value": null}}`, `{"a": 1, "b": 2}`, `{"b": 2}`},
		"add":                         {`{"a": {"add": ["x", "y"]}}`, `{"a": ["y", "z"]}`, `{"a": ["y", "z", "x"]}`},
		"add where there is nothing":  {`{"a": {"add": ["x"]}}`, `{}`, `{"a": ["x"]}`},
		"add to what is no list":      {`{"a": {"add": ["x"]}}`, `{"a": "y"}`, ``},
		"add to a scope":              {`{"scope": {"add": ["openid"]}}`, `{"scope": "profile"}`, `{"scope": "profile openid"}`},
		"default":                     {`{"a": {"default": 1}}`, `{}`, `{"a": 1}`},
		"default is not needed":       {`{"a": {"default": 1}}`, `{"a": 2}`, `{"a": 2}`},
		"one of":                      {`{"a": {"one_of": ["x", "y"]}}`, `{"a": "y"}`, `{"a": "y"}`},
		"none of":                     {`{"a": {"one_of": ["x", "y"]}}`, `{"a": "z"}`, ``},
		"one of nothing":              {`{"a": {"one_of": ["x"]}}`, `{}`, `{}`},
		"subset":                      {`{"a": {"subset_of": ["x", "y"]}}`, `{"a": ["z", "y"]}`, `{"a": ["y"]}`},
		"empty subset":                {`{"a": {"subset_of": ["x"]}}`, `{"a": ["z"], "b": 1}`, `{"b": 1}`},
		"subset of a scope":           {`{"scope": {"subset_of": ["openid", "email"]}}`, `{"scope": "openid profile"}`, `{"scope": "openid"}`},
		"essential subset is empty":   {`{"a": {"subset_of": ["x"], "essential": true}}`, `{"a": ["z"]}`, ``},
		"superset":                    {`{"a": {"superset_of": ["x"]}}`, `{"a": ["x", "y"]}`, `{"a": ["x", "y"]}`},
		"no superset":                 {`{"a": {"superset_of": ["x"]}}`, `{"a": ["y"]}`, ``},
		"superset of nothing":         {`{"a": {"superset_of": ["x"]}}`, `{}`, `{}`},
		"essential":                   {`{"a": {"essential": true}}`, `{}`, ``},
		"not essential":               {`{"a": {"essential": false}}`, `{}`, `{}`},
		"default is essential enough": {`{"a": {"default": 1, "essential": true}}`, `{}`, `{"a": 1}`},
		"unknown operator is ignored": {`{"a": {"regexp": "x"}}`, `{"a": "y"}`, `{"a": "y"}`},
	} {
		p := policy{}
		if err := p.merge(demands(t, c.policy), nil); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var metadata, want map[string]any
		if err := json.Unmarshal([]byte(c.metadata), &metadata); err != nil {
			t.Fatal(err)
		}
		err := p.apply(metadata)
		if c.want == "" {
			if !errors.Is(err, ErrPolicy) {
				t.Errorf("%s: got %v and %v", name, metadata, err)
			}
			continue
		}
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, metadata); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestPolicy_MergesWithWhatStandsAbove(t *testing.T) {
	for name, c := range map[string]struct{ above, below, want string }{
		"equal values":          {`{"value": 1}`, `{"value": 1}`, `{"value": 1}`},
		"other values":          {`{"value": 1}`, `{"value": 2}`, ``},
		"added":                 {`{"add": ["x"]}`, `{"add": ["y"]}`, `{"add": ["x", "y"]}`},
		"equal defaults":        {`{"default": 1}`, `{"default": 1}`, `{"default": 1}`},
		"other defaults":        {`{"default": 1}`, `{"default": 2}`, ``},
		"one of both":           {`{"one_of": ["x", "y"]}`, `{"one_of": ["y", "z"]}`, `{"one_of": ["y"]}`},
		"one of neither":        {`{"one_of": ["x"]}`, `{"one_of": ["z"]}`, ``},
		"subset of both":        {`{"subset_of": ["x", "y"]}`, `{"subset_of": ["y", "z"]}`, `{"subset_of": ["y"]}`},
		"superset of both":      {`{"superset_of": ["x"]}`, `{"superset_of": ["y"]}`, `{"superset_of": ["x", "y"]}`},
		"essential above":       {`{"essential": true}`, `{"essential": false}`, `{"essential": true}`},
		"value not one of":      {`{"one_of": ["x"]}`, `{"value": "y"}`, ``},
		"value one of":          {`{"one_of": ["x"]}`, `{"value": "x"}`, `{"one_of": ["x"], "value": "x"}`},
		"value beyond subset":   {`{"subset_of": ["x"]}`, `{"value": ["x", "y"]}`, ``},
		"value below superset":  {`{"superset_of": ["x"]}`, `{"value": ["y"]}`, ``},
		"value without added":   {`{"add": ["x"]}`, `{"value": ["y"]}`, ``},
		"null is essential":     {`{"essential": true}`, `{"value": null}`, ``},
		"null with a default":   {`{"default": 1}`, `{"value": null}`, ``},
		"added beyond subset":   {`{"subset_of": ["x"]}`, `{"add": ["y"]}`, ``},
		"superset beyond":       {`{"subset_of": ["x"]}`, `{"superset_of": ["x", "y"]}`, ``},
		"one of and subset":     {`{"one_of": ["x"]}`, `{"subset_of": ["x"]}`, ``},
		"one of and added":      {`{"one_of": ["x"]}`, `{"add": ["x"]}`, ``},
		"default null":          {`{}`, `{"default": null}`, ``},
		"a list that is none":   {`{}`, `{"one_of": "x"}`, ``},
		"a yes that is none":    {`{}`, `{"essential": "yes"}`, ``},
		"lists that are none":   {`{"add": ["x"]}`, `{"add": "x"}`, ``},
		"essential that is not": {`{"essential": true}`, `{"essential": 1}`, ``},
	} {
		p := policy{}
		err := p.merge(demands(t, `{"a": `+c.above+`}`), nil)
		if err == nil {
			err = p.merge(demands(t, `{"a": `+c.below+`}`), nil)
		}
		if c.want == "" {
			if !errors.Is(err, ErrPolicy) {
				t.Errorf("%s: got %v and %v", name, p, err)
			}
			continue
		}
		want := policy{"a": rules(demands(t, `{"a": `+c.want+`}`)["a"])}
		if diff := cmp.Diff(want, p); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestPolicy_CriticalOperatorMustBeKnown(t *testing.T) {
	if err := (policy{}).merge(nil, []string{"regexp"}); !errors.Is(err, ErrPolicy) {
		t.Error(err)
	}
	if err := (policy{}).merge(nil, []string{"value"}); err != nil {
		t.Error(err)
	}
}

func TestConstraints_Names(t *testing.T) {
	for _, c := range []struct {
		entity, host string
		want         bool
	}{
		{"https://a.example.org/x", "a.example.org", true},
		{"https://A.example.org", "a.EXAMPLE.org", true},
		{"https://a.example.org", ".example.org", true},
		{"https://b.a.example.org", ".example.org", true},
		{"https://example.org", ".example.org", false},
		{"https://aexample.org", ".example.org", false},
		{"https://a.example.org", "example.org", false},
		{"https://example.org.evil.example", "example.org", false},
		{"::", "example.org", false},
	} {
		if got := named(c.entity, []string{c.host}); got != c.want {
			t.Errorf("%s under %s: %v", c.entity, c.host, got)
		}
	}
}
