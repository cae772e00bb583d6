package contributor

import (
	"slices"

	"diresco/internal/kernel/access"
)

// Services lists the services that a contributor of the kind has: those of public bodies are theirs
// alone.
func (k Kind) Services() []access.Service {
	if k == PublicBody {
		return access.Services()
	}
	return slices.DeleteFunc(access.Services(), func(s access.Service) bool { return slices.Contains(access.PublicBodyServices(), s) })
}
