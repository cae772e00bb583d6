package declarationbatch

import "diresco/internal/platform/job"

// Step files one group, as a worker of its own.
func (s *Service) Step() job.Step { return s.next() }

// FileName is how the item's receipt is called in an archive.
func (i Item) FileName() string { return i.fileName() }

// LeaseTime is how long a batch waits whose process died.
const LeaseTime = leaseTime
