// Package identity holds the nouns of Daypass: accounts, principals, ARNs,
// credentials as values, lineage, feed positions, the closed list of error
// kinds, Secret and Clock.
//
// It refuses to know where any of these are stored, how they travel on a wire,
// and who is allowed to do what. It imports nothing of this repository.
package identity
