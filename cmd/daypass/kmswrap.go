package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass/internal/identity"
)

// inFile is a file that is read: "-" for standard input, "" for none. Secrets come
// this way and never on the command line, where others see them.
type inFile struct {
	path    string
	encoded bool // in base64
}

func (f *inFile) add(c *cobra.Command, name, usage string) {
	c.Flags().StringVar(&f.path, name, f.path, usage)
	c.Flags().BoolVar(&f.encoded, strings.TrimSuffix(name, "-file")+"-base64", false, "the file holds base64")
}

// read returns what is in the file, nil for none.
func (f *inFile) read(c *cobra.Command) ([]byte, error) {
	if f.path == "" {
		return nil, nil
	}
	if in, ok := c.InOrStdin().(*os.File); ok && f.path == "-" && term.IsTerminal(int(in.Fd())) {
		return nil, &usageError{c.CommandPath(), errors.New("standard input is a terminal: name a file, or pipe something in")}
	}
	text, err := wholeSecret(c, f.path)
	if err != nil {
		return nil, err
	}
	data := []byte(text.Reveal())
	if len(data) == 0 {
		return nil, identity.NewError(identity.KindValidation, "kms.read", f.name()+" is empty")
	}
	if !f.encoded {
		return data, nil
	}
	out, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, identity.NewError(identity.KindValidation, "kms.read", f.name()+" does not hold base64")
	}
	return out, nil
}

func (f *inFile) name() string {
	if f.path == "-" {
		return "standard input"
	}
	return f.path
}

// outFile is a file that is written, which you alone may read: "-" and "" for
// standard output.
type outFile struct {
	path  string
	force bool
}

func (f *outFile) addForce(c *cobra.Command) {
	c.Flags().BoolVar(&f.force, "force", false, "replace a file that is there")
}

// ready complains of a file that is there, before anything is asked for that goes
// into it.
func (f *outFile) ready() error {
	if f.device() {
		return nil
	}
	if _, err := os.Lstat(f.path); f.path == "" || f.path == "-" || f.force || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s is there already: name another file, or give --force", f.path)
}

// device reports whether the path is something to write to that must not be
// replaced: a device, a pipe.
func (f *outFile) device() bool {
	info, err := os.Stat(f.path)
	return err == nil && !info.Mode().IsRegular()
}

