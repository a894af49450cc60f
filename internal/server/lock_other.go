//go:build !unix

package server

import "os"

// LockFile has no lock to take here; the store's own must do.
func LockFile(*os.File) (taken bool, err error) { return true, nil }
