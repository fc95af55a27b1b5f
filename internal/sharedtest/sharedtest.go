// Package sharedtest finds, for tests, reference data that are not part of the repository.
package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// File is the path of a file or folder of the reference data: under RUNG_SHARED, or in a directory named shared beside the repository.
// The test is skipped where it is missing.
func File(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{root(t)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference data %s are not on this machine (set RUNG_SHARED to the folder that holds them)", filepath.Join(elem...))
	}
	return path
}

// root is the folder of the reference data, which need not be there.
func root(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("RUNG_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no reference data: RUNG_SHARED is not set and no go.mod lies above the test")
		}
		dir = up
	}
}
