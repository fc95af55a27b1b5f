// Package python carries the project's Python code inside the binary, so that a managed environment can be given the
// very files that the binary was built with.
package python

import "embed"

// Engine holds the local engine's scripts and lock files, under engine/.
//
//go:embed engine/*.py engine/*.lock
var Engine embed.FS

// Worker holds the training worker's package and its lock file, under rungworker/.
//
//go:embed rungworker/*.py rungworker/requirements.lock
var Worker embed.FS

// Spread holds what spreads row work over a Ray cluster, and its lock file, under spread/.
//
//go:embed spread/driver.py spread/requirements.lock
var Spread embed.FS
