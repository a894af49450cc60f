// Package hostile holds the tests that treat a running Daypass badly: requests
// that no good client sends, credentials shown where they do not belong,
// accounts that reach for each other's things, processes killed under load.
//
// It makes its requests by hand, bytes and all, and starts the real binaries.
// DAYPASS_BIN names a directory that holds them; without it they are built.
// DAYPASS_SOAK=1 makes the long tests longer.
package hostile
