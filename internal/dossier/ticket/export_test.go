package ticket

import "diresco/internal/kernel/access"

// SetStride has lists over all of somebody's contributors go in another way.
func (s *Service) SetStride(stride access.Stride) { s.stride = stride }
