package contributor

import "diresco/internal/kernel/access"

// SetStride changes how lists over many contributors go.
func (r *Repository) SetStride(s access.Stride) { r.stride = s }
