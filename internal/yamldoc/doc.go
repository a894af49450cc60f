// Package yamldoc reads the YAML files that people write (the site file, the
// server's configuration, the command line's profiles), strictly: an unknown
// key, a key given twice and a value of the wrong type are complaints, and
// every complaint names the file, the line and the key.
//
// It refuses to know what the keys mean.
package yamldoc
