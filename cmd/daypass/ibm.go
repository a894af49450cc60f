package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// Variables of IBM's command line.
const (
	envIBMAPIKey    = "IBMCLOUD_API_KEY"
	envIBMCRToken   = "IBMCLOUD_CR_TOKEN"
	envIBMCRProfile = "IBMCLOUD_CR_PROFILE"
	envIBMTrace     = "IBMCLOUD_TRACE"
	envIBMColor     = "IBMCLOUD_COLOR"
	envIBMQuiet     = "IBMCLOUD_QUIET"
)

// ibmFlags are those of the verbs that speak IBM's dialect.
type ibmFlags struct {
	clientFlags
	output string
	quiet  bool
}

func (f *ibmFlags) add(c *cobra.Command) {
	f.clientFlags.add(c)
	f.addOutput(c)
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "leave out what only says what is being done (or $"+envIBMQuiet+")")
}

func (f *ibmFlags) addOutput(c *cobra.Command) {
	c.Flags().StringVar(&f.output, "output", "", "`form` of the answer: JSON")
	complete(c, "output", func() []string { return []string{"JSON"} })
}

// ibmVerb is a verb of IBM's dialect at work: who is logged in where, and where
// its words go.
type ibmVerb struct {
	c       *cobra.Command
	config  *client.Config
	profile client.Profile // as the file has it, with the flags
	keeper  *client.Keeper
	asJSON  bool
	quiet   bool
}

// serve makes a verb of IBM's dialect: what fails, fails in its words.
func (f *ibmFlags) serve(do func(v *ibmVerb, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		v, err := f.open(c)
		if err == nil {
			err = do(v, args)
		}
		return inIBMWords(err)
	}
}

// open reads the profile, which must be of IBM's kind.
func (f *ibmFlags) open(c *cobra.Command) (*ibmVerb, error) {
	config, p, err := f.resolve(c)
	if err != nil {
		return nil, err
	}
	if p.Kind != client.KindIBM {
		if p.Endpoint == "" {
			return nil, identity.NewError(identity.KindMissingAuthentication, "ibm.profile", "Not logged in. Use 'daypass login -a API_ENDPOINT' to log in.")
		}
		return nil, identity.NewError(identity.KindValidation, "ibm.profile", "profile "+p.Name+
			" is not one of IBM's dialect: name another with --profile, or make one with 'daypass login --profile NAME -a "+p.Endpoint+"'")
	}
	return f.verb(c, config, p)
}

func (f *ibmFlags) verb(c *cobra.Command, config *client.Config, p client.Profile) (*ibmVerb, error) {
	asJSON := strings.EqualFold(f.output, "json")
	if f.output != "" && !asJSON {
		return nil, &usageError{c.CommandPath(), fmt.Errorf("--output: %q is not JSON", f.output)}
	}
	f.debug = f.debug || os.Getenv(envIBMTrace) == "true"
	k, err := f.keeperOf(c, p)
	if err != nil {
		return nil, err
	}
	return &ibmVerb{c, config, p, k, asJSON, f.quiet || os.Getenv(envIBMQuiet) == "true"}, nil
}

// failedError is the error of a verb of IBM's dialect.
type failedError struct{ err error }

func (e *failedError) Error() string { return e.err.Error() }
func (e *failedError) Unwrap() error { return e.err }

func inIBMWords(err error) error {
	var usage *usageError
	var quiet silent
	if err == nil || errors.As(err, &usage) || errors.As(err, &quiet) {
		return err
	}
	return &failedError{err}
}

// Colours of terminals.
const (
	green = "\x1b[32;1m"
	red   = "\x1b[31;1m"
	plain = "\x1b[0m"
)

// paint colours a word for a terminal that wants colours.
func paint(w io.Writer, colour, word string) string {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || onCI() || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || os.Getenv(envIBMColor) == "false" {
		return word
	}
	return colour + word + plain
}

// say prints a line for people; nothing when the answer is JSON.
func (v *ibmVerb) say(format string, args ...any) {
	if !v.asJSON {
		fmt.Fprintf(v.c.OutOrStdout(), format+"\n", args...)
	}
}

// doing says what is being done, unless nobody wants to know.
func (v *ibmVerb) doing(format string, args ...any) {
	if !v.quiet {
		v.say(format, args...)
	}
}

func (v *ibmVerb) ok() { v.say("%s", paint(v.c.OutOrStdout(), green, "OK")) }

// row is a name and a value of a table.
type row [2]string

// rows prints a table of one thing.
func (v *ibmVerb) rows(rows ...row) error {
	w := tabwriter.NewWriter(v.c.OutOrStdout(), 0, 8, 3, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\n", r[0], cell(r[1]))
	}
	return w.Flush()
}

// table prints a table of many.
func (v *ibmVerb) table(lines [][]string) error {
	w := tabwriter.NewWriter(v.c.OutOrStdout(), 0, 8, 3, ' ', 0)
	for _, line := range lines {
		cells := make([]string, len(line))
		for i := range line {
			cells[i] = cell(line[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// cell is a text as a terminal may show it, on one line.
func cell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func yesNo(b bool) string { return fmt.Sprint(b) }

// json prints a value as JSON.
func (v *ibmVerb) json(value any) error { return printJSON(v.c.OutOrStdout(), value) }

// user is who is logged in, as people call it, and account where.
func (v *ibmVerb) who() (user, account string, err error) {
	t, err := v.keeper.IBMToken(v.c.Context(), client.RenewalWindow)
	return cell(cmp.Or(t.User, t.IAMID)), cell(t.Account), err
}

// line asks for a line, which may be empty.
func (v *ibmVerb) line(prompt string) (string, error) {
	fmt.Fprint(v.c.ErrOrStderr(), prompt)
	text, err := bufio.NewReader(io.LimitReader(os.Stdin, maxSecret)).ReadString('\n')
	return strings.TrimSpace(text), err
}

// confirmed asks before something is destroyed; force answers.
func (v *ibmVerb) confirmed(force bool, question string) (bool, error) {
	if force {
		return true, nil
	}
	if !interactive() {
		return false, &usageError{v.c.CommandPath(), fmt.Errorf("%w: give --force", errNoTerminal)}
	}
	answer, err := v.line(question + " [y/N] > ")
	if err != nil {
		return false, err
	}
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), nil
}

// oneOf finds the one thing that a name fits. More than one is a failure that
// names them all: nobody guesses.
func oneOf[T any](noun, name string, list []T, describe func(*T) (name, id string)) (*T, error) {
	var found []*T
	for i := range list {
		if n, id := describe(&list[i]); n == name || id == name {
			found = append(found, &list[i])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, identity.NewError(identity.KindNotFound, "ibm.find", noun+" "+name+" was not found")
	}
	text := fmt.Sprintf("%d of the name %s: name one by its ID:", len(found), name)
	for _, f := range found {
		_, id := describe(f)
		text += "\n  " + id
	}
	return nil, identity.NewError(identity.KindConflict, "ibm.find", "There are "+text)
}
