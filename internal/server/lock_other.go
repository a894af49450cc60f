//go:build !unix

package server

import "os"

// lockFile has no lock to take here; the store's own must do.
func lockFile(*os.File) (taken bool, err error) { return true, nil }
