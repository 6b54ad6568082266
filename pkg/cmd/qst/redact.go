package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// redacted is a URL without the password that may be in it. Of what is no URL of a server nothing is
// left: a password with characters that a URL can't have may stand anywhere in it.
func redacted(rawURL string) string {
	if rawURL == "" {
		return ""
	}
	if _, err := client.New(rawURL); err != nil {
		return "(not a URL)"
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}

// shown is an argument in quotes; but not what may be a URL with a password in the place of a name.
func shown(arg string) string {
	if strings.Contains(arg, "@") || strings.Contains(arg, "://") {
		return "(what may be a URL)"
	}
	return strconv.Quote(arg)
}

// quoted finds what an error of TOML repeats of the file.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)

// tomlError says where a file is not TOML, and why, without the part of a password or a URL that an
// error about one without quotes repeats.
func tomlError(err error) error {
	parse, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		return err
	}
	at := fmt.Sprintf("line %d", parse.Position.Line)
	if parse.LastKey != "" {
		at += fmt.Sprintf(" (last key %q)", parse.LastKey)
	}
	why := quoted.ReplaceAllString(parse.Message, "…")
	if why != parse.Message {
		why += ` (a text stands in quotes; between ' and ' it may have any other character)`
	}
	return fmt.Errorf("%s: %s", at, why)
}
