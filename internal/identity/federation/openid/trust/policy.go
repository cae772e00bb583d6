package trust

import (
	"reflect"
	"slices"
	"strings"
)

// operators are those of the standard, in the order in which they are applied (section 6.1.3.1).
var operators = []string{"value", "add", "default", "one_of", "subset_of", "superset_of", "essential"}

// rules are the operators of one parameter.
type rules map[string]any

// policy has the rules of each parameter.
type policy map[string]rules

// merge joins what a subordinate's superior demands to what stands above it. Neither can loosen
// what the other demands. The names in critical are operators that must be known.
func (p policy) merge(lower map[string]map[string]any, critical []string) error {
	for _, name := range critical {
		if !slices.Contains(operators, name) {
			return ErrPolicy
		}
	}
	for parameter, demands := range lower {
		merged := p[parameter]
		if merged == nil {
			merged = rules{}
		}
		for _, operator := range operators {
			demand, given := demands[operator]
			if !given {
				continue
			}
			before, there := merged[operator]
			if !there {
				merged[operator] = demand
				continue
			}
			joined, err := join(operator, before, demand)
			if err != nil {
				return err
			}
			merged[operator] = joined
		}
		if err := merged.check(parameter); err != nil {
			return err
		}
		p[parameter] = merged
	}
	return nil
}

// join makes one demand of two by the same operator.
func join(operator string, a, b any) (any, error) {
	switch operator {
	case "value", "default":
		if !reflect.DeepEqual(a, b) {
			return nil, ErrPolicy
		}
		return a, nil
	case "essential":
		x, isX := a.(bool)
		y, isY := b.(bool)
		if !isX || !isY {
			return nil, ErrPolicy
		}
		return x || y, nil
	}
	x, isX := a.([]any)
	y, isY := b.([]any)
	if !isX || !isY {
		return nil, ErrPolicy
	}
	if operator == "add" || operator == "superset_of" {
		return union(x, y), nil
	}
	both := intersection(x, y)
	if operator == "one_of" && len(both) == 0 {
		return nil, ErrPolicy
	}
	return both, nil
}

// check tells whether the operators of a parameter may stand together (section 6.1.3.1).
func (r rules) check(parameter string) error {
	for operator, demand := range r {
		_, isList := demand.([]any)
		_, isBool := demand.(bool)
		switch operator {
		case "add", "one_of", "subset_of", "superset_of":
			if !isList {
				return ErrPolicy
			}
		case "essential":
			if !isBool {
				return ErrPolicy
			}
		case "default":
			if demand == nil {
				return ErrPolicy
			}
		}
	}
	list := func(operator string) ([]any, bool) {
		demand, there := r[operator].([]any)
		return demand, there
	}
	add, hasAdd := list("add")
	subset, hasSubset := list("subset_of")
	superset, hasSuperset := list("superset_of")
	oneOf, hasOneOf := list("one_of")
	wrong := hasOneOf && (hasAdd || hasSubset || hasSuperset) ||
		hasAdd && hasSubset && !contains(subset, add) ||
		hasSubset && hasSuperset && !contains(subset, superset)
	if value, has := r["value"]; has {
		held, isList := values(parameter, value)
		_, hasDefault := r["default"]
		wrong = wrong || value == nil && (hasDefault || hasAdd || hasOneOf || hasSubset || hasSuperset || r["essential"] == true)
		if value != nil {
			wrong = wrong || hasOneOf && !holds(oneOf, value) ||
				(hasAdd || hasSubset || hasSuperset) && !isList ||
				hasAdd && !contains(held, add) || hasSubset && !contains(subset, held) || hasSuperset && !contains(held, superset)
		}
	}
	if wrong {
		return ErrPolicy
	}
	return nil
}

// apply changes the metadata of one type as the policy says, or refuses them.
func (p policy) apply(metadata map[string]any) error {
	for parameter, demands := range p {
		for _, operator := range operators {
			demand, given := demands[operator]
			if !given {
				continue
			}
			if err := applyOne(metadata, parameter, operator, demand); err != nil {
				return err
			}
		}
	}
	return nil
}

func applyOne(metadata map[string]any, parameter, operator string, demand any) error {
	present, there := metadata[parameter]
	demanded, _ := demand.([]any)
	switch operator {
	case "value":
		if demand == nil {
			delete(metadata, parameter)
		} else {
			metadata[parameter] = demand
		}
		return nil
	case "default":
		if !there {
			metadata[parameter] = demand
		}
		return nil
	case "essential":
		if demand == true && !there {
			return ErrPolicy
		}
		return nil
	case "one_of":
		if there && !holds(demanded, present) {
			return ErrPolicy
		}
		return nil
	}
	if !there && operator != "add" {
		return nil
	}
	held, isList := values(parameter, present)
	if there && !isList {
		return ErrPolicy
	}
	switch operator {
	case "add":
		metadata[parameter] = written(parameter, union(held, demanded))
	case "subset_of":
		if held = intersection(held, demanded); len(held) == 0 {
			delete(metadata, parameter)
		} else {
			metadata[parameter] = written(parameter, held)
		}
	case "superset_of":
		if !contains(held, demanded) {
			return ErrPolicy
		}
	}
	return nil
}

// values returns a parameter as a list. The scope is one, written with spaces.
func values(parameter string, value any) ([]any, bool) {
	if text, isText := value.(string); isText && parameter == "scope" {
		list := []any{}
		for _, word := range strings.Fields(text) {
			list = append(list, word)
		}
		return list, true
	}
	list, isList := value.([]any)
	return list, isList
}

// written is the inverse of values.
func written(parameter string, list []any) any {
	if parameter != "scope" {
		return list
	}
	words := make([]string, 0, len(list))
	for _, value := range list {
		if word, isText := value.(string); isText {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func holds(list []any, value any) bool {
	return slices.ContainsFunc(list, func(one any) bool { return reflect.DeepEqual(one, value) })
}

func contains(list, wanted []any) bool {
	return !slices.ContainsFunc(wanted, func(one any) bool { return !holds(list, one) })
}

func union(a, b []any) []any {
	all := slices.Clone(a)
	for _, one := range b {
		if !holds(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func intersection(a, b []any) []any {
	both := []any{}
	for _, one := range a {
		if holds(b, one) {
			both = append(both, one)
		}
	}
	return both
}
