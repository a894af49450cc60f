// Package sts is the dialect of the security token service: the query
// protocol, version 2011-06-15. What its table of actions does not hold answers
// InvalidAction.
//
// It decodes, checks that each parameter is of the form that the API's model
// demands, calls packages access and issue, and encodes. It refuses to know
// which token is trusted, who may assume what, and how long a session may last
// beyond the bounds of the model.
package sts
