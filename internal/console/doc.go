// Package console serves the web pages for people: log-in, the Profile page
// with its keys, sessions, API tokens and security. It has a host name, a
// listener and defences of its own; nothing else is served there.
//
// A page is one entry in a table of pages and one file in templates. It knows
// no rule: it asks issue, directory and access, and shows the answer. Every
// page reads and works without JavaScript.
package console
