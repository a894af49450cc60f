package kms

import (
	"fmt"
	"strings"

	"daypass/internal/identity"
)

// maxSearch bounds the text of a search.
const maxSearch = 256

// search is what GET keys searches for: a text in names or aliases, without regard
// to case.
type search struct {
	text    string // in lower case
	not     bool   // keys that do not have it
	exact   bool   // the whole name or alias
	aliases bool
	names   bool
}

// parseSearch reads "[not:][exact:][alias:|name:][escape:]text". The prefixes
// stand in any order; behind escape: all is text. One comma at the end is not part
// of it: IBM's client for Go adds it. KindValidation.
func parseSearch(s string) (*search, error) {
	out := &search{}
	if len(s) > maxSearch {
		return nil, badField("search", fmt.Sprintf("has at most %d characters", maxSearch))
	}
	s = strings.TrimSuffix(s, ",")
	for more := true; more; {
		word, rest, found := strings.Cut(s, ":")
		switch more = found; {
		case !found:
		case word == "escape":
			more = false
		case word == "not" && !out.not:
			out.not = true
		case word == "exact" && !out.exact:
			out.exact = true
		case word == "alias" && !out.aliases && !out.names:
			out.aliases = true
		case word == "name" && !out.aliases && !out.names:
			out.names = true
		default:
			found, more = false, false // a colon of the text
		}
		if found {
			s = rest
		}
	}
	if s == "" {
		return nil, badField("search", "searches for nothing")
	}
	if !out.aliases && !out.names {
		out.aliases, out.names = true, true
	}
	out.text = strings.ToLower(s)
	return out, nil
}

// finds reports whether a key is one of those searched for; nil finds all.
func (s *search) finds(k *identity.KMSKey) bool {
	if s == nil {
		return true
	}
	found := s.names && s.in(k.Name)
	for i := 0; s.aliases && !found && i < len(k.Aliases); i++ {
		found = s.in(k.Aliases[i].Name)
	}
	return found != s.not
}

func (s *search) in(text string) bool {
	text = strings.ToLower(text)
	if s.exact {
		return text == s.text
	}
	return strings.Contains(text, s.text)
}

// badField is the refusal of a parameter or a property.
func badField(name, sentence string) error {
	return refuse(identity.KindValidation, ReasonBadField, "The value of "+name+" "+sentence+".")
}
