//go:build !linux

package tune

// availableMemory is not known here: a job is started, and an error tells when the memory was not enough.
func availableMemory() int64 { return 0 }

// trainingBytes is the size of a weight in the type that the worker trains in; float32 is the larger of the two.
func trainingBytes() int64 { return 4 }
