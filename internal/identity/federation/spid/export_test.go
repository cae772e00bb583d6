package spid

// RuleNames are the rules about answers, in the order in which they are looked at.
func RuleNames() []string {
	var all []string
	for _, r := range messageRules {
		all = append(all, r.name)
	}
	for _, r := range assertionRules {
		all = append(all, r.name)
	}
	for _, r := range verifiedRules {
		all = append(all, r.name)
	}
	return all
}
