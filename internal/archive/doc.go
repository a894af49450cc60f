// Package archive is the file that a backup is: rows of the store, encrypted
// with age to one or more recipients, from one consistent state.
//
// Inside age (binary) is gzip, and inside that one JSON value a line: a Header,
// the rows table by table, and a Closing with how many there were and the
// SHA-256 of all lines before it. So an archive that was cut short, or that has
// another byte anywhere, is known for it, and standard tools read it:
//
//	age -d -i key.txt FILE | gunzip | head -1
//
// age does not say who wrote an archive: everyone who knows a recipient can.
// The Closing therefore carries a seal, made and checked by the caller with keys
// that only the installation has.
//
// It refuses to know what the rows mean and which of them belong in which file.
package archive
