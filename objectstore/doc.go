// Package objectstore is the embedded S3 store of Daypass: versitygw's posix
// backend, served on one unix socket to one client, the gateway.
//
// It is a module and a binary of its own so that the sixty-odd modules behind
// it are never linked into the server that holds credentials. It knows no
// accounts, no policies and no users: whoever holds the one key pair it was
// started with may do everything, and it has no other door.
//
// What it keeps: objects as plain files ROOT/bucket/key, their metadata as
// extended attributes (or, where the file system has none, as files below
// META/sidecar), older versions below META/versions.
package objectstore
