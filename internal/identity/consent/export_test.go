package consent

// SetPeopleAtOnce changes of how many people consents end in one transaction.
func (s *Service) SetPeopleAtOnce(n int) { s.peopleAtOnce = n }
