package main

import (
	"errors"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// envNoBrowser, when set, is "no" to every offer to open a web page.
const envNoBrowser = "DAYPASS_NO_BROWSER"

var errNoTerminalForCode = errors.New("there is no terminal to ask on for the one-time code: give it with --password-stdin, --password-file or --password-command")

// offerBrowser offers to open a page, where there is a browser on a screen and
// nobody has declined for good.
func offerBrowser(v *ibmVerb, page string) error {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || v.profile.NoBrowser || os.Getenv(envNoBrowser) != "" || !onScreen() {
		return nil
	}
	answer, err := v.line("Open the URL in the default browser? [Y/n] > ")
	if err != nil {
		return err
	}
	if answer == "" || strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes") {
		if err := openPage(u.String()); err != nil {
			notices(v.c)("the browser could not be started: " + err.Error())
		}
	}
	return nil
}

// onScreen reports whether a browser would be seen by who types here.
func onScreen() bool {
	switch {
	case onCI() || os.Getenv("SSH_CONNECTION") != "" || os.Getenv("SSH_TTY") != "":
		return false
	case runtime.GOOS == "darwin" || runtime.GOOS == "windows":
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

func openPage(page string) error {
	name, args := "xdg-open", []string{page}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", page}
	}
	return exec.Command(name, args...).Start()
}