// write writes the file; one that is there stays until the new one is whole.
func (f *outFile) write(c *cobra.Command, data []byte) error {
	if f.path == "" || f.path == "-" {
		_, err := c.OutOrStdout().Write(data)
		return err
	}
	if f.device() {
		made, err := os.OpenFile(f.path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = made.Write(data)
		return errors.Join(err, made.Close())
	}
	if err := f.ready(); err != nil {
		return err
	}
	made, err := os.CreateTemp(filepath.Dir(f.path), ".daypass-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = made.Write(data)
	if err = errors.Join(err, made.Sync(), made.Close()); err == nil {
		err = os.Rename(made.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(made.Name()))
	}
	return nil
}

// writeBase64 writes what a text in base64 holds.
func (f *outFile) writeBase64(c *cobra.Command, text identity.Secret) error {
	data, err := base64.StdEncoding.DecodeString(text.Reveal())
	if err != nil {
		return identity.NewError(identity.KindInternal, "kms.write", "the answer does not hold base64")
	}
	return f.write(c, data)
}

// wrapFlags are those of `daypass kms wrap`.
type wrapFlags struct {
	kmsFlags
	in      inFile
	out     outFile
	dataKey string // file for a new data key
	aad     []string
}

func newKMSWrap() *cobra.Command {
	f := wrapFlags{in: inFile{path: "-"}}
	c := &cobra.Command{
		Use:   "wrap KEY",
		Short: "Wrap a secret, or a new data key, by a root key",
		Long: `Wrap what --in or standard input holds, at most some 7000 bytes, by a root key. The
wrapped text, one line, is no secret: it opens with the same key alone, and with
the same --aad where that was given.

With --new-key FILE a new data key of 32 random bytes is made: it goes into FILE,
which you alone may read, and wrapped to --out or standard output. Encrypt your
data with it, keep the wrapped key beside the data, and delete FILE.`,
		Example: `  daypass kms wrap backups --in password.txt --out password.wrapped
  daypass kms wrap backups --new-key data.key --aad db=orders > data.key.wrapped`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error { return f.wrap(v, args[0]) }),
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&f.in.path, "in", "-", "`file` with what is wrapped, - for standard input")
	flags.StringVar(&f.out.path, "out", "", "`file` for the wrapped text (default standard output)")
	flags.StringVar(&f.dataKey, "new-key", "", "wrap a new data key, and write it to this `file`")
	flags.StringArrayVar(&f.aad, "aad", nil, "`text` without which it does not unwrap; may be given again")
	f.out.addForce(c)
	return c
}

func (f *wrapFlags) wrap(v *kmsVerb, name string) error {
	keyFile := outFile{path: f.dataKey, force: f.out.force}
	if f.dataKey != "" {
		if v.c.Flags().Changed("in") || f.dataKey == "-" {
			return &usageError{v.c.CommandPath(), errors.New("--new-key makes what is wrapped, into a file: leave --in out, and name a file")}
		}
		f.in.path = ""
	}
	if err := errors.Join(keyFile.ready(), f.out.ready()); err != nil {
		return err
	}
	plaintext, err := f.in.read(v.c)
	if err != nil {
		return err
	}
	k, err := v.key(name, false)
	if err != nil {
		return err
	}
	answer, err := v.keeper.WrapKMS(v.c.Context(), v.instance, k.ID, plaintext, f.aad)
	if err != nil {
		return err
	}
	if f.dataKey != "" {
		if err := keyFile.write(v.c, answer.Plaintext); err != nil {
			return err
		}
		answer.Plaintext = nil
	}
	if v.asJSON {
		return v.json(answer)
	}
	return f.out.write(v.c, []byte(answer.Ciphertext+"\n"))
}

func newKMSUnwrap() *cobra.Command {
	var (
		f     kmsFlags
		in    = inFile{path: "-"}
		out   outFile
		again string
		aad   []string
	)
	c := &cobra.Command{
		Use:   "unwrap KEY",
		Short: "Unwrap what wrap wrapped",
		Long: `Unwrap the text that --in or standard input holds. What was wrapped goes to --out,
a file that you alone may read, or to standard output, byte for byte.

If the key was rotated since, the text is wrapped anew under its newest version:
--rewrapped FILE takes it, and may be the file of --in, which is then replaced.`,
		Example: `  daypass kms unwrap backups --in data.key.wrapped --out data.key --aad db=orders
  daypass kms unwrap backups --rewrapped data.key.wrapped --in data.key.wrapped | openssl …`,
		Args: oneArg(nameKMSKey),
		RunE: f.serve(func(v *kmsVerb, args []string) error {
			if err := out.ready(); err != nil {
				return err
			}
			text, err := in.read(v.c)
			if err != nil {
				return err
			}
			k, err := v.key(args[0], false)
			if err != nil {
				return err
			}
			answer, err := v.keeper.UnwrapKMS(v.c.Context(), v.instance, k.ID, strings.TrimSpace(string(text)), aad)
			if err != nil {
				return err
			}
			if again != "" && answer.Ciphertext != "" {
				rewrapped := outFile{path: again, force: out.force || again == in.path}
				if err := rewrapped.write(v.c, []byte(answer.Ciphertext+"\n")); err != nil {
					return err
				}
				notices(v.c)("the key was rotated: " + again + " holds the text as its newest version wraps it")
			}
			if v.asJSON {
				return v.json(answer)
			}
			return out.write(v.c, answer.Plaintext)
		}),
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&in.path, "in", "-", "`file` with the wrapped text, - for standard input")
	flags.StringVar(&out.path, "out", "", "`file` for what was wrapped (default standard output)")
	flags.StringVar(&again, "rewrapped", "", "`file` for the text wrapped anew, where the key was rotated")
	flags.StringArrayVar(&aad, "aad", nil, "`text` that was given to wrap; may be given again")
	out.addForce(c)
	return c
}
