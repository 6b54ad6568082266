package gateway

import (
	"fmt"
	"os"
	"path/filepath"
)

// Finding is what a check of a gateway came to.
type Finding struct {
	Check  string // what was looked at
	OK     bool
	Note   bool // not OK, and no reason not to start
	Found  string
	Advice string // what to do, if it is not OK
}

// CheckFolder looks if files can be put into a folder and taken out of it.
func CheckFolder(name, dir string) Finding {
	f := Finding{Check: name, Found: dir}
	probe := filepath.Join(dir, ".qst-check")
	err := WriteFile(probe, nil)
	if err == nil {
		err = os.Remove(probe)
	}
	if err != nil {
		f.Found = err.Error()
		f.Advice = fmt.Sprintf("user %d, who runs the bridge, has to be able to write there: have its group own the folder", os.Getuid())
		return f
	}
	f.OK = true
	return f
}
