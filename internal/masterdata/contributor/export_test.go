package contributor

import "diresco/internal/kernel/access"

// SetStride changes how lists over many contributors go.
func (s *Service) SetStride(stride access.Stride) { s.repo.stride = stride }
