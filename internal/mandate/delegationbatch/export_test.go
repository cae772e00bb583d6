package delegationbatch

import "diresco/internal/mandate/delegation"

// Delegations are what the service drafts.
func (s *Service) Delegations() *delegation.Service { return s.delegations }
