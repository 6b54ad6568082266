package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// config is the configuration file.
type config struct {
	Default  string              `toml:"default"`
	Profiles map[string]settings `toml:"profiles"`
}

// settings say how to talk to an endpoint. In a profile all of them are optional.
type settings struct {
	URL          string `toml:"url,omitempty"`
	User         string `toml:"user,omitempty"`
	Password     string `toml:"password,omitempty"`
	PasswordFile string `toml:"password-file,omitempty"`
	Wait         string `toml:"wait,omitempty"`

	// Of qst admin.
	AdminURL       string `toml:"admin-url,omitempty"`
	AdminToken     string `toml:"admin-token,omitempty"`
	AdminTokenFile string `toml:"admin-token-file,omitempty"`

	source string // where they are from, for errors
}

// or fills in from s what is missing.
func (s settings) or(other settings) settings {
	s.URL = cmp.Or(s.URL, other.URL)
	s.User = cmp.Or(s.User, other.User)
	if s.Password == "" && s.PasswordFile == "" {
		s.Password, s.PasswordFile = other.Password, other.PasswordFile
	}
	s.Wait = cmp.Or(s.Wait, other.Wait)
	s.source = cmp.Or(s.source, other.source)
	s.AdminURL = cmp.Or(s.AdminURL, other.AdminURL)
	if s.AdminToken == "" && s.AdminTokenFile == "" {
		s.AdminToken, s.AdminTokenFile = other.AdminToken, other.AdminTokenFile
	}
	return s
}

// configFile returns the file's path, and whether the user named it. "" is none.
func (a *app) configFile() (path string, named bool) {
	if path = cmp.Or(a.configPath, a.env("QSTC_CONFIG")); path != "" {
		return path, true
	}
	dir := a.env("XDG_CONFIG_HOME")
	if dir == "" {
		home := cmp.Or(a.env("HOME"), a.env("USERPROFILE")) // the latter is Windows'
		if home == "" {
			return "", false // not the current directory, which may be anybody's
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "qst", "config.toml"), false
}

// readConfig reads the configuration file. That there is none is an error only if the
// user named it.
func (a *app) readConfig() (config, error) {
	path, named := a.configFile()
	var c config
	if path == "" {
		return c, nil
	}
	meta, err := toml.DecodeFile(path, &c)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return config{}, nil
	}
	if err != nil {
		return config{}, usagef("configuration %s: %w", path, tomlError(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		name := unknown[0][len(unknown[0])-1]
		return config{}, usagef("configuration %s: %s is not a setting%s", path, unknown[0], didYouMean(name, settingNames()))
	}
	a.warnReadable(path, c)
	return c, nil
}

// warnReadable warns of a file with a password that others may read.
func (a *app) warnReadable(path string, c config) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	for _, s := range c.Profiles {
		if s.Password != "" || s.AdminToken != "" || passwordIn(s.URL) != "" {
			fmt.Fprintf(a.err, "qst: warning: others can read the passwords in %s: chmod 600 it\n", path)
			return
		}
	}
}

// settingNames are what may stand in a profile.
func settingNames() (names []string) {
	t := reflect.TypeFor[settings]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// profileNames returns the names of the profiles there are, for a shell to complete.
func (a *app) profileNames() []string {
	c, err := a.readConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.Profiles))
}

// profileNamed returns a profile.
func (a *app) profileNamed(name string) (settings, error) {
	c, err := a.readConfig()
	if err != nil {
		return settings{}, err
	}
	s, ok := c.Profiles[name]
	path, _ := a.configFile()
	if !ok {
		return settings{}, usagef("there is no profile %s in %s%s", shown(name), cmp.Or(path, "a configuration file, nor a HOME to have one in"),
			didYouMean(name, slices.Collect(maps.Keys(c.Profiles))))
	}
	s.source = fmt.Sprintf("profile %q in %s", name, path)
	return s, nil
}
