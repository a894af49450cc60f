// Package iam is the dialect of identity management: the query protocol,
// version 2010-05-08, with the actions on users and access keys. Every other
// action answers InvalidAction.
//
// It decodes, checks that each parameter is of the form that the API's model
// demands, calls packages access, directory and issue, and encodes. It refuses
// to know who may do what, which names are taken, and how many keys a user may
// have.
package iam
