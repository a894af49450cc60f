package main

import (
	"os"
	"path/filepath"
	"strings"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// ibmEnvProof is the variable that holds a proof, "" for none.
func ibmEnvProof() string {
	for _, name := range []string{envIBMAPIKey, envIBMCRToken} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// proveIBM shows what flags, environment or a person give.
func (f *loginFlags) proveIBM(v *ibmVerb, facts client.IBMFacts) (client.IBMToken, error) {
	byPassword := v.profile.Username != "" || f.argvPassword != "" || f.secretGiven()
	switch env := ibmEnvProof(); {
	case f.ibm.apiKey != "":
		return f.byAPIKey(v, f.ibm.apiKey)
	case f.ibm.sso:
		return f.byPasscode(v, facts)
	case env == envIBMAPIKey && f.over.Username == "":
		return f.show(v, client.IBMProof{APIKey: identity.Secret(os.Getenv(envIBMAPIKey))})
	case env == envIBMCRToken && f.over.Username == "":
		return f.byCRToken(v)
	case !byPassword && !interactive():
		return client.IBMToken{}, &usageError{v.c.CommandPath(), errNoProof}
	}
	return f.byIBMPassword(v, facts)
}

// show shows a proof and says so.
func (f *loginFlags) show(v *ibmVerb, proof client.IBMProof) (client.IBMToken, error) {
	v.say("Authenticating...")
	proof.Account = f.ibm.account
	return v.keeper.IBMLogIn(v.c.Context(), proof)
}

// byAPIKey takes a key, or @FILE.
func (f *loginFlags) byAPIKey(v *ibmVerb, given string) (client.IBMToken, error) {
	path, isFile := strings.CutPrefix(given, "@")
	if !isFile {
		notices(v.c)("the API key stands on the command line, where other users of this machine and the history of the shell see it: give --apikey @FILE, or $" + envIBMAPIKey)
		return f.show(v, client.IBMProof{APIKey: identity.Secret(given)})
	}
	text, err := wholeSecret(v.c, path)
	if err != nil {
		return client.IBMToken{}, err
	}
	key, err := keyOf(text, path)
	if err != nil {
		return client.IBMToken{}, err
	}
	return f.show(v, client.IBMProof{APIKey: key})
}

// byCRToken takes the token of a compute resource, or @FILE, and the trusted
// profile that it is for. The file is read again when the log-in ends.
func (f *loginFlags) byCRToken(v *ibmVerb) (client.IBMToken, error) {
	var proof client.IBMProof
	given := os.Getenv(envIBMCRToken)
	switch path, isFile := strings.CutPrefix(given, "@"); {
	case isFile && path == "-":
		token, err := wholeSecret(v.c, path)
		if err != nil {
			return client.IBMToken{}, err
		}
		proof.CRToken = identity.Secret(strings.TrimSpace(token.Reveal()))
	case isFile:
		file, err := filepath.Abs(path) // other verbs run in other directories
		if err != nil {
			return client.IBMToken{}, err
		}
		proof.CRTokenFile = file
	default:
		proof.CRToken = identity.Secret(strings.TrimSpace(given))
	}
	if name := os.Getenv(envIBMCRProfile); strings.HasPrefix(name, "Profile-") {
		proof.ProfileID = name
	} else {
		proof.ProfileName = name
	}
	return f.show(v, proof)
}

// byPasscode has a person fetch a one-time code.
func (f *loginFlags) byPasscode(v *ibmVerb, facts client.IBMFacts) (client.IBMToken, error) {
	if facts.Passcode == "" {
		return client.IBMToken{}, identity.NewError(identity.KindNotImplemented, "ibm.sso", "this installation gives no one-time codes: log in with a password or an API key")
	}
	v.say("Get a one-time code from %s to proceed.", cell(facts.Passcode))
	var code identity.Secret
	var err error
	switch {
	case f.secretGiven():
		code, err = f.secretOf(v.c)
	case !interactive():
		return client.IBMToken{}, &usageError{v.c.CommandPath(), errNoTerminalForCode}
	default:
		if err = offerBrowser(v, facts.Passcode); err == nil {
			code, err = askHidden(v.c, "One-time code > ")
		}
	}
	if err != nil {
		return client.IBMToken{}, err
	}
	return f.show(v, client.IBMProof{Passcode: identity.Secret(strings.TrimSpace(code.Reveal()))})
}

// byIBMPassword shows a password, and the code of a device where one is owed.
func (f *loginFlags) byIBMPassword(v *ibmVerb, facts client.IBMFacts) (client.IBMToken, error) {
	p := &v.profile
	if p.Username == "" {
		if !interactive() {
			return client.IBMToken{}, &usageError{v.c.CommandPath(), errNoProof}
		}
		name, err := ask(v.c, "User name or e-mail > ")
		if err != nil {
			return client.IBMToken{}, err
		}
		p.Username = name
	}
	password := f.argvPassword
	if password == "" {
		var err error
		if password, err = f.password(v.c, p.Username); err != nil {
			return client.IBMToken{}, err
		}
	}
	proof := client.IBMProof{Username: p.Username, Password: password}
	token, err := f.show(v, proof)
	if identity.KindOf(err) == identity.KindMFARequired && interactive() {
		if proof.Code, err = askHidden(v.c, "Code of your device > "); err != nil {
			return client.IBMToken{}, err
		}
		token, err = f.show(v, proof)
	}
	return token, ssoHint(v, facts, err)
}
